"""`waggle eval`: the held-out evaluation of a home's current checkpoint, beside a running node.

Reads the newest whole checkpoint, or the model as shipped when there is none; writes nothing.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import threading

from core import pools
from core.config import Effective
from core.home import Home
from core.training_room import EVAL_SEED, TrainingRoom


def evaluate(
    effective: Effective,
    home: Home,
    *,
    tasks: int | None = None,
    samples: int | None = None,
    seed: int = EVAL_SEED,
    as_json: bool = False,
) -> int:
    """Print pass@1 (sampled and greedy) on seeds that no training ever sees; 0 when done."""
    config = pools.settle(effective, home, keep=False).config
    room = TrainingRoom(config, home, lambda event: None, visiting=True)
    told = not as_json and sys.stderr.isatty()
    try:
        room.load()
        report = room.evaluate(
            threading.Event(),
            tasks=tasks,
            samples=samples,
            seed=seed,
            progress=_progress if told else None,
        )
    finally:
        room.close()
    if told:
        sys.stderr.write("\r\x1b[K")
    source = (
        "the model as shipped"
        if room.resumed_round is None
        else (f"the checkpoint of round {room.resumed_round}")
    )
    if as_json:
        data = {
            "model": effective.config.model.id,
            "checkpoint_round": room.resumed_round,
            "seed": seed,
            **dataclasses.asdict(report),
        }
        print(json.dumps(data))
        return 0
    print(f"{effective.config.model.id}, {source}; {report.tasks} held-out tasks")
    print(f"  pass@1         {report.pass_at_1:.3f}   ({report.samples} samples a task, T = 1)")
    print(f"  greedy pass@1  {report.greedy_pass_at_1:.3f}")
    for name, value in report.per_dataset.items():
        print(f"    {name:<20} {value:.3f}")
    return 0


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r  {done}/{total} completions ")
    sys.stderr.flush()
