"""How long until something is on the screen, and until the first round is trained.

    .venv/bin/python benchmarks/startup.py [--repeat 5]

Runs `./waggle` with its environment ready, each time on a fresh home: `--help`, the console on a
pseudo-terminal until its first frame, and a headless solo swarm until its first round is finished.
Prints a table and, as its last line, one JSON object; seconds, medians.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
WAGGLE = str(ROOT / "waggle")
LIMIT_S = 120.0


def help_text(home: Path) -> float:
    return timed([WAGGLE, "run", "--help"])


def timed(command: list[str]) -> float:
    """Seconds until it has ended."""
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def first_frame(home: Path) -> float:
    """Until the words of the first onboarding step have been drawn."""
    started = time.monotonic()
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(WAGGLE, [WAGGLE, "--home", str(home)])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    seen = b""
    try:
        while b"Which swarm" not in seen:
            left = LIMIT_S - (time.monotonic() - started)
            if left <= 0 or not select.select([terminal], [], [], left)[0]:
                raise TimeoutError(f"no first frame within {LIMIT_S:.0f} s")
            seen = (seen + os.read(terminal, 65_536))[-200_000:]
        return time.monotonic() - started
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def first_round(home: Path) -> float:
    command = [WAGGLE, "run", "--headless", "--json", "--rounds", "1", "--home", str(home)]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        for line in node.stdout:
            if json.loads(line)["event"] == "round_finished":
                seconds = time.monotonic() - started
    if node.returncode:
        raise RuntimeError(f"the node ended with {node.returncode}")
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="runs of each (5)")
    options = parser.parse_args()
    measures: dict[str, Callable[[Path], float]] = {
        "help_s": help_text,
        "first_frame_s": first_frame,
        "first_round_s": first_round,
    }
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="waggle-startup-") as folder:
        for name, measure in measures.items():
            runs = [measure(Path(folder) / f"{name}-{i}") for i in range(options.repeat)]
            figures[name] = runs
            print(f"{name:<16} median {median(runs):6.2f}   max {max(runs):6.2f}", flush=True)
    print(json.dumps({"benchmark": "startup", **{k: median(v) for k, v in figures.items()}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
