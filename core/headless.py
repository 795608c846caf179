"""A node without a console: `run --headless`, its lines and its signals.

With `--json` standard output carries one event a line and nothing else: the descriptor is taken
away from everybody (libraries, child processes) before the node starts.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import TextIO

from core import children, events, narrate
from core.account.unlock import unlock
from core.config import Effective
from core.home import Home
from core.node import Node

CLOSE_S = 20.0
QUIET = (events.PhaseProgress, events.LogLine)
"""Too frequent for a script: left out of `--json`."""


def run(
    effective: Effective,
    home: Home,
    *,
    rounds: int | None = None,
    as_json: bool = False,
    child: bool = False,
) -> int:
    """Run a node until its rounds are done or it is stopped. 0 when all went well, else 1.

    ConfigError when its account is locked and the passphrase missing or wrong.
    """
    unlocked = unlock(effective, home)
    out = _claim_output()
    node = Node(effective, home, max_rounds=rounds, unlocked=unlocked)
    subscription = node.bus.subscribe()
    _stop_on_signals(node)
    closed = threading.Event()
    if child:
        children.exit_with_parent(then=lambda: _stop_and_wait(node, closed))
    node.start()
    said = _Printer(out, as_json)
    while node.running:
        said.all(subscription.drain())
        subscription.wait(0.2)
    node.close()
    said.all(subscription.drain())
    closed.set()
    if node.error is not None:
        raise node.error
    return 0


def _stop_and_wait(node: Node, closed: threading.Event) -> None:
    """The parent is gone or wants us to end: what is due is still sent, then the process ends."""
    node.stop(now=True)
    closed.wait(CLOSE_S)


def _claim_output() -> TextIO:
    """The real standard output; descriptor 1 then points where 2 points."""
    sys.stdout.flush()
    real = os.dup(1)
    os.set_inheritable(real, False)
    os.dup2(2, 1)
    return os.fdopen(real, "w", encoding="utf-8", errors="backslashreplace", buffering=1)


class _Printer:
    """Writes events as lines; what several threads say at once in the same words is said once."""

    def __init__(self, out: TextIO, as_json: bool) -> None:
        self._out = out
        self._line = _json_line if as_json else narrate.line
        self._last = ""

    def all(self, some: Sequence[events.Event]) -> None:
        for event in some:
            line = self._line(event)
            if line and line != self._last:
                self._out.write(line + "\n")
                self._last = line
        self._out.flush()


def _stop_on_signals(node: Node) -> None:
    """The first Ctrl+C ends at the round boundary; a second one, SIGTERM and SIGHUP at once."""
    asked = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        node.stop(now=asked.is_set() or number != signal.SIGINT)
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handle)


def _json_line(event: events.Event) -> str:
    return "" if isinstance(event, QUIET) else events.to_json(event)
