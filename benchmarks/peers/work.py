"""The work that every contestant of `engine.py` does, and the clock that all are measured with.

One round: `groups` prompts of exactly `prompt_tokens` tokens, `generations` completions of exactly
`new_tokens` tokens for each, rewards alternately 0 and 1, so that every group carries signal. It
imports neither torch nor Waggle: GenRL's environment runs it too.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model import words

WARM_UP_TOKENS = 4
"""Length of the completions in the round before the measured one: it leaves the optimiser's state
and a warm allocator behind, as every later round of a node finds them."""
AROUND = 1
"""Tokens that the chat template adds to a question."""


@dataclass(frozen=True)
class Work:
    """One round. `recipe` binds the contestants that have a choice.

    precision: of TRL's arithmetic over float32 weights, `float32` or `bfloat16`.
    peer_optimizer: TRL's; GenRL has Adam only. From `optimizer` to `max_ram_gib`: of Waggle.
    """

    model: str
    vocabulary: int
    groups: int = 4
    generations: int = 8
    prompt_tokens: int = 150
    new_tokens: int = 128
    threads: int = 2
    recipe: str = "full"
    precision: str = "float32"
    peer_optimizer: str = "adamw"
    optimizer: str = "adamw"
    micro_batch_tokens: int = 0
    rollout_format: str = "auto"
    checkpointing: str = "auto"
    max_ram_gib: float = 0.0
    learning_rate: float = 1e-6
    seed: int = 0

    @property
    def completions(self) -> int:
        return self.groups * self.generations

    def questions(self) -> list[str]:
        """Texts that the chat template turns into exactly `prompt_tokens` tokens."""
        draw = random.Random(self.seed)
        said = words(self.vocabulary)
        length = self.prompt_tokens - AROUND
        return ["".join(draw.choices(said, k=length)) for _ in range(self.groups)]

    def rewards(self) -> list[float]:
        """Of the completions of one group."""
        return [float(i % 2) for i in range(self.generations)]


def peak_rss_bytes() -> int:
    """The most memory that this process has had resident so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Clock:
    """What a contestant measured, by phase; `report` writes it where the driver reads it."""

    def __init__(self, work: Work, out: Path) -> None:
        self.work, self.out = work, out
        self.seconds: dict[str, float] = {}
        self.peaks: dict[str, int] = {}

    def timed(self, phase: str, action: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = action()
        self.note(phase, time.perf_counter() - started)
        return result

    def note(self, phase: str, seconds: float) -> None:
        self.seconds[phase] = seconds
        self.peaks[phase] = peak_rss_bytes()
        print(
            f"  {phase:<16}{seconds:9.2f} s  peak {self.peaks[phase] / 2**30:6.2f} GiB", flush=True
        )

    def report(self, lengths: Sequence[int], settings: dict[str, Any]) -> None:
        """lengths: of the measured round's completions. ValueError when one is not `new_tokens`."""
        if list(lengths) != [self.work.new_tokens] * self.work.completions:
            raise ValueError(f"the completions have other lengths: {sorted(set(lengths))}")
        sample_s, update_s = self.seconds["sample"], self.seconds["update"]
        figures = {
            "tokens_per_s": sum(lengths) / sample_s,
            "sample_s": sample_s,
            "update_s": update_s,
            "round_s": sample_s + update_s,
            "peak_memory_gib": peak_rss_bytes() / 2**30,
            "peak_gib_after": {phase: peak / 2**30 for phase, peak in self.peaks.items()},
            "seconds": self.seconds,
            "settings": settings,
            "work": asdict(self.work),
        }
        self.out.write_text(json.dumps(figures))


def arguments() -> tuple[Work, Clock]:
    """`CONTESTANT WORK.json OUT.json`, as the driver calls it."""
    work = Work(**json.loads(Path(sys.argv[1]).read_text()))
    return work, Clock(work, Path(sys.argv[2]))
