"""All logs of the node on the whole screen: follow, search, filter, jump.

Hands keys to the desk and draws its frames; it reads no file itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from core.errors import ConfigError
from core.logfiles.entry import raw_text
from core.logfiles.when import EXAMPLES, when
from core.texts import _
from tui import draw_logs, keys
from tui.screens.logs.desk import Command, Desk
from tui.screens.logs.frame import Frame
from tui.text import clean
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines
from tui.widgets.log_pager import LogPager
from tui.widgets.log_prompt import LogPrompt

if TYPE_CHECKING:
    from tui.app import WaggleApp

SEARCH = _("Search /")
SEARCH_HINT = _("a regular expression: refused|timed out")
MOMENT = _("Go to")
OPENERS = {
    key: command.action
    for command in keys.commands("logs")
    if command.action in ("search", "moment")
    for key in command.keys
}
"""Keys after which what is typed goes into the line."""
PAN = 20
"""Characters that Left and Right move."""


class LogsScreen(Screen[None]):
    KEY_SCOPE = "logs"
    BINDINGS = keys.bindings("logs")
    AUTO_FOCUS = ""

    def __init__(self, round_: float | None = None) -> None:
        """round_: where to begin; at the end when it is None."""
        super().__init__()
        self._round = round_
        self._frame = Frame()
        self._moved = False

    @property
    def waggle(self) -> WaggleApp:
        return cast("WaggleApp", self.app)

    def compose(self) -> ComposeResult:
        yield Lines(draw_logs.head, id="logs-head")
        yield LogPager("logs-rows")
        yield Lines(draw_logs.foot, id="logs-foot")
        yield LogPrompt()
        with Container(id="keys-logs", classes="keys"):
            yield KeyBar("logs")
        with Container(id="keys-asking", classes="keys"):
            yield KeyBar("log line")

    def on_mount(self) -> None:
        self.desk = Desk(self.waggle.home, self._told, self.waggle.ascii)
        self.desk.start()
        self.waggle.round_signal.subscribe(self, self._follow_round)
        if self._round is not None:
            self.show_round(self._round)

    def on_unmount(self) -> None:
        self.desk.close()

    # --- frames -------------------------------------------------------------------------------

    def _told(self) -> None:
        """In the desk's thread: a new frame is there."""
        self.call_later(self._draw)

    def show_state(self) -> None:
        """The look may have changed; lines come by themselves."""
        self._draw()

    def on_screen_resume(self) -> None:
        if not self._pruning:  # a console that closes has nothing left to draw on
            self._draw()

    def _draw(self) -> None:
        if not self.is_mounted or not self.is_current:
            return
        frame = self.desk.frame
        pager = self.query_one(LogPager)
        pager.show(frame.rows, frame.stream_cells, draw_logs.empty(frame, self.waggle.pen))
        self.query_one("#logs-head", Lines).show(frame)
        self.query_one("#logs-foot", Lines).show(frame)
        changed, self._frame = frame.round != self._frame.round, frame
        if changed and self._moved and frame.round is not None:
            self.waggle.link_round(float(frame.round))

    def _do(self, command: Command, moved: bool = True) -> None:
        """moved: the person chose another line, so that other screens may follow."""
        self._moved = moved
        self.desk.do(command)

    # --- rounds -------------------------------------------------------------------------------

    def show_round(self, round_: float) -> None:
        """Go to where the log tells of a round."""
        self._do(lambda desk: desk.go_to_round(round(round_)), moved=False)

    def _follow_round(self, round_: float | None) -> None:
        """Another screen shows a round."""
        if round_ is not None and round_ != self._frame.round:
            self.show_round(round_)

    async def on_key(self, event: events.Key) -> None:
        """Textual sends keys that come in one piece, as on a slow link, to what has the focus
        before the first of them: the line is opened here, and gets what is its own."""
        prompt = self.query_one(LogPrompt)
        if prompt.display:
            prompt.take(event)
        elif event.key in OPENERS:
            event.stop()
            await self.run_action(OPENERS[event.key])

    # --- keys ---------------------------------------------------------------------------------

    async def action_leave(self) -> None:
        if self.desk.frame.filter.pattern is not None:
            self._do(lambda desk: desk.forget_search(), moved=False)
        else:
            await self.waggle.action_back()

    def action_search(self) -> None:
        self.add_class("-asking")
        pattern = self.desk.frame.filter.pattern
        self._do(lambda desk: desk.begin_search(), moved=False)
        self.query_one(LogPrompt).open(
            "search", SEARCH, SEARCH_HINT, pattern.text if pattern else ""
        )

    def action_moment(self) -> None:
        self.add_class("-asking")
        self.query_one(LogPrompt).open("moment", MOMENT, EXAMPLES)

    def on_log_prompt_changed(self, event: LogPrompt.Changed) -> None:
        if event.about == "search":
            self._do(lambda desk: desk.preview(event.text))

    def on_log_prompt_closed(self, event: LogPrompt.Closed) -> None:
        self.remove_class("-asking")
        if event.about == "search":
            if not event.kept:
                self._do(lambda desk: desk.cancel_search(), moved=False)
            elif event.text:
                self._do(lambda desk: desk.preview(event.text))
            else:
                self._do(lambda desk: desk.forget_search(), moved=False)
        elif event.kept and event.text.strip():
            self._go_to(event.text)

    def _go_to(self, text: str) -> None:
        try:
            moment = when(text, self.waggle.clock())
        except ConfigError as error:
            told = str(error)
            self._do(lambda desk: desk.say(told), moved=False)
            return
        if moment.round is not None:
            self._do(lambda desk: desk.go_to_round(moment.round or 0))
        elif moment.time is not None:
            self._do(lambda desk: desk.go_to_time(moment.time or 0.0))

    def action_match(self, step: int) -> None:
        self._do(lambda desk: desk.match(step))

    def action_only(self) -> None:
        self._do(lambda desk: desk.toggle_only())

    def action_level(self, least: int) -> None:
        self._do(lambda desk: desk.level(least))

    def action_stream(self, step: int) -> None:
        self._do(lambda desk: desk.next_stream(step))

    def action_fold(self) -> None:
        self._do(lambda desk: desk.toggle_fold())

    def action_open(self) -> None:
        self._do(lambda desk: desk.window.toggle())

    def action_follow(self) -> None:
        self._do(lambda desk: desk.window.follow(), moved=False)

    def action_start(self) -> None:
        self._do(lambda desk: desk.window.to_start())

    def action_move(self, entries: int) -> None:
        self._do(lambda desk: desk.window.move(entries))

    def action_page(self, pages: int) -> None:
        self._do(lambda desk: desk.window.page(pages))

    def action_pan(self, steps: int) -> None:
        self._do(lambda desk: desk.window.pan_by(steps * PAN))

    def action_copy(self) -> None:
        def copy(desk: Desk) -> None:
            group = desk.window.chosen()
            if group is not None:
                text = raw_text(group)
                self.call_later(self._copied, text)

        self._do(copy, moved=False)

    def _copied(self, text: str) -> None:
        self.waggle.copy_to_clipboard(text)
        self.notify(clean(text, 200, self.waggle.ascii), title=_("Copied"), markup=False)

    # --- mouse --------------------------------------------------------------------------------

    def on_log_pager_resized(self, event: LogPager.Resized) -> None:
        self.desk.resize(event.width, event.height)

    def on_log_pager_rolled(self, event: LogPager.Rolled) -> None:
        rows = event.rows
        self._do(lambda desk: desk.window.scroll(rows))

    def on_log_pager_pointed(self, event: LogPager.Pointed) -> None:
        row = event.row
        self._do(lambda desk: desk.window.click(row))
