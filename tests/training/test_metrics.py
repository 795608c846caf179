from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core import events, fold
from core.journal import Journal
from core.training.metrics import (
    FAMILIES,
    METRICS,
    TokenLog,
    definition,
    length_metrics,
    mismatch_metrics,
    policy_metrics,
    reward_metrics,
    speed_metrics,
)


def all_defined(names) -> bool:
    return all(definition(name) for name in names)


def test_reward_figures_by_hand():
    groups = [[1.0, 0.0], [1.0, 1.0], [0.2, 0.2], [0.0, 0.5]]
    foreign = [False, False, True, False]
    out = reward_metrics(groups, foreign, ["a", "b", "a", "b"])
    assert out["reward_mean"] == pytest.approx(3.9 / 8)
    assert out["reward_mean_local"] == pytest.approx(3.5 / 6)
    assert out["reward_mean_foreign"] == pytest.approx(0.2)
    assert out["reward_mean/a"] == pytest.approx(1.4 / 4)
    assert out["reward_mean/b"] == pytest.approx(2.5 / 4)
    assert out["frac_reward_zero_std"] == 0.5
    assert (out["solved_none"], out["solved_some"], out["solved_all"]) == (0.5, 0.25, 0.25)
    assert out["frac_reward_zero_std_local"] == pytest.approx(1 / 3), "a foreign one counts nowhere"
    assert out["solved_none_local"] == pytest.approx(1 / 3)
    assert out["solved_all_local"] == pytest.approx(1 / 3)
    assert "solved_all_local" not in reward_metrics([[1.0, 0.0]], [True])
    assert all_defined(out)
    assert set(reward_metrics(groups, foreign)) <= set(METRICS)
    with pytest.raises(ValueError, match="zip"):
        reward_metrics(groups, foreign, ["a"])


def test_length_figures_by_hand():
    out = length_metrics([2, 4, 12], [True, True, False])
    assert out["completion_length_mean"] == 6
    assert out["completion_length_max"] == 12
    assert out["terminated_length_mean"] == 3
    assert out["truncated_fraction"] == pytest.approx(1 / 3)
    assert out["eos_rate"] == pytest.approx(2 / 3)
    assert all_defined(out)
    assert "terminated_length_mean" not in length_metrics([12], [False])


def test_nothing_has_no_figures():
    none = torch.zeros(0)
    assert reward_metrics([], []) == {}
    assert length_metrics([], []) == {}
    assert mismatch_metrics(none, none, 2.0) == {}
    same = dict.fromkeys(("entropy", "logps", "old_logps", "clipped_low", "clipped_high"), none)
    assert policy_metrics(**same) == {}


def test_policy_figures_by_hand():
    out = policy_metrics(
        entropy=torch.tensor([1.0, 2.0]),
        logps=torch.tensor([-1.0, -1.0]),
        old_logps=torch.tensor([-1.0, -1.0 - math.log(2)]),
        clipped_low=torch.tensor([0.0, 0.0]),
        clipped_high=torch.tensor([0.0, 1.0]),
        kl=torch.tensor([0.1, 0.3]),
    )
    assert out["entropy"] == 1.5
    assert out["kl"] == pytest.approx(0.2)
    assert out["approx_kl"] == pytest.approx((2 - 1 - math.log(2)) / 2)
    assert (out["clip_ratio_low"], out["clip_ratio_high"]) == (0.0, 0.5)
    assert all_defined(out)


def test_mismatch_figures_by_hand():
    sampler = torch.tensor([-1.0, -3.0, -1.0, math.nan])
    trainer = torch.tensor([-1.0, -1.0, -2.0, -9.0])
    out = mismatch_metrics(trainer, sampler, cap=2.0)
    assert out["logprob_gap_mean"] == pytest.approx(1.0)
    assert out["logprob_gap_max"] == pytest.approx(2.0)
    kl = (0 + (math.exp(2) - 1 - 2) + (math.exp(-1) - 1 + 1)) / 3
    assert out["mismatch_kl"] == pytest.approx(kl)
    assert out["importance_weight_min"] == pytest.approx(math.exp(-1))
    assert out["importance_weight_mean"] == pytest.approx((1 + 2 + math.exp(-1)) / 3)
    assert out["importance_weight_max"] == 2.0
    assert out["importance_capped"] == pytest.approx(1 / 3)
    assert all_defined(out)
    assert "importance_weight_mean" not in mismatch_metrics(trainer, sampler)
    assert mismatch_metrics(trainer, torch.full((4,), math.nan), 2.0) == {}


def test_a_kl_stays_finite_whatever_the_gap():
    far = mismatch_metrics(torch.tensor([-1.0]), torch.tensor([-500.0]))
    assert math.isfinite(far["mismatch_kl"])


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 100))
def test_the_figures_do_not_depend_on_the_micro_batches(lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths)
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).float()
    trainer = -torch.rand(mask.shape, generator=generator)
    sampler = -torch.rand(mask.shape, generator=generator)
    whole, parts = TokenLog(), TokenLog()
    whole.add(mask, trainer=trainer, sampler=sampler)
    for i, length in enumerate(lengths):
        rows = (slice(i, i + 1), slice(length))
        parts.add(mask[rows], trainer=trainer[rows], sampler=sampler[rows])
    assert "trainer" in parts
    assert "entropy" not in parts
    both = [mismatch_metrics(log["trainer"], log["sampler"], 1.2) for log in (whole, parts)]
    assert both[0] == both[1]


def test_rates():
    out = speed_metrics(sampled_tokens=50, seconds_sample=2, trained_tokens=30, seconds_update=3)
    assert (out["tokens_per_s"], out["trained_tokens_per_s"]) == (25, 10)
    assert all_defined(out)
    out = speed_metrics(sampled_tokens=0, seconds_sample=0, trained_tokens=0, seconds_update=0)
    assert out == {"seconds_update": 0}


def test_a_name_without_definition_is_an_error():
    assert definition("reward_mean/chain_sum").endswith("chain_sum.")
    for name in ("", "reward_mean/", "nonsense"):
        with pytest.raises(KeyError):
            definition(name)


def test_every_metric_goes_through_the_journal_into_a_series(tmp_path):
    """The worker puts a report's metrics into RoundFinished; nothing of it may be lost."""
    names = [*METRICS, *(prefix + "x" for prefix in FAMILIES)]
    metrics = {name: float(i) for i, name in enumerate(names)}
    finished = events.RoundFinished(
        round=3,
        reward_mean=0.5,
        swarm_reward_mean=0.5,
        loss=0.1,
        seconds=1.0,
        wait_s=0.0,
        own_groups=1,
        foreign_groups=0,
        rejected_groups=0,
        peers=0,
        tokens_per_s=metrics["tokens_per_s"],
        rss_mib=metrics["rss_mib"],
        metrics=metrics,
    )
    bus = events.EventBus()
    journal = Journal(tmp_path / "node.db", bus)
    journal.start()
    bus.emit(finished)
    journal.close()
    (read,) = journal.events()
    assert isinstance(read, events.RoundFinished)
    assert read.metrics == metrics
    state = fold.replay([read])
    assert {name: state.series_of(name).last for name in names} == metrics


def test_entering_the_room_makes_waiting_threads_sleep_and_loads_no_torch():
    code = (
        "import core.training, core.training.metrics, os, sys;"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'; assert 'torch' not in sys.modules"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)
