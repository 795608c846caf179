"""The console: draws a node, hands it commands, and keeps out of its way.

The core never calls the console. On a tick the app drains its subscription, folds what is new into
`NodeState`, and lets the current screen repaint what changed. What is slow (importing the core,
taking the home, reading the journal) happens in daemon threads after the first frame.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.events import Event, InputEvent, Paste
from textual.screen import Screen
from textual.signal import Signal
from textual.timer import Timer

from core import events
from core.config import Effective
from core.errors import WaggleError
from core.home import Home
from core.state import NodeState
from core.texts import _
from tui import copying, doors, keys, looks, pausing, starting, terminal, themes, ticker
from tui.canvas import Canvas
from tui.command_palette import Commands, Palette
from tui.draw import Pen
from tui.ending import Ending
from tui.glyphs import glyphs
from tui.greeting import Greeting
from tui.link import Link
from tui.log_buffer import LogBuffer
from tui.node_like import Loader, NodeFactory, NodeLike, make_node
from tui.notify import Herald
from tui.palette import palette
from tui.steady import Steady
from tui.text import clean
from tui.views import Headline

if TYPE_CHECKING:
    from tui.screens.charts.desk import Desk
    from tui.screens.onboarding.screen import OnboardingScreen


class WaggleApp(App[str]):
    """The return value says why it ended: `stopped`, `left` (nothing ran) or `lost` (terminal)."""

    CSS_PATH = "app.tcss"
    TITLE = "Waggle"
    COMMANDS = {Commands}
    BINDINGS = keys.bindings("everywhere")
    COMMAND_PALETTE_DISPLAY = "^p"
    NOTIFICATION_TIMEOUT = 4
    ALLOW_SELECT = False  # `y` copies; Textual's own fails on a widget that is about to go

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
        self.headline = Headline("starting", _("Opening"))
        self.ending = Ending(self)
        self.meter = ticker.Meter(tty)
        self.canvas = Canvas(self, Link(tty))
        self.account = ""
        self.starting = _("Starting the node")
        self._onboarding = onboarding
        self._load = load
        self.node_factory = node_factory
        self._tty = tty
        self.ticking = ticking
        self._ticks: Timer | None = None
        self.subscription: events.Subscription | None = None
        self.failure: WaggleError | None = None
        """Why there is no node, or none that ever trained."""
        self.steady = Steady()
        self._herald = Herald()
        self.greeting = Greeting(self)
        console = effective.config.console if effective is not None else None
        self.terminal = os.environ.get("TERM", "") if tty is not None else ""
        signs = glyphs(bool(console and console.ascii), self.terminal)
        self.ascii = signs.ascii
        self.pen = Pen(signs, palette({}))
        self.linked_round: float | None = None
        self.round_signal: Signal[float | None] = Signal(self, "linked round")
        """Published when the round that a screen shows changes, for screens that go there too."""
        self.charts_desk: Desk | None = None
        wanted = console.theme if console else themes.DEFAULT_THEME
        self._unknown_theme = "" if looks.take_theme(self, wanted) else wanted

    # --- life ---------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.renew_pen()
        self.theme_changed_signal.subscribe(self, lambda theme: self.renew_pen())
        terminal.write(self._driver, terminal.SAVE_TITLE)
        if isinstance(self._driver, terminal.TerminalDriver):
            self.canvas.connect(self._driver)
            self.ending.listen(self._driver)
        if self._onboarding:
            self.push_screen(doors.first_start(self))
        else:
            self._open_dashboard()
        self.start_ticking()
        if self._unknown_theme:
            told = _("There is no theme {name}.").format(name=clean(self._unknown_theme, 60))
            self.notify(told, markup=False)

    def start_ticking(self) -> None:
        """As often as the configuration says now."""
        if self.ticking:
            hz = self.effective.config.console.refresh_hz if self.effective else 2.0
            if self._ticks is not None:
                self._ticks.stop()
            self._ticks = self.set_interval(1 / hz, self.tick)

    def _open_dashboard(self) -> None:
        from tui.screens.dashboard import Dashboard

        self.tick()
        self.push_screen(Dashboard(self.log_buffer))
        # After the frame: the thread's imports would compete with the first paint.
        self.call_after_refresh(self._start_node)

    def read_config(self) -> Effective:
        """The configuration as it is now on disk, with the flags of this start. ConfigError."""
        return starting.read_config(self.home, self._load)

    async def on_onboarding_screen_finished(self, event: OnboardingScreen.Finished) -> None:
        if not self._onboarding:
            return  # a second Enter on the last step
        error = starting.take_first_config(self, event.unlocked)
        if error is not None:
            self.failure = error
            self.tick()
            return
        self._onboarding = False
        while len(self.screen_stack) > 1:  # the last step, and what is asked over it
            self.pop_screen()
        self._open_dashboard()

    def _start_node(self) -> None:
        starting.start_node(self)

    # --- the tick -----------------------------------------------------------------------------

    def tick(self) -> None:
        """Take what is new, fold it, repaint what changed, and see whether the node has ended."""
        ticker.take(self)
        self.meter.measure()
        if self.ending.over:
            self.exit("stopped")
            return
        self.ending.notice()
        self.headline = ticker.headline(self)
        how = self.effective.config.console.notify if self.effective is not None else "off"
        self._herald.tell(self._driver, self.headline, self.state, how, self.clock())
        ticker.show(self)
        if self.node is not None:
            self.greeting.tick()  # over what is drawn by now

    async def on_event(self, event: Event) -> None:
        typed = isinstance(event, (InputEvent, Paste))
        if typed and (self._exit or not self._screen_stack):
            return  # typed while the screens close: there is nothing left that could take it
        if not self.greeting.noticed(event):
            await super().on_event(event)

    def on_unmount(self) -> None:
        self.greeting.closed()

    @property
    def stopping(self) -> bool:
        return self.ending.stopping

    @property
    def kb_s(self) -> float | None:
        """What the console writes to its terminal."""
        return self.meter.kb_s

    @property
    def enabled_rooms(self) -> tuple[bool, bool]:
        """Whether net and chain are configured at all."""
        if self.effective is None:
            return True, True
        return self.effective.config.net.enabled, self.effective.config.chain.enabled

    # --- commands -----------------------------------------------------------------------------

    def toggle_pause(self) -> None:
        pausing.toggle(self)

    def action_help(self) -> None:
        self.push_screen(doors.help_page(self))

    def action_charts(self) -> None:
        self.push_screen(doors.charts(self))

    def link_round(self, round_: float | None) -> None:
        """Say which round is looked at: charts, logs and rollouts go there together."""
        if round_ != self.linked_round:
            self.linked_round = round_
            self.round_signal.publish(round_)

    def action_logs(self) -> None:
        self.push_screen(doors.logs(self))

    def action_logs_at(self) -> None:
        """The log at the round that is looked at; at its end when there is none."""
        self.push_screen(doors.logs(self, self.linked_round))

    def action_peers(self) -> None:
        self.push_screen(doors.peers(self))

    def action_rewards(self) -> None:
        self.push_screen(doors.rewards(self))

    def action_rollouts(self) -> None:
        self.push_screen(doors.rollouts(self))

    def action_settings(self) -> None:
        self.push_screen(doors.settings(self))

    async def action_back(self) -> None:
        if len(self.screen_stack) > 2:
            self.pop_screen()
            self.tick()

    def action_ask_quit(self) -> None:
        self.ending.ask()

    def action_interrupt(self) -> None:
        self.ending.interrupt()

    def action_stop_now(self) -> None:
        self.ending.stop_now()

    def action_leave(self) -> None:
        self.exit("left")

    async def action_quit(self) -> None:
        """Textual's own quit key asks as well."""
        self.ending.ask()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if self.canvas.draw(renderable):
            self.post_display_hook()
        else:
            super()._display(screen, renderable)

    def action_redraw(self) -> None:
        self.canvas.renew()

    def action_command_palette(self) -> None:
        if not Palette.is_open(self):
            self.push_screen(Palette())

    def copy_to_clipboard(self, text: str) -> None:
        self._clipboard = text
        copying.copy(self, text)

    def _print(self, text: str, stderr: bool = False) -> None:
        """What Python prints while the screen is up goes to the log, as the descriptors do.

        Textual would drop it, and with it the traceback of a thread that died.
        """
        if self._tty is not None:
            os.write(2 if stderr else 1, text.encode("utf-8", "backslashreplace"))
        else:
            super()._print(text, stderr)

    # --- looks --------------------------------------------------------------------------------

    def renew_pen(self) -> None:
        looks.renew(self)

    def get_css_variables(self) -> dict[str, str]:
        named = super().get_css_variables()
        return {"focus": f"{named['primary']} {themes.FOCUS:.0%}", **named}

    def get_default_screen(self) -> Screen[None]:
        return Screen(id="blank")
