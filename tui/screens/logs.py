"""The log on the whole screen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from tui.log_buffer import MAX_LINES, LogBuffer
from tui.screens.reader import Reader
from tui.widgets.log_view import LogView


class LogsScreen(Reader):
    TITLE_TEXT = "Log"

    def __init__(self, log: LogBuffer, path: str) -> None:
        super().__init__()
        self._log = log
        self._path = path
        self._told = path

    def body(self) -> ComposeResult:
        yield LogView(self._log, id="log-full")
        yield Static(self._path, id="log-state", markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.query_one(LogView))

    def action_line_down(self) -> None:
        self.query_one(LogView).move(1)

    def action_line_up(self) -> None:
        self.query_one(LogView).move(-1)

    def action_follow(self) -> None:
        self.query_one(LogView).action_move(MAX_LINES)
        self.show_state()

    def action_first(self) -> None:
        self.query_one(LogView).action_move(-MAX_LINES)

    def show_state(self) -> None:
        view = self.query_one(LogView)
        view.pull()
        state = f"+{view.behind} lines, End follows" if view.behind else f"all of it: {self._path}"
        if state != self._told:
            self._told = state
            self.query_one("#log-state", Static).update(state)
