from __future__ import annotations

import threading

import pytest
import torch

from core.protocols import Interrupted
from core.rollouts import TaskId
from core.training.engine import TorchEngine
from core.training.evaluate import evaluate
from tests.training.conftest import VowelGame


class ShortGame(VowelGame):
    """Right is an answer with an even number of characters: about every second one."""

    def score(self, task, completions):
        return [1.0 if len(text) % 2 == 0 else 0.4 for text in completions]


@pytest.fixture
def tasks():
    game = ShortGame()
    return [game.task(TaskId(d, 9, i)) for d in ("left", "right") for i in range(5)]


def test_figures_are_reproducible_and_leave_training_alone(config, tasks, never):
    engine, other = TorchEngine(config), TorchEngine(config)
    heard = []
    report = evaluate(engine, ShortGame(), tasks, 3, 77, never, lambda d, t: heard.append((d, t)))
    assert 0 < report.pass_at_1 < 1
    assert report.greedy_pass_at_1 in {i / 10 for i in range(11)}
    assert (report.tasks, report.samples) == (10, 3)
    assert set(report.per_dataset) == {"left", "right"}
    assert sum(report.per_dataset.values()) / 2 == pytest.approx(report.pass_at_1)
    assert heard[-1] == (40, 40)
    assert heard == sorted(heard)
    again = evaluate(engine, ShortGame(), tasks, 3, 77, never)
    assert (again.pass_at_1, again.per_dataset) == (report.pass_at_1, report.per_dataset)
    assert evaluate(engine, ShortGame(), tasks, 8, 78, never).pass_at_1 != report.pass_at_1
    state = torch.get_rng_state()
    assert engine.sample(tasks, never) == other.sample(tasks, never)
    assert torch.equal(state, torch.get_rng_state())


def test_sampling_filters_of_training_do_not_touch_the_evaluation(config, tasks, never):
    from dataclasses import replace

    narrow = replace(config, sampling=replace(config.sampling, top_k=1, temperature=0.3))
    a = evaluate(TorchEngine(config), ShortGame(), tasks, 3, 77, never)
    b = evaluate(TorchEngine(narrow), ShortGame(), tasks, 3, 77, never)
    assert (a.pass_at_1, a.greedy_pass_at_1) == (b.pass_at_1, b.greedy_pass_at_1)


def test_stop(config, tasks):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        evaluate(TorchEngine(config), ShortGame(), tasks, 3, 77, stop)
