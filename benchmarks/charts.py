"""What charts of a run of a million rounds cost: to keep, to draw, and from a key to the frame.

    .venv/bin/python benchmarks/charts.py [--rounds 1000000] [--metrics 20] [--repeat 20]

Grows the series, opens the charts screen at 140x40 on them (headless, with the real app, the real
fold and Textual's own Pilot), and presses every key of the screen. A key's time ends when the last
frame that it caused has been rendered to terminal codes; Textual paints sixty times a second, so up
to 17 ms of it are waiting. Beside that: plotext, the nearest chart library for a terminal, on the
same raw data and on our reduced data (a line alone there; here with the range behind it). Prints a
table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from textual._compositor import CompositorUpdate
from textual.screen import Screen

import tui.app
from core import events
from core.config import load
from core.home import Home
from core.series import EMPTY, Series
from core.training.metrics import METRICS
from tui.app import WaggleApp
from tui.charting.catalogue import charts
from tui.charting.dots import BRAILLE
from tui.charting.look import Look
from tui.charting.sources import source
from tui.charting.studio import Studio
from tui.screens.charts.screen import ChartsScreen

SIZE = (140, 40)
PLOT = (37, 10)
"""Cells of one plot among nine at that size."""
KEYS = (
    *("left", "left", "H", "L", "h", "l", "space", "H", "z", "0", "plus", "plus", "plus"),
    *("left_square_bracket", "right_square_bracket", "home", "end", "minus", "s", "s", "S", "v"),
    *("o", "v", "o", "tab", "down", "up", "pagedown", "pageup", "enter", "left", "enter", "x"),
)
QUIET_S = 0.05
"""Without a frame for so long, a key has caused all its frames."""


def values(count: int, seed: int) -> list[float]:
    noise = random.Random(seed)
    return [
        math.nan if noise.random() < 0.001 else noise.gauss(0, 0.1) + 1 - math.exp(-n / count * 4)
        for n in range(count)
    ]


def grown(numbers: list[float]) -> Series:
    series = EMPTY
    for n, value in enumerate(numbers):
        series = series.append(n, value)
    return series


def size_of(series: Series) -> int:
    """Bytes of what a series keeps."""
    arrays = [series.x, series.y, *(column for level in series.levels for column in level)]
    return sum(sys.getsizeof(one) for one in arrays)


def timed(repeat: int, function: Callable[[], object]) -> float:
    """Median milliseconds of work: what other processes take of a busy machine is not in it."""
    took = []
    for _ in range(repeat):
        began = time.process_time()
        function()
        took.append((time.process_time() - began) * 1000)
    return median(took)


class Node:
    """A node that is there and says nothing: the state is given to the console."""

    error = None
    running = True

    def __init__(self) -> None:
        self.bus = events.EventBus()

    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def stop(self, now: bool = False) -> None: ...
    def join(self, timeout_s: float) -> bool:
        return True

    def close(self) -> None: ...


class Watched(WaggleApp):
    """Notes when a frame is ready for the terminal."""

    CSS_PATH = Path(tui.app.__file__).with_name("app.tcss")
    painted = 0.0
    worked = 0.0
    """The process's own seconds then: what other processes on the machine take is not in it."""
    frame: asyncio.Event

    def _display(self, screen: Screen[object], renderable: object) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable.render_segments(self.console)
            self.painted, self.worked = time.perf_counter(), time.process_time()
            self.frame.set()
        super()._display(screen, renderable)  # type: ignore[arg-type]


async def pressed(series: dict[str, Series], repeat: int) -> dict[str, list[tuple[float, float]]]:
    """From a key to its last frame, by key; `""` for a tick with news: (ms, ms at work)."""
    out: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="waggle-charts-") as folder:
        home = Home(Path(folder))
        app = Watched(
            home, load("solo", home, env={}), node_factory=lambda *_: Node(), ticking=False
        )
        app.frame = asyncio.Event()
        async with app.run_test(size=SIZE) as pilot:
            while app.starting:
                await pilot.pause(0.01)
            app.state = replace(app.state, series=series)
            await pilot.press("c")
            await pilot.pause()
            assert isinstance(app.screen, ChartsScreen)

            async def measure(name: str, act: Callable[[], object]) -> None:
                began, worked = time.perf_counter(), time.process_time()
                act()
                while True:
                    app.frame.clear()
                    try:
                        await asyncio.wait_for(app.frame.wait(), QUIET_S)
                    except asyncio.TimeoutError:
                        break
                if app.painted > began:
                    took = (app.painted - began) * 1000, (app.worked - worked) * 1000
                    out.setdefault(name, []).append(took)

            for _ in range(repeat):
                for key in KEYS:
                    await measure(key, partial(app.simulate_key, key))
                news = {n: s.append(s.newest + 1, 1.0) for n, s in app.state.series.items()}
                app.state = replace(app.state, series=news)
                await measure("", app.tick)
    return out


