"""One round by Waggle's engine, as a node takes it: `waggle_round.py WORK.json OUT.json`.

`TorchEngine` with the settings of a config file and the memory plan for it; nothing is reached
into. The round before the measured one is sampled in full, since a node measures once which number
format pays for its rollouts, and trained on the first tokens of each completion.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from work import WARM_UP_TOKENS, Work, arguments

from core import free_memory, memory, shape
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
            micro_batch_tokens=work.micro_batch_tokens,
            mask_truncated=False,
            seed=work.seed,
        ),
    )


def scored(groups: Sequence[RolloutGroup], work: Work, length: int) -> list[RolloutGroup]:
    """The groups with the agreed rewards, each completion cut to `length` tokens."""
    return [
        replace(
            group,
            rollouts=tuple(
                replace(
                    rollout,
                    token_ids=rollout.token_ids[:length],
                    logprobs=rollout.logprobs[:length],
                    reward=reward,
                )
                for rollout, reward in zip(group.rollouts, work.rewards(), strict=True)
            ),
        )
        for group in groups
    ]


def main() -> None:
    work, clock = arguments()
    config = config_for(work)
    never = threading.Event()
    names = [TaskId("benchmark", work.seed, i) for i in range(work.groups)]
    tasks = {name: Task(name, q, "") for name, q in zip(names, work.questions(), strict=True)}
    found = memory.plan(
        shape.read_config(Path(work.model, "config.json")),
        config,
        free_memory.budget(config, "cpu"),
        prompt_tokens=work.prompt_tokens,
    )
    found.require(work.model)
    print(f"  plan: {found}; estimated {found.peak / 2**30:.2f} GiB", flush=True)

    def load() -> Any:
        from core.training.engine import TorchEngine

        return TorchEngine(config, plan=found)

    def sample() -> list[RolloutGroup]:
        groups: list[RolloutGroup] = engine.sample(list(tasks.values()), never)
        return groups

    engine = clock.timed("load", load)
    groups = clock.timed("warm_up_sample", sample)
    short = scored(groups, work, WARM_UP_TOKENS)
    clock.timed("warm_up_update", lambda: engine.update(short, tasks))
    groups = clock.timed("sample", sample)
    full = scored(groups, work, work.new_tokens)
    report = clock.timed("update", lambda: engine.update(full, tasks))
    if report.skipped or report.step != 2:
        raise RuntimeError(f"the update took no step: {report.skipped}")
    lengths = [len(r.token_ids) for g in groups for r in g.rollouts]
    settings = {
        "plan": str(found),
        "estimated_gib": found.peak / 2**30,
        "threads": engine.threads,
        "sampling": engine.drawn_with,
        "training": asdict(config.training),
        "metrics": report.metrics,
    }
    clock.report(lengths, settings)


if __name__ == "__main__":
    main()
