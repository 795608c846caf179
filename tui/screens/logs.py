"""The log on the whole screen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Static

from tui.log_buffer import LogBuffer
from tui.screens.reader import Reader
from tui.widgets.log_view import LogView


class LogsScreen(Reader):
    TITLE_TEXT = "Log"

    def __init__(self, log: LogBuffer, path: str) -> None:
        super().__init__()
        self._log = log
        self._path = path

    def body(self) -> ComposeResult:
        yield LogView(self._log, id="log-full")
        yield Static(self._path, id="log-state", markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.scroller)

    @property
    def scroller(self) -> Widget:
        return self.query_one(LogView)

    def show_state(self) -> None:
        view = self.query_one(LogView)
        view.pull()
        state = f"+{view.behind} lines, End follows" if view.behind else f"all of it: {self._path}"
        self.query_one("#log-state", Static).update(state)
