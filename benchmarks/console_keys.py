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
ESCAPE, LEFT, RIGHT = "\x1b", "\x1b[D", "\x1b[C"
THIRD_ROW = r"\A(?:.*\n){2}.*"


@dataclass(frozen=True)
class Press:
    """A key, and how to see that it has done what it does.

    wanted: a pattern that must be on the screen then (`gone`: must not any more). changes: a
    pattern whose first match must be another one, or in another place, than before.
    """

    key: str
    wanted: str = ""
    gone: bool = False
    changes: str = ""
    kind: str = "move"
    """page: opens a page. pane: shows another part of one. move: within a page. Leaving a page
    with Escape counts for nothing: arrows begin with it too, so every program waits a while."""


BACK = Press(ESCAPE, "1 Charts", kind="leave")
CURSOR, MARK = r"(?m)^>.*", r"(?m)^▌.*"


def moves(keys: str | Sequence[str], changes: str) -> list[Press]:
    return [Press(key, changes=changes) for key in keys]


WALK: Sequence[Press] = (
    Press("2", "Nobody else is here", kind="pane"),
    Press("3", "coordinator:", kind="pane"),
    Press("4", r"\d\d:\d\d:\d\d (info|warn)", kind="pane"),
    Press("1", "Loss", kind="pane"),
    Press("c", r"rounds \d+ to", kind="page"),
    *moves([LEFT] * 5 + [RIGHT] * 3 + ["h", "h", "l"], r"at round \d+|\? lists all keys"),
    Press("s", "smoothing 0.3"),
    Press("S", "smoothing", gone=True),
    BACK,
    Press("l", "all levels", kind="page"),
    *moves("kkkkkkjjk", MARK),
    Press("e", "all levels", gone=True),
    BACK,
    Press("w", "trained .* credited", kind="page"),
    *moves("jjjjjjkkj", CURSOR),
    Press("2", "participation", kind="pane"),
    BACK,
    Press("r", "advantage", kind="page"),
    *moves("jjjjjjkkj", CURSOR),
    BACK,
    Press("?", "Every metric of the run", kind="page"),
    *moves("jjjjjjkkj", THIRD_ROW),
    Press("q", "1 Charts", kind="page"),
)


def opened(console: Terminal) -> None:
    """Until the node trains and nothing of its start is left to do."""
    console.read(lambda: "HEALTHY" in console.screen.text(), 180)
    console.read(lambda: bool(re.search(r"Round ([4-9]|\d\d)", console.screen.text())), 300)
    console.watch(2)


def measure(console: Terminal, loops: int, seed: int = 1) -> dict[str, list[float]]:
    """Milliseconds by kind of key; the walk is taken `loops` times."""
    chance = random.Random(seed)
    out: dict[str, list[float]] = {}
    for _ in range(loops):
        for press in WALK:
            console.watch(chance.uniform(*THINKING_S))
            out.setdefault(press.kind, []).append(pressed(console, press))
    out.pop(BACK.kind)
    return out


def pressed(console: Terminal, press: Press) -> float:
    """Milliseconds until it has done what it does."""
    before = _place(console, press.changes) if press.changes else None

    def done() -> bool:
        if not console.whole:
            return False
        if press.changes:
            return _place(console, press.changes) != before
        return (re.search(press.wanted, console.screen.text()) is None) == press.gone

    if done():
        raise RuntimeError(f"{press} has nothing to do on\n{console.screen.text()}")
    began = console.type(press.key)
    return (console.read(done, 60) - began) * 1000


def _place(console: Terminal, pattern: str) -> tuple[int, str]:
    """Where the first match is, and what it says."""
    found = re.search(pattern, console.screen.text())
    return (found.start(), found[0]) if found else (-1, "")


def summary(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99."""
    cuts = quantiles(milliseconds, n=100, method="inclusive")
    return {
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
    }