def plotext(xs: list[float], ys: list[float]) -> Callable[[], object]:
    from rich.text import Text
    from textual_plotext import Plot

    def draw() -> object:
        figure = Plot()
        figure.clear_figure()
        figure.plotsize(PLOT[0] + 9, PLOT[1] + 2)
        figure.plot(xs, ys, marker="braille")
        return Text.from_ansi(figure.build())

    return draw


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1_000_000, help="of the run (1000000)")
    parser.add_argument("--metrics", type=int, default=20, help="that are kept (20)")
    parser.add_argument("--repeat", type=int, default=20, help="presses of every key (20)")
    parser.add_argument("--plotext-raw", type=int, default=200_000, help="points at most (200000)")
    options = parser.parse_args()

    names = [*METRICS][: options.metrics]
    series: dict[str, Series] = {}
    append_us = []
    for number, name in enumerate(names):
        numbers = values(options.rounds, number)
        began = time.process_time()
        series[name] = grown(numbers)
        append_us.append((time.process_time() - began) * 1e6 / options.rounds)
    first = next(iter(series.values()))
    kept_mib = sum(map(size_of, series.values())) / 2**20
    raw_mib = options.rounds * options.metrics * 16 / 2**20

    chart, sources = charts(series)[0], (source("", "", series),)
    ours_ms = timed(options.repeat, lambda: Studio().drawn(chart, sources, Look(), PLOT, BRAILLE))
    smooth = Look(smoothing=5)
    ours_smooth_ms = timed(
        options.repeat, lambda: Studio().drawn(chart, sources, smooth, PLOT, BRAILLE)
    )
    drawn = Studio().drawn(chart, sources, Look(), PLOT, BRAILLE)
    slots = [slot for slot in drawn.traces[0].slots if slot.n]
    reduced_ms = timed(5, plotext([s.last for s in slots], [s.mean for s in slots]))
    points = min(options.rounds, options.plotext_raw)
    raw = [v for v in values(points, 0) if not math.isnan(v)]
    raw_ms = timed(1, plotext([float(n) for n in range(len(raw))], raw))

    took = asyncio.run(pressed(series, options.repeat))
    tick = took.pop("")
    every = [each for all_of in took.values() for each in all_of]
    waited, worked = ([each[i] for each in every] for i in (0, 1))
    slowest = max(took, key=lambda key: median(each[1] for each in took[key]))

    figures = {
        "benchmark": "charts",
        "rounds": options.rounds,
        "metrics": options.metrics,
        "append_us": round(median(append_us), 2),
        "buckets_each": first.columns.size,
        "kept_mib": round(kept_mib, 2),
        "raw_mib": round(raw_mib, 1),
        "chart_ms": round(ours_ms, 2),
        "chart_smoothed_ms": round(ours_smooth_ms, 2),
        "plotext_reduced_ms": round(reduced_ms, 2),
        "plotext_raw_points": points,
        "plotext_raw_ms": round(raw_ms, 1),
        "key_p50_ms": round(median(waited), 1),
        "key_p95_ms": round(quantiles(waited, n=20)[-1], 1),
        "key_max_ms": round(max(waited), 1),
        "key_work_p50_ms": round(median(worked), 1),
        "key_work_p95_ms": round(quantiles(worked, n=20)[-1], 1),
        "slowest_key": slowest,
        "slowest_key_work_ms": round(median(each[1] for each in took[slowest]), 1),
        "news_work_ms": round(median(each[1] for each in tick), 1),
    }
    for name, value in figures.items():
        print(f"{name:<20} {value}")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
