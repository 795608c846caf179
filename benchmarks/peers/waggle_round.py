"""One round by Waggle's engine, as a node takes it: `waggle_round.py WORK.json OUT.json`.

`TorchEngine` with the settings of a config file; nothing is reached into. The warm-up round is
sampled with the same engine at another token cap.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from work import WARM_UP_TOKENS, Work, arguments

from core.rollouts import RolloutGroup, Task, TaskId
from core.schema import Config, GameSection, ModelSection, SamplingSection, TrainingSection


def config_for(work: Work) -> Config:
    """Waggle's defaults, but for the work: every completion is truncated, so none is masked."""
    return Config(
        model=ModelSection(
            id=work.model, device="cpu", threads=work.threads, max_ram_gib=work.max_ram_gib
        ),
        game=GameSection(groups=work.groups, generations=work.generations),
        sampling=SamplingSection(
            max_new_tokens=work.new_tokens, rollout_format=work.rollout_format
        ),
        training=TrainingSection(
            recipe=work.recipe,
            optimizer=work.optimizer,
            learning_rate=work.learning_rate,
            gradient_checkpointing=work.checkpointing,
            mask_truncated=False,
            seed=work.seed,
        ),
    )


def scored(groups: Sequence[RolloutGroup], work: Work) -> list[RolloutGroup]:
    return [
        replace(
            group,
            rollouts=tuple(
                replace(rollout, reward=reward)
                for rollout, reward in zip(group.rollouts, work.rewards(), strict=True)
            ),
        )
        for group in groups
    ]


def main() -> None:
    work, clock = arguments()
    config = config_for(work)
    never = threading.Event()
    questions = work.questions()
    tasks = {
        task.id: task
        for i, text in enumerate(questions)
        for task in [Task(TaskId("benchmark", work.seed, i), text, "")]
    }

    def load() -> Any:
        from core.training.engine import TorchEngine

        return TorchEngine(config)

    engine = clock.timed("load", load)
    import torch

    def warm_up() -> list[RolloutGroup]:
        short = replace(config.sampling, max_new_tokens=WARM_UP_TOKENS)
        draw = torch.Generator().manual_seed(random.Random(work.seed).getrandbits(32))
        groups: list[RolloutGroup] = engine.complete(
            list(tasks.values()),
            generations=work.generations,
            sampling=short,
            generator=draw,
            stop=never,
        )
        return groups

    groups = clock.timed("warm_up_sample", warm_up)
    clock.timed("warm_up_update", lambda: engine.update(scored(groups, work), tasks))
    groups = clock.timed("sample", lambda: engine.sample(list(tasks.values()), never))
    report = clock.timed("update", lambda: engine.update(scored(groups, work), tasks))
    if report.skipped or report.step != 2:
        raise RuntimeError(f"the update took no step: {report.skipped}")
    lengths = [len(r.token_ids) for g in groups for r in g.rollouts]
    settings = {"training": asdict(config.training), "sampling": asdict(config.sampling)}
    clock.report(lengths, settings | {"metrics": report.metrics})


if __name__ == "__main__":
    main()
