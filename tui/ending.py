"""How a console ends: asks what quitting costs, stops the node once, and leaves when it has ended.

Stopping takes as long as the round does, so the wait is a thread of its own and the screen goes on
drawing. Knows nothing of the terminal: what goes on without one is decided in `tui.session`.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING

from core.errors import WaggleError
from core.incidents import as_bug
from core.texts import _
from tui.node_like import NodeLike
from tui.terminal import TerminalDriver

if TYPE_CHECKING:
    from tui.app import WaggleApp

NOTHING_RUNS = "left"
STOPPED = "stopped"
LOST = "lost"
"""Why a console ended: what `WaggleApp.run` returns."""


class Ending:
    """The way out of one console. Used from the screen's thread."""

    def __init__(self, app: WaggleApp) -> None:
        self._app = app
        self.stopping = False
        """Somebody asked the node to stop."""
        self.ended = False
        """The node ended by itself; the screen stays, and says why."""
        self._stopped = threading.Event()
        self._lost = False
        self._told = False

    def listen(self, driver: TerminalDriver) -> None:
        """A terminal that goes away, and the signals that ask for an end."""
        loop = asyncio.get_running_loop()
        driver.on_lost = self.terminal_lost
        for number, act in ((signal.SIGHUP, self.terminal_lost), (signal.SIGTERM, self.stop_now)):
            signal.signal(number, lambda *_, act=act: loop.call_soon_threadsafe(act))

    @property
    def over(self) -> bool:
        """The node that was asked to stop has done so."""
        return self._stopped.is_set()

    def notice(self) -> None:
        """A worker that ended unasked is closed, so that its last events and its lock are freed.

        Why a node did not start, or ended before it trained at all, is told on a page of its own;
        later there is something to look at, and the verdict says why.
        """
        app, node = self._app, self._app.node
        if node is not None and not (app.starting or self.stopping or self.ended or node.running):
            self.ended = True
            threading.Thread(target=node.close, name="node-close", daemon=True).start()
            if app.state.last_round is None and node.error is not None:
                error = node.error
                app.failure = error if isinstance(error, WaggleError) else as_bug(error)
        if app.failure is not None and not self._told:
            from tui.screens.failure import FailureScreen

            self._told, app.starting = True, ""
            app.push_screen(FailureScreen(app.failure))

    def ask(self) -> None:
        """Say what quitting costs, then do what was answered."""
        from tui.screens.quit import QuitScreen

        app = self._app
        if app.node is None or self.ended:
            app.exit(NOTHING_RUNS if app.node is None else STOPPED)
        elif not isinstance(app.screen, QuitScreen):
            app.push_screen(QuitScreen(), self._answered)

    def _answered(self, answer: str | None) -> None:
        if answer in ("wait", "now"):
            self._stop(now=answer == "now")

    def interrupt(self) -> None:
        """The first asks, the second stops at once."""
        from tui.screens.quit import QuitScreen

        screen = self._app.screen
        if isinstance(screen, QuitScreen):
            screen.action_now()
        elif self.stopping:
            self.stop_now()
        elif (asks := getattr(screen, "ask_leave", None)) is not None:
            asks()  # a page that has something to lose of its own: the first start
        else:
            self.ask()

    def stop_now(self) -> None:
        if self._app.node is None:
            self._app.exit(NOTHING_RUNS)
        else:
            self._stop(now=True)

    def _stop(self, now: bool) -> None:
        node = self._app.node
        if node is None:
            return
        node.stop(now=now)
        if now:
            self._app.notify(_("Stopping now."), markup=False)
        first, self.stopping = not self.stopping, True
        if first:
            threading.Thread(target=self._await, args=(node,), name="node-end").start()

    def _await(self, node: NodeLike) -> None:
        while not node.join(1.0):
            pass
        node.close()
        self._stopped.set()

    def terminal_lost(self) -> None:
        """Hang-up or closed input: leave the screen; `tui.session` decides what goes on."""
        if not self._lost:
            self._lost = True
            self._app.exit(LOST)
