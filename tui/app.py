"""The console: draws a node, hands it commands, and keeps out of its way.

The core never calls the console. On a tick the app drains its subscription, folds what is new into
`NodeState`, and lets the current screen repaint what changed. What is slow (importing the core,
taking the home, reading the journal) happens in daemon threads after the first frame.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.events import AppBlur, AppFocus, Event, InputEvent
from textual.screen import Screen
from textual.signal import Signal

from core import events
from core.away import Away
from core.config import Effective
from core.errors import WaggleError
from core.home import Home
from core.incidents import as_bug
from core.state import NodeState
from tui import keys, terminal, themes
from tui.command_palette import Commands
from tui.draw import Pen
from tui.glyphs import glyphs
from tui.log_buffer import LogBuffer
from tui.node_like import Loader, NodeFactory, NodeLike, make_node, read_history
from tui.palette import palette
from tui.presence import Presence
from tui.text import clean
from tui.views import Headline

if TYPE_CHECKING:
    from tui.screens.charts.desk import Desk

logger = logging.getLogger(__name__)

MAX_EVENTS_PER_TICK = 5_000


class WaggleApp(App[str]):
    """The return value says why it ended: `stopped`, `left` (nothing ran) or `lost` (terminal)."""

    CSS_PATH = "app.tcss"
    TITLE = "Waggle"
    COMMANDS = {Commands}
    BINDINGS = keys.bindings("everywhere")
    COMMAND_PALETTE_DISPLAY = "^p"
    NOTIFICATION_TIMEOUT = 4

    def __init__(
        self,
        home: Home,
        effective: Effective | None,
        *,
        onboarding: bool = False,
        load: Loader | None = None,
        node_factory: NodeFactory = make_node,
        clock: Callable[[], float] = time.time,
        tty: terminal.Tty | None = None,
        ticking: bool = True,
    ) -> None:
        super().__init__(driver_class=terminal.TerminalDriver if tty is not None else None)
        self.home = home
        self.effective = effective
        self.clock = clock
        self.node: NodeLike | None = None
        self.state = NodeState()
        self.log_buffer = LogBuffer()
        self.headline = Headline("starting", "Opening")
        self.stopping = False
        self.account = ""
        self.kb_s: float | None = None
        self.starting = "Starting the node"
        self._onboarding = onboarding
        self._load = load
        self._node_factory = node_factory
        self._tty = tty
        self.ticking = ticking
        self._subscription: events.Subscription | None = None
        self._failure: WaggleError | None = None
        self._stopped = threading.Event()
        self._hangup = False
        self.ended = False
        """The node ended by itself; the screen stays, and says why."""
        self._bytes: tuple[float, int] = (time.monotonic(), 0)
        self._title = ""
        self._presence = Presence(home.look, clock())
        self._away: Away | None = None
        console = effective.config.console if effective is not None else None
        self.ascii = bool(console and console.ascii)
        self.pen = Pen(glyphs(self.ascii), palette({}))
        self.linked_round: float | None = None
        self.round_signal: Signal[float | None] = Signal(self, "linked round")
        """Published when the round that a screen shows changes, for screens that go there too."""
        self._charts_desk: Desk | None = None
        for theme in themes.THEMES:
            self.register_theme(theme)
        wanted = console.theme if console else themes.DEFAULT_THEME
        self._unknown_theme = "" if wanted in self.available_themes else wanted
        self.theme = themes.DEFAULT_THEME if self._unknown_theme else wanted

    # --- life ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.set_class(self.ascii, "-ascii")
        self._renew_pen()
        self.theme_changed_signal.subscribe(self, lambda theme: self._renew_pen())
        terminal.write(self._driver, terminal.SAVE_TITLE)
        if isinstance(self._driver, terminal.TerminalDriver):
            self._driver.on_lost = self.terminal_lost
            signal.signal(signal.SIGHUP, lambda *_: self._from_signal(self.terminal_lost))
            signal.signal(signal.SIGTERM, lambda *_: self._from_signal(self.action_stop_now))
        if self._onboarding:
            from tui.screens.onboarding.screen import OnboardingScreen

            self.push_screen(OnboardingScreen(self.home, self.pen.glyphs))
        else:
            self._open_dashboard()
        if self.ticking:
            hz = self.effective.config.console.refresh_hz if self.effective else 2.0
            self.set_interval(1 / hz, self.tick)
        if self._unknown_theme:
            self.notify(f"There is no theme {clean(self._unknown_theme, 60)}.", markup=False)

    def _from_signal(self, callback: Callable[[], object]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(callback)

    def _open_dashboard(self) -> None:
        from tui.screens.dashboard import Dashboard

        self.tick()
        self.push_screen(Dashboard(self.log_buffer))
        # After the frame: the thread's imports would compete with the first paint.
        self.call_after_refresh(self._start_node)

    async def on_onboarding_screen_finished(self) -> None:
        """Everything is saved: read it back the way every later start will."""
        from core.config import load

        try:
            self.effective = self._load() if self._load else load(home=self.home)
        except WaggleError as error:
            self._fail(error)
            return
        self.pop_screen()
        self._open_dashboard()

    def _start_node(self) -> None:
        threading.Thread(target=self._build_node, name="node-start", daemon=True).start()

    def _build_node(self) -> None:
        """In a thread of its own: history first, then a subscription, then the node."""
        assert self.effective is not None
        try:
            self.state = read_history(self.home)
            self._away = self._presence.opened(self.state, self.home, self.clock())
            node = self._node_factory(self.effective, self.home)
            self._subscription = node.bus.subscribe()
            self.node = node
            node.start()
            self.starting = ""
        except WaggleError as error:
            self._failure = error
        except Exception as error:
            logger.exception("the node did not start")
            self._failure = as_bug(error)

    # --- the tick -----------------------------------------------------------------------------

    def tick(self) -> None:
        """Take what is new, fold it, repaint what changed, and see whether the node has ended."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self.node = None
            self._fail(failure)
            return
        self._fold()
        self._measure()
        if self.node is not None:
            self._presence.tick(self.state, self.clock())
            away, self._away = self._away, None
            self._greet(away)
        if self._stopped.is_set():
            self.exit("stopped")
            return
        self._notice_end()
        from tui import derive

        self.headline = derive.headline(self.state, self.clock(), self.starting)
        self._show_title()
        show = getattr(self.screen, "show_state", None) if self._screen_stack else None
        if show is not None:
            show()

    def _notice_end(self) -> None:
        """A worker that ended unasked is closed, so that its last events and its lock are freed."""
        node = self.node
        if node is None or self.starting or self.stopping or self.ended or node.running:
            return
        self.ended = True
        threading.Thread(target=node.close, name="node-close", daemon=True).start()

    def _fold(self) -> None:
        if self._subscription is None:
            return
        from core.fold import fold

        state = self.state
        for event in self._subscription.drain(MAX_EVENTS_PER_TICK):
            state = fold(state, event)
            if isinstance(event, events.LogLine):
                self.log_buffer.add(event)
        self.state = state
        chain = state.services.get("chain")
        if chain is not None and chain.detail.startswith("0x"):
            self.account = chain.detail

    # --- who is looking -----------------------------------------------------------------------

    async def on_event(self, event: Event) -> None:
        if isinstance(event, AppBlur):
            self._presence.left(self.state, self.clock())
        elif isinstance(event, (InputEvent, AppFocus)) and self.node is not None:
            greeted = self._greet(self._presence.noticed(self.state, self.clock()))
            if greeted and isinstance(event, InputEvent):
                return  # the key that woke the screen must not close the card at once
        await super().on_event(event)

    def _greet(self, away: Away | None) -> bool:
        """Tell what happened, to whom has been away; never over a question or another page."""
        from tui.screens.away import AwayScreen
        from tui.screens.dashboard import Dashboard

        if away is None or not away.worth_telling or not isinstance(self.screen, Dashboard):
            return False
        self.push_screen(AwayScreen(away))
        return True

    def on_unmount(self) -> None:
        if self.node is not None:
            self._presence.closed(self.state, self.clock())

    def _measure(self) -> None:
        """The console's own bytes to the terminal, over five seconds at least."""
        if self._tty is None:
            return
        now, (since, before) = time.monotonic(), self._bytes
        if now - since >= 5:
            self.kb_s = round((self._tty.written - before) / 1000 / (now - since), 1)
            self._bytes = (now, self._tty.written)

    def _show_title(self) -> None:
        round_ = f" round {self.state.round}" if self.state.round is not None else ""
        title = clean(f"waggle: {self.headline.level}{round_ if self.state.running else ''}", 80)
        if title != self._title:
            self._title = title
            terminal.write(self._driver, terminal.title_sequence(title))

    @property
    def enabled_rooms(self) -> tuple[bool, bool]:
        """Whether net and chain are configured at all."""
        if self.effective is None:
            return True, True
        return self.effective.config.net.enabled, self.effective.config.chain.enabled

    # --- commands -----------------------------------------------------------------------------

    def toggle_pause(self) -> None:
        if self.node is None or self.starting:
            self.notify("The node is still starting.", markup=False)
        elif self.state.paused:
            self.node.resume()
            self.notify("Going on.", markup=False)
        else:
            self.node.pause()
            self.notify("Pausing at the end of this round.", markup=False)

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen())

    def action_charts(self) -> None:
        from tui.screens.charts.desk import Desk
        from tui.screens.charts.screen import ChartsScreen

        if self._charts_desk is None:  # window, filter and cursor are as they were left
            self._charts_desk = Desk()
        self.push_screen(ChartsScreen(self._charts_desk))

    def link_round(self, round_: float | None) -> None:
        """Say which round is looked at: charts, logs and rollouts go there together."""
        if round_ != self.linked_round:
            self.linked_round = round_
            self.round_signal.publish(round_)

    def action_logs(self) -> None:
        from tui.screens.logs.screen import LogsScreen

        self.push_screen(LogsScreen())

    def action_logs_at(self) -> None:
        """The log at the round that is looked at; at its end when there is none."""
        from tui.screens.logs.screen import LogsScreen

        self.push_screen(LogsScreen(self.linked_round))

    def action_peers(self) -> None:
        from tui.screens.peers import PeersScreen

        self.push_screen(PeersScreen())

    def action_rewards(self) -> None:
        from tui.screens.rewards import RewardsScreen

        self.push_screen(RewardsScreen(self.home))

    def action_rollouts(self) -> None:
        from tui.screens.rollouts import RolloutsScreen

        self.push_screen(RolloutsScreen())

    async def action_back(self) -> None:
        if len(self.screen_stack) > 2:
            self.pop_screen()
            self.tick()

    def action_ask_quit(self) -> None:
        """`q`: say what it costs, then do what was answered."""
        from tui import derive
        from tui.screens.quit import QuitScreen

        if self.node is None or self.ended:
            self.exit("left" if self.node is None else "stopped")
            return
        if not isinstance(self.screen, QuitScreen):
            cost = derive.stopping_cost(self.state, self.clock())
            self.push_screen(QuitScreen(cost), self._answered)

    def _answered(self, answer: str | None) -> None:
        if answer in ("wait", "now"):
            self._stop(now=answer == "now")

    def action_interrupt(self) -> None:
        """Ctrl+C: the first asks, the second stops at once."""
        from tui.screens.quit import QuitScreen

        if self.stopping or isinstance(self.screen, QuitScreen):
            self.action_stop_now()
        else:
            self.action_ask_quit()

    def action_stop_now(self) -> None:
        if self.node is None:
            self.exit("left")
        else:
            self._stop(now=True)

    def action_leave(self) -> None:
        self.exit("left")

    def action_quit(self) -> Any:
        """Textual's own quit key asks as well."""
        self.action_ask_quit()

    def _stop(self, now: bool) -> None:
        node = self.node
        if node is None:
            return
        node.stop(now=now)
        if now:
            self.notify("Stopping now.", markup=False)
        first, self.stopping = not self.stopping, True
        if first:
            threading.Thread(target=self._await_end, args=(node,), name="node-end").start()

    def _await_end(self, node: NodeLike) -> None:
        while not node.join(1.0):
            pass
        node.close()
        self._stopped.set()

    def terminal_lost(self) -> None:
        """Hang-up or closed input: leave the screen; `tui.session` decides what goes on."""
        if not self._hangup:
            self._hangup = True
            self.exit("lost")

    def _fail(self, error: WaggleError) -> None:
        from tui.screens.failure import FailureScreen

        self.starting = ""
        self.headline = Headline("down", error.what, error.next_step)
        self.push_screen(FailureScreen(error))

    def copy_to_clipboard(self, text: str) -> None:
        """OSC 52, wrapped for tmux and screen; Textual's own is swallowed there."""
        self._clipboard = text
        terminal.write(self._driver, terminal.clipboard_sequence(text))

    def _print(self, text: str, stderr: bool = False) -> None:
        """What Python prints while the screen is up goes to the log, as the descriptors do.

        Textual would drop it, and with it the traceback of a thread that died.
        """
        if self._tty is not None:
            os.write(2 if stderr else 1, text.encode("utf-8", "backslashreplace"))
        else:
            super()._print(text, stderr)

    # --- looks --------------------------------------------------------------------------------

    def _renew_pen(self) -> None:
        from tui.widgets.lines import Lines
        from tui.widgets.log_view import LogView

        self.pen = Pen(glyphs(self.ascii), palette(self.theme_variables))
        for screen in self.screen_stack:
            for block in screen.query(Lines):
                block.redraw()
            for view in screen.query(LogView):
                view.redraw()

    def get_default_screen(self) -> Screen[None]:
        return Screen(id="blank")


def run_console(
    home: Home,
    effective: Effective | None,
    onboarding: bool,
    load: Loader | None = None,
    node_factory: NodeFactory = make_node,
) -> int:
    """Run the console until the person leaves. 0 when the node ended well.

    load: how to read the configuration once onboarding has saved it; default: from the home.
    """
    from tui.session import run_session

    return run_session(home, effective, onboarding, load, node_factory)
