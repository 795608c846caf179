"""What an open console costs the training: rounds a minute with it and without, in pairs.

Each run is a node of its own on a fresh home with the same seed, read from its journal afterwards;
the rounds of its start are left out. The order within a pair changes from pair to pair.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.events import RoundFinished
from core.home import REPO_ROOT, Home
from core.journal import Journal
from tests.tui.ptys import SIZE, Terminal

WAGGLE = str(REPO_ROOT / "waggle")
START_ROUNDS = 4
"""Left out: the first rounds import, measure and choose."""
SETTLING_S = 8.0
"""After them, left out as well: a console that has just opened reads its pages ahead."""
LIMIT_S = 900.0


@dataclass(frozen=True)
class Node:
    """The profile's settings and these besides. prefer: called with each process id."""

    sets: tuple[str, ...]
    seconds: float
    prefer: Callable[[int], None]

    def command(self, home: Path, *more: str) -> list[str]:
        words = [word for each in self.sets for word in ("--set", each)]
        return [
            WAGGLE,
            "--home",
            str(home),
            "run",
            "--profile",
            "solo",
            "--seed",
            "1",
            *words,
            *more,
        ]


def pairs(node: Node, count: int) -> list[tuple[float, float]]:
    """Rounds a minute: with a console, and headless."""
    out = []
    for number in range(count):
        order: Sequence[Callable[[Node], float]] = (with_console, headless)
        measured = {run: run(node) for run in (order if number % 2 == 0 else order[::-1])}
        out.append((measured[with_console], measured[headless]))
        print(
            f"  pair {number + 1}: console {out[-1][0]:.1f}, headless {out[-1][1]:.1f}", flush=True
        )
    return out


def with_console(node: Node) -> float:
    with tempfile.TemporaryDirectory(prefix="waggle-console-") as folder:
        home = Path(folder)
        with Terminal(node.command(home), SIZE) as console:
            node.prefer(console.child.pid)
            console.read(lambda: rounds(home) >= START_ROUNDS, LIMIT_S)
            console.watch(SETTLING_S)
            began = time.time()
            console.watch(node.seconds)
        return per_minute(home, began)


def headless(node: Node) -> float:
    with tempfile.TemporaryDirectory(prefix="waggle-console-") as folder:
        home = Path(folder)
        with subprocess.Popen(
            node.command(home, "--headless"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as child:
            node.prefer(child.pid)
            deadline = time.monotonic() + LIMIT_S
            while rounds(home) < START_ROUNDS and time.monotonic() < deadline:
                time.sleep(0.2)
            time.sleep(SETTLING_S)
            began = time.time()
            time.sleep(node.seconds)
            child.send_signal(signal.SIGTERM)
        return per_minute(home, began)


def finished(home: Path) -> list[float]:
    """When each round was finished, in Unix seconds."""
    events = Journal(Home(home).db).events()
    return [event.time for event in events if isinstance(event, RoundFinished)]


def rounds(home: Path) -> int:
    return len(finished(home)) if Home(home).db.exists() else 0


def per_minute(home: Path, began: float) -> float:
    """began: Unix seconds; what was finished before is left out."""
    times = [time for time in finished(home) if time >= began]
    if len(times) < 2:
        raise RuntimeError(f"only {len(times)} rounds after the start: give it more --seconds")
    return (len(times) - 1) / (times[-1] - times[0]) * 60
