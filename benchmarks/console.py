"""What a console costs: until it is there, from a key to its picture, in training, on the wire.

    .venv/bin/python benchmarks/console.py [--full] [--sizes] [--fuzz 100000] [--model-shape 0.5b]

Everything runs as a person runs it: `./waggle` on a pseudo-terminal of 100x30 that answers as xterm
does, timed and counted from outside, with the real trainer on waggle-tiny in the same process.

- start: `--help`, and the first frame on a fresh home and on one that is set up; medians;
- keys: through all screens while it trains; to the last byte of the frame that shows the effect;
- bytes: while it trains, and while it is paused; the mean over --seconds (300 with --full);
- rounds a minute with a console and headless, in pairs; --model-shape 0.5b does the same on a model
  of that shape with random weights (Qwen2, 494 M parameters), for a few rounds only;
- --sizes: benchmarks/charts.py, logs.py and tables.py, for runs of a million;
- --fuzz N: N random keys, clicks, pastes and sizes against consoles in this process, and how many
  of them each screen got; ends with 1 when something broke or a screen got less than 1 %.

--prefer N puts what is measured ahead of the machine's other work by that much (autogroup
niceness; needs root). Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import console_keys
import console_rounds
import psutil
import startup
from console_rounds import WAGGLE, Node

from core.home import REPO_ROOT
from tests.tui.ptys import Terminal

SHAPED = ("game.groups=2", "game.generations=2", "sampling.max_new_tokens=8", "net.enabled=false")
"""Rounds of a large model that take seconds, not minutes."""


def prefer(pid: int, by: int) -> None:
    """Ahead of the machine's other work: the kernel weighs terminals against each other."""
    if by:
        Path(f"/proc/{pid}/autogroup").write_text(str(-by))


def start(options: argparse.Namespace) -> dict[str, float]:
    def dashboard(home: Path) -> float:
        with Terminal([WAGGLE, "--home", str(home), "run", "--profile", "solo"]) as console:
            return console.shows("STARTING") - console.started

    measures: dict[str, Callable[[Path], float]] = {
        "help_s": lambda home: startup.timed([WAGGLE, "--help"]),
        "first_frame_s": startup.first_frame,
        "dashboard_frame_s": dashboard,
    }
    out = {}
    with tempfile.TemporaryDirectory(prefix="waggle-console-") as folder:
        for name, measure in measures.items():
            runs = [measure(Path(folder) / f"{name}-{n}") for n in range(options.repeat)]
            out[name] = round(median(runs), 3)
    return out


def keys_and_bytes(options: argparse.Namespace) -> dict[str, Any]:
    """One console for both: it trains, is walked through, watched, paused and watched again."""
    with tempfile.TemporaryDirectory(prefix="waggle-console-") as folder:
        command = [WAGGLE, "--home", folder, "run", "--profile", "solo"]
        with Terminal(command) as console:
            prefer(console.child.pid, options.prefer)
            console_keys.opened(console)
            by_kind = console_keys.measure(console, options.loops)
            console.watch(3)
            training = console.watch(options.seconds) / options.seconds
            console.type("p")
            console.read(lambda: "press p to go on" in console.screen.text(), 60)
            console.watch(8)  # the notice goes away again
            idle = console.watch(options.seconds) / options.seconds
            rss = _rss_mib(console.child.pid)
    every = [took for each in by_kind.values() for took in each]
    return {
        "key_to_screen": {"presses": len(every), **console_keys.summary(every)},
        **{f"to_{kind}": console_keys.summary(each) for kind, each in by_kind.items()},
        "training_bytes_s": round(training),
        "idle_bytes_s": round(idle),
        "watched_s": options.seconds,
        "rss_mib": rss,
    }


