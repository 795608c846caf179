from __future__ import annotations

import subprocess
import sys

import pytest

from core.training.metrics import METRICS, length_metrics, reward_metrics


def test_reward_figures_by_hand():
    groups = [[1.0, 0.0], [1.0, 1.0], [0.2, 0.2], [0.0, 0.5]]
    out = reward_metrics(groups, [False, False, True, False])
    assert out["reward_mean"] == pytest.approx(3.9 / 8)
    assert out["reward_mean_local"] == pytest.approx(3.5 / 6)
    assert out["reward_mean_foreign"] == pytest.approx(0.2)
    assert out["frac_reward_zero_std"] == 0.5
    assert (out["solved_none"], out["solved_some"], out["solved_all"]) == (0.5, 0.25, 0.25)
    assert set(out) <= set(METRICS)


def test_length_figures_by_hand():
    out = length_metrics([2, 4, 12], [True, True, False])
    assert out["completion_length_mean"] == 6
    assert out["completion_length_max"] == 12
    assert out["truncated_fraction"] == pytest.approx(1 / 3)
    assert out["eos_rate"] == pytest.approx(2 / 3)
    assert set(out) <= set(METRICS)


def test_nothing_has_no_figures():
    assert reward_metrics([], []) == {}
    assert length_metrics([], []) == {}


def test_entering_the_room_makes_waiting_threads_sleep_and_loads_no_torch():
    code = (
        "import core.training, os, sys;"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'; assert 'torch' not in sys.modules"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)
