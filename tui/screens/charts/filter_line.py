"""The line in which charts are filtered; the screen previews every letter."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from core.texts import _
from tui import keys
from tui.charting.filtering import MAX_PATTERN
from tui.widgets.field import SafeInput


class FilterLine(Horizontal):
    """Hidden until it is opened."""

    BINDINGS = keys.bindings("filter")
    DEFAULT_CSS = """
    FilterLine {
        height: 1; display: none; padding: 0 1; background: $surface;
        & > Label { color: $primary; }
        & > Input { background: $panel; border: none; height: 1; width: 1fr; padding: 0 1; }
        & > Input:focus { border: none; background: $primary 18%; }
    }
    """

    @dataclass
    class Changed(Message):
        """closed: the person is done."""

        pattern: str
        closed: bool = False

    def compose(self) -> ComposeResult:
        yield Label(_("Filter /") + " ", markup=False)
        line = SafeInput(
            placeholder=_("a regular expression: reward|loss"), compact=True, max_length=MAX_PATTERN
        )
        line.cursor_blink = False
        yield line

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    def open(self, pattern: str) -> None:
        self.display = True
        self.input.value = pattern
        self.input.cursor_position = len(pattern)
        self.input.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.post_message(self.Changed(event.value))

    def action_keep(self) -> None:
        self._close(self.input.value)

    def action_clear(self) -> None:
        self._close("")

    def _close(self, pattern: str) -> None:
        self.display = False
        self.screen.set_focus(None)
        self.post_message(self.Changed(pattern, closed=True))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep()
