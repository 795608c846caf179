"""What a tick does: takes in the node's new events, lets the screens draw, counts its bytes."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from core import events
from core.state import NodeState
from tui.log_buffer import LogBuffer
from tui.terminal import Tty
from tui.views import Headline

if TYPE_CHECKING:
    from tui.app import WaggleApp

MAX_EVENTS_PER_TICK = 5_000
METER_S = 5.0
"""Bytes a second are the mean over the last so many seconds, ..."""
RENEWED_S = 2.0
"""... and shown anew no more often than this: the figure itself costs bytes."""


def take(app: WaggleApp) -> None:
    """What the node has emitted since the last time."""
    if app.subscription is not None:
        app.state = folded(app.state, app.subscription, app.log_buffer)
        app.account = account_of(app.state) or app.account


def folded(state: NodeState, subscription: events.Subscription, log: LogBuffer) -> NodeState:
    """`state` with what is new in the subscription; log lines go to `log` as well."""
    from core.fold import fold

    for event in subscription.drain(MAX_EVENTS_PER_TICK):
        state = fold(state, event)
        if isinstance(event, events.LogLine):
            log.add(event)
    return state


def headline(app: WaggleApp) -> Headline:
    """The verdict; of a node that there is not, why."""
    from tui import derive

    if (failure := app.failure) is not None:
        return Headline("down", failure.what, failure.next_step)
    told = derive.headline(app.state, app.clock(), app.starting)
    return app.steady.tell(told, app.clock()) if app.ticking else told


def show(app: WaggleApp) -> None:
    """Let every screen that is in sight draw: a page, and before it the question over it."""
    for screen in reversed(app.screen_stack if app._screen_stack else ()):
        draw = getattr(screen, "show_state", None)
        if draw is not None and screen.is_mounted:
            draw()
        if not screen.is_modal:
            return


def account_of(state: NodeState) -> str | None:
    """The node's account as its chain room tells it; None while it does not."""
    chain = state.services.get("chain")
    return chain.detail if chain is not None and chain.detail.startswith("0x") else None


class Meter:
    """What the console writes to its terminal; None in a test, where there is none."""

    def __init__(self, tty: Tty | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._tty = tty
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque()
        self._renewed = -math.inf
        self.kb_s: float | None = None

    def measure(self) -> None:
        """Called on the tick."""
        if self._tty is None:
            return
        now, marks = self._clock(), self._marks
        marks.append((now, self._tty.written))
        while len(marks) > 1 and marks[1][0] <= now - METER_S:
            marks.popleft()
        since, before = marks[0]
        if now - since >= METER_S and now - self._renewed >= RENEWED_S:
            self._renewed = now
            self.kb_s = round((self._tty.written - before) / 1000 / (now - since), 1)
