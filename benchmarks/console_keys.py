"""From a key to its picture, while the node trains: on a terminal, timed from outside.

A key's time ends with the last byte of the frame on which everything stands that it asked for; that
is at times the second frame after the key. What is waited for is never on the screen before.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from tests.tui.ptys import Terminal

THINKING_S = (0.15, 0.7)
ESCAPE = "\x1b"


@dataclass(frozen=True)
class Press:
    """wanted: a pattern of what must stand on the screen then; `gone`: must not any more.

    timed: whether it counts. Escape does not: any program on a terminal has to wait a while after
    it, since the arrows begin with it too.
    """

    key: str
    wanted: str
    gone: bool = False
    timed: bool = True


BACK = Press(ESCAPE, "1 Charts", timed=False)
WALK: Sequence[Press] = (
    Press("2", "Nobody else is here"),
    Press("3", "coordinator:"),
    Press("4", r"\d\d:\d\d:\d\d (info|warn)"),
    Press("1", "Loss"),
    Press("?", "Every metric of the run"),
    Press("q", "1 Charts"),
    Press("c", r"rounds \d+ to"),
    Press("s", "smoothing 0.3"),
    Press("S", "smoothing", gone=True),
    BACK,
    Press("r", "advantage"),
    BACK,
    Press("l", "all levels"),
    Press("e", "all levels", gone=True),
    BACK,
    Press("n", "in the leaderboard"),
    Press("3", "reached from outside|[Rr]each"),
    BACK,
    Press("w", "trained .* credited"),
    BACK,
)


def opened(console: Terminal) -> None:
    """Until the node trains and nothing of its start is left to do."""
    console.read(lambda: "HEALTHY" in console.screen.text(), 180)
    console.read(lambda: bool(re.search(r"Round ([4-9]|\d\d)", console.screen.text())), 300)
    console.watch(2)


def measure(console: Terminal, loops: int, seed: int = 1) -> dict[str, list[float]]:
    """Milliseconds by key; each is pressed `loops` times."""
    chance = random.Random(seed)
    out: dict[str, list[float]] = {}
    for _ in range(loops):
        for press in WALK:
            console.watch(chance.uniform(*THINKING_S))
            took = pressed(console, press)
            if press.timed:
                out.setdefault(press.key, []).append(took)
    return out


def pressed(console: Terminal, press: Press) -> float:
    """Milliseconds until it has done what it does."""
    pattern = re.compile(press.wanted)

    def done() -> bool:
        return (pattern.search(console.screen.text()) is None) == press.gone and console.whole

    if done():
        raise RuntimeError(f"{press.wanted!r} is there before {press.key!r} is pressed")
    began = console.type(press.key)
    return (console.read(done, 60) - began) * 1000


def summary(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99."""
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return {
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
    }
