"""Held-out evaluation: how often the policy is right, sampled and greedy. Trains nothing.

Its random numbers come from a seed of its own, so the same weights give the same figures and the
training's random numbers stay untouched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from core.protocols import EvalReport, Game, Progress
from core.rollouts import RolloutGroup, Task
from core.training.engine import TorchEngine


def evaluate(
    engine: TorchEngine,
    game: Game,
    tasks: Sequence[Task],
    samples: int,
    seed: int,
    stop: threading.Event,
    progress: Progress | None = None,
) -> EvalReport:
    """Mean reward of `samples` completions at temperature 1, and of the greedy one, per task.

    pass_at_1 counts a completion as right when its reward is the full 1.0. `per_dataset` holds
    the sampled pass@1. Raises Interrupted when `stop` is set.
    """
    started = time.monotonic()
    total = len(tasks) * (samples + 1)
    plain = replace(engine.config.sampling, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)

    def run(generations: int, temperature: float, before: int) -> list[RolloutGroup]:
        def heard(done: int, _total: int) -> None:
            if progress is not None:
                progress(before + done, total)

        return engine.complete(
            tasks,
            generations=generations,
            sampling=replace(plain, temperature=temperature),
            generator=torch.Generator().manual_seed(seed),
            stop=stop,
            progress=heard,
        )

    greedy = run(1, 0.0, 0)
    sampled = run(samples, 1.0, len(tasks))
    greedy_right = 0
    sampled_right = 0
    by_dataset: dict[str, list[float]] = {}
    for task, one, many in zip(tasks, greedy, sampled, strict=True):
        texts = [rollout.text for rollout in (*one.rollouts, *many.rollouts)]
        right = [reward >= 1.0 - 1e-6 for reward in game.score(task, texts)]
        greedy_right += right[0]
        sampled_right += sum(right[1:])
        by_dataset.setdefault(task.id.dataset, []).append(sum(right[1:]) / samples)
    n = max(1, len(tasks))
    return EvalReport(
        pass_at_1=sampled_right / (n * samples),
        greedy_pass_at_1=greedy_right / n,
        tasks=len(tasks),
        samples=samples,
        seconds=time.monotonic() - started,
        per_dataset={name: sum(v) / len(v) for name, v in sorted(by_dataset.items())},
    )
