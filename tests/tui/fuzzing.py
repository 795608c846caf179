"""Runs of consoles that are given anything, wherever fewest inputs were made so far.

Whatever fails is played again with fewer and fewer inputs, and told as a `replay` to paste.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.tui import fuzz_places as places
from tests.tui.fuzz_console import Broken, Console, Play
from tests.tui.fuzz_inputs import Input

SHRINK_S = 100.0


@dataclass
class Fuzz:
    """`play` makes `count` inputs, wherever fewest were made so far. Broken with a short replay."""

    folder: Path
    seed: int
    made: int = 0
    consoles: int = 0
    inputs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(places.PLACES, 0))
    """Made in each place."""
    visits: dict[str, int] = field(default_factory=dict)
    """Consoles that were led to each place: some places cannot be stayed in for long."""

    async def play(self, count: int) -> None:
        while self.made < count:
            fewest = min(places.PLACES, key=lambda p: self.inputs[p] + 6 * self.visits.get(p, 0))
            self.visits[fewest] = self.visits.get(fewest, 0) + 1
            self.consoles += 1
            play = Play(self.seed, self.consoles, fewest)
            steps: list[Input] = []
            console = Console(self.folder / f"{self.seed}-{self.consoles}", play)
            try:
                await console.run(self._recorded(console, steps, count))
            except Broken as error:
                few = await shrink(self.folder, play, steps, error.kind)
                raise Broken(error.kind, f"{error}\nreplay({play!r},\n  {few!r})") from error

    def _recorded(self, console: Console, steps: list[Input], count: int) -> Iterator[Input]:
        for step in console.inputs():
            steps.append(step)
            yield step
            if step[0] not in ("settle", "go", "away"):
                self.made += 1
                self.inputs[console.here] = self.inputs.get(console.here, 0) + 1
            if self.made >= count:
                return


async def replay(folder: Path, play: Play, steps: list[Input]) -> None:
    """The same console with just these inputs. Broken as `Fuzz.play`."""
    await Console(folder, play).run(iter(steps))


async def shrink(folder: Path, play: Play, steps: list[Input], kind: str) -> list[Input]:
    """As few of `steps` as break it in the same way; all of them where that needs luck, too."""
    until, tries, size = time.monotonic() + SHRINK_S, 0, max(1, len(steps) // 2)
    while size and time.monotonic() < until:
        at = 0
        while at < len(steps) and time.monotonic() < until:
            fewer = steps[:at] + steps[at + size :]
            tries += 1
            try:
                await replay(folder / f"shrink-{play.number}-{tries}", play, fewer)
                at += size
            except Broken as error:
                if error.kind == kind:
                    steps = fewer
                else:
                    at += size
        size //= 2
    return steps