def _rss_mib(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss // 2**20)


def paired(
    options: argparse.Namespace, sets: tuple[str, ...], count: int, s: float
) -> dict[str, Any]:
    node = Node(sets, s, partial(prefer, by=options.prefer))
    pairs = console_rounds.pairs(node, count)
    ratios = [with_console / without for with_console, without in pairs]
    return {
        "pairs": [(round(a, 1), round(b, 1)) for a, b in pairs],
        "ratio": round(median(ratios), 4),
        "ratios": [round(ratio, 4) for ratio in ratios],
    }


def shaped(options: argparse.Namespace) -> dict[str, Any]:
    from peers.model import make_model

    with tempfile.TemporaryDirectory(prefix="waggle-console-") as folder:
        work = options.work or Path(folder)
        sets = (f"model.id={make_model(work, options.model_shape)}", *SHAPED)
        return {
            "shape": options.model_shape,
            **paired(options, sets, options.pairs, options.long_s),
        }


def fuzzed(options: argparse.Namespace) -> dict[str, Any]:
    from tests.tui.fuzzing import Broken, Fuzz

    found: list[str] = []
    with tempfile.TemporaryDirectory(prefix="waggle-console-") as folder:
        here = Path.cwd()
        os.chdir(folder)  # what is typed into a field for a file would be written here
        try:
            fuzz, grown, began = Fuzz(Path(folder), options.seed), [], time.monotonic()
            for part in range(1, 11):
                while fuzz.made < (until := options.fuzz * part // 10):
                    try:
                        asyncio.run(fuzz.play(until))
                    except Broken as error:
                        found.append(str(error))
                        print(f"BROKEN {error}", flush=True)
                grown.append(_rss_mib(os.getpid()))
                print(
                    f"  {fuzz.made} inputs, {fuzz.consoles} consoles, {grown[-1]} MiB", flush=True
                )
        finally:
            os.chdir(here)
    return {
        "seed": options.seed,
        "inputs": fuzz.made,
        "consoles": fuzz.consoles,
        "in_places": dict(sorted(fuzz.inputs.items())),
        "below_one_percent": [p for p, n in fuzz.inputs.items() if p and n < fuzz.made / 100],
        "broken": found,
        "seconds": round(time.monotonic() - began),
        "rss_mib_by_tenth": grown,
    }


def sizes() -> dict[str, Any]:
    out = {}
    for name in ("charts", "logs", "tables"):
        done = subprocess.run(
            [sys.executable, str(REPO_ROOT / "benchmarks" / f"{name}.py")],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        out[name] = json.loads(done.stdout.splitlines()[-1])
    return out


def show(name: str, figures: dict[str, Any]) -> None:
    print(name)
    for key, value in figures.items():
        print(f"  {key:<18} {value}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--full", action="store_true", help="300 s of bytes, 60 loops of keys, 5 pairs")
    add("--repeat", type=int, default=5, help="starts of each kind (5)")
    add("--loops", type=int, help="walks through all screens (12)")
    add("--seconds", type=float, help="of bytes, each (60)")
    add("--pairs", type=int, help="of runs with and without a console (3)")
    add("--run-s", type=float, default=30.0, help="seconds of each of those runs (30)")
    add("--model-shape", choices=("smoke", "0.5b"), help="pair runs on a model of this shape too")
    add("--long-s", type=float, default=120.0, help="seconds of each of those runs (120)")
    add("--work", type=Path, help="where that model is kept (made anew each time)")
    add("--fuzz", type=int, default=0, metavar="N", help="random inputs (none)")
    add("--seed", type=int, default=1, help="of the random inputs (1)")
    add("--sizes", action="store_true", help="a million rounds and lines, ten thousand peers")
    add("--only", nargs="*", default=["start", "keys", "rounds"], help="start keys rounds (all)")
    add("--prefer", type=int, default=0, metavar="N", help="1 to 19, before other work (0)")
    options = parser.parse_args()
    options.loops = options.loops or (60 if options.full else 12)
    options.seconds = options.seconds or (300.0 if options.full else 60.0)
    options.pairs = options.pairs or (5 if options.full else 3)
    prefer(os.getpid(), options.prefer)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "start": lambda: start(options),
        "keys": lambda: keys_and_bytes(options),
        "rounds": lambda: paired(options, (), options.pairs, options.run_s),
    }
    wanted = [name for name in parts if name in options.only]
    if options.model_shape:
        parts["shaped"] = lambda: shaped(options)
    if options.fuzz:
        parts["fuzz"] = lambda: fuzzed(options)
    if options.sizes:
        parts["sizes"] = sizes
    wanted += [name for name in ("shaped", "fuzz", "sizes") if name in parts]
    figures: dict[str, Any] = {"benchmark": "console", "cores": os.cpu_count()}
    for name in wanted:
        figures[name] = parts[name]()
        show(name, figures[name])
    figures["load"] = [round(each, 1) for each in os.getloadavg()]
    figures["prefer"] = options.prefer
    print(json.dumps(figures))
    fuzz = figures.get("fuzz", {})
    return int(bool(fuzz.get("broken") or fuzz.get("below_one_percent")))


if __name__ == "__main__":
    sys.exit(main())
