"""Starts a node again when it crashes: with backoff, a reason on stderr, and a counter.

The node runs as a child process with the same standard output. Exit codes that mean "do not start
it again": 0 (asked to stop, or done), 2 (a configuration that will not mend itself), 130 and 141
(interrupted, output closed). Everything else, signals included, is a crash.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from core.home import Home

FINAL = (0, 2, 130, 141)
MIN_BACKOFF_S = 1.0
STEADY_S = 300.0
"""A node that ran this long was well: the backoff begins anew."""
RESTARTS = "WAGGLE_RESTARTS"


def restarts() -> int:
    """How often the node of this process was started again by its supervisor."""
    text = os.environ.get(RESTARTS, "")
    return int(text) if text.isdecimal() else 0


def headless_arguments(args: argparse.Namespace, home: Home) -> list[str]:
    """The command line of the supervised node, from the supervisor's own options."""
    command = [sys.executable, "-m", "core.cli", "run", "--headless", "--home", str(home.path)]
    if args.profile:
        command += ["--profile", args.profile]
    for setting in args.set:
        command += ["--set", setting]
    for flag, size in (("--max-ram", args.max_ram), ("--max-vram", args.max_vram)):
        if size is not None:
            command += [flag, f"{size:.6f}"]
    for bootnode in args.bootnode:
        command += ["--bootnode", bootnode]
    if args.seed is not None:
        command += ["--seed", str(args.seed)]
    return command + ["--json"] * args.json + ["--debug"] * args.debug


def supervise(
    argv: Sequence[str],
    max_backoff_s: float = 60.0,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Run `argv` until it ends with a final code; that code. secrets: added to its environment.

    SIGTERM and SIGHUP are handed on, and then its end is the end. Ctrl+C reaches the child through
    the terminal.
    """
    stopping = False
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True
        if child is not None and number != signal.SIGINT:
            child.send_signal(number)

    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, stop) for number in handled]
    backoff_s, count = MIN_BACKOFF_S, 0
    try:
        while True:
            started = time.monotonic()
            child = subprocess.Popen(argv, env={**os.environ, RESTARTS: str(count), **secrets})
            code = child.wait()
            if stopping or code in FINAL:
                return code if code >= 0 else 128 - code
            if time.monotonic() - started > STEADY_S:
                backoff_s = MIN_BACKOFF_S
            count += 1
            print(
                f"waggle: the node ended ({_reason(code)}); restart {count} in {backoff_s:.0f} s",
                file=sys.stderr,
                flush=True,
            )
            deadline = time.monotonic() + backoff_s
            while not stopping and time.monotonic() < deadline:
                time.sleep(min(0.1, backoff_s))
            if stopping:
                return code if code >= 0 else 128 - code
            backoff_s = min(max_backoff_s, backoff_s * 2)
    finally:
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)


def _reason(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
