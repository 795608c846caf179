"""What a key costs with ten thousand peers and a hundred thousand rounds, beside Textual's table.

    .venv/bin/python benchmarks/tables.py [--peers 10000] [--rounds 100000] [--keys 300]

Opens the peers and the rewards screen at 140x40 (headless, with the real app, the real fold, a real
leaderboard file and a real `node.db`) and presses random keys of theirs. A key's time ends when the
last frame that it caused has been rendered to terminal codes; Textual paints sixty times a second,
so up to 17 ms of it are waiting. For a page of the ledger that had to be read it ends with the
page. Memory is what the process grew by. The anchor is Textual's own DataTable with the same rows,
as the dashboards of others use it. Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from charts import QUIET_S, Watched
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.widgets import DataTable

from core import collecting
from core.config import load
from core.home import Home
from tests.tui import peers_support, rewards_support
from tests.tui.support import ReplayNode, begin
from tui import draw_peers

SIZE = (140, 40)
MOVES = ("down", "up", "pagedown", "pageup", "home", "end", "j", "k", "l", "h")
PEERS = (*MOVES, "s", "S", "o", "m")
REWARDS = (*MOVES, "f")


def rss_mib() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


async def timed(app: Watched, act: Callable[[], object], there: Callable[[], bool]) -> float:
    """Milliseconds from `act` to the last frame that it caused, `there` being true."""
    began = time.perf_counter()
    app.painted = began
    act()
    while True:
        app.frame.clear()
        try:
            await asyncio.wait_for(app.frame.wait(), QUIET_S)
        except TimeoutError:
            if there():
                return (app.painted - began) * 1000


def console(home: Home, recorded: Sequence[Any]) -> Watched:
    app = Watched(
        home,
        load("solo", home, env={}),
        node_factory=lambda *_: ReplayNode(list(recorded)),
        clock=lambda: peers_support.NOW + 2,
        ticking=False,
    )
    app.frame = asyncio.Event()
    return app


async def measured(app: Watched, opening: str, keys: Iterable[str], ready: Callable[[], bool],
                   there: Callable[[], bool]) -> dict[str, Any]:  # fmt: skip
    took: dict[str, list[float]] = {}
    async with app.run_test(size=SIZE) as pilot:
        while app.starting:
            await pilot.pause(0.01)
        app.tick()
        before = rss_mib()
        collecting.settle()  # as a node does once it is up
        opened = await timed(app, lambda: app.simulate_key(opening), lambda: True)
        while not ready():
            await pilot.pause(0.02)
            app.tick()
        grown = rss_mib() - before
        for key in keys:
            took.setdefault(key, []).append(
                await timed(app, lambda key=key: app.simulate_key(key), there)  # type: ignore[misc]
            )
        more = rss_mib() - before - grown
    return summed(took) | {"open_ms": opened, "rows_mib": grown, "after_keys_mib": more}


def summed(took: dict[str, list[float]]) -> dict[str, Any]:
    all_ms = sorted(ms for each in took.values() for ms in each)
    cuts = quantiles(all_ms, n=100)
    slowest = max(took, key=lambda key: max(took[key]))
    return {
        "keys": len(all_ms),
        "p50_ms": cuts[49],
        "p95_ms": cuts[94],
        "p99_ms": cuts[98],
        "max_ms": all_ms[-1],
        "slowest_key": slowest,
    }


def peers(many: int, keys: int, noise: random.Random) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="waggle-tables-") as folder:
        home = Home(Path(folder))
        home.create()
        peers_support.save(home, peers_support.entries(many))
        app = console(home, [*begin(), *peers_support.swarm(many)])
        pressed = [*noise.choices(PEERS, k=keys), "slash", *"otter", "enter", "escape"]
        return asyncio.run(
            measured(app, "n", pressed, lambda: len(app.screen._rows) >= many, lambda: True)
        )


def rewards(rounds: int, keys: int, noise: random.Random) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="waggle-tables-") as folder:
        home = Home(Path(folder))
        rewards_support.fill(home, rounds)
        app = console(home, [*begin(), *rewards_support.told(home)])

        def there() -> bool:
            screen = app.screen
            return screen.table.ledger.round(screen.table.cursor) is not None

        def ready() -> bool:
            return app.screen.table.length > 0 and app.screen._figures is not None

        jump = ["slash", *str(rounds // 3), "enter"]
        return asyncio.run(
            measured(app, "w", [*noise.choices(REWARDS, k=keys), *jump], ready, there)
        )


# --- the anchor -----------------------------------------------------------------------------------


class Anchor(App[None]):
    """The same rows in Textual's own table."""

    frame: asyncio.Event
    painted = 0.0

    def _display(self, screen: Any, renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable.render_segments(self.console)
            self.painted = time.perf_counter()
            self.frame.set()
        super()._display(screen, renderable)

    def compose(self) -> ComposeResult:
        yield DataTable()

    def fill(self, many: int) -> None:
        table = self.query_one(DataTable)
        table.add_columns(*(column.title for column in draw_peers.PEERS[:6]))
        for n, entry in enumerate(peers_support.entries(many), 1):
            row = (n, entry.peer_id[:20], entry.total_reward, entry.last_reward)
            table.add_row(*row, entry.participation, entry.wins)


def anchor(many: int, keys: int, noise: random.Random) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        app = Anchor()
        app.frame = asyncio.Event()
        took: dict[str, list[float]] = {}
        async with app.run_test(size=SIZE) as pilot:
            before = rss_mib()
            collecting.settle()
            filled = await timed(app, lambda: app.fill(many), lambda: True)  # type: ignore[arg-type]
            grown = rss_mib() - before
            table = app.query_one(DataTable)
            columns = list(table.columns)
            acts: dict[str, Callable[[], object]] = {
                key: (lambda key=key: app.simulate_key(key))  # type: ignore[misc]
                for key in ("down", "up", "pagedown", "pageup", "home", "end")
            }
            acts["sort"] = lambda: table.sort(noise.choice(columns))
            for key in noise.choices(list(acts), k=keys):
                took.setdefault(key, []).append(
                    await timed(app, acts[key], lambda: True)  # type: ignore[arg-type]
                )
            await pilot.pause()
        return summed(took) | {"open_ms": filled, "rows_mib": grown}

    return asyncio.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=300)
    given = parser.parse_args()
    noise = random.Random(7)
    found = {
        "peers": peers(given.peers, given.keys, noise),
        "rewards": rewards(given.rounds, given.keys, noise),
        "datatable": anchor(given.peers, given.keys, noise),
    }
    head = ("open_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms", "rows_mib", "after_keys_mib")
    print(f"{'':<12}" + "".join(f"{name:>16}" for name in head))
    for name, row in found.items():
        cells = (f"{row[key]:>16.1f}" if key in row else f"{'-':>16}" for key in head)
        print(f"{name:<12}{''.join(cells)}  slowest: {row['slowest_key']}")
    told = {f"table_{name}": row for name, row in found.items()}
    print(json.dumps({"peers": given.peers, "rounds": given.rounds, **told}))


if __name__ == "__main__":
    main()
