"""The line in which the log screen asks for a search or a moment; every letter is told."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from core.logfiles.pattern import MAX_PATTERN
from tui import keys


class LogPrompt(Horizontal):
    """Hidden until it is opened."""

    BINDINGS = keys.bindings("log line")
    DEFAULT_CSS = """
    LogPrompt {
        height: 1; display: none; padding: 0 1; background: $surface;
        & > Label { color: $primary; }
        & > Input { background: $panel; border: none; height: 1; width: 1fr; padding: 0 1; }
        & > Input:focus { border: none; background: $primary 18%; }
    }
    """

    @dataclass
    class Changed(Message):
        about: str
        text: str

    @dataclass
    class Closed(Message):
        """kept: Enter, not Escape."""

        about: str
        text: str
        kept: bool

    def __init__(self) -> None:
        super().__init__()
        self._about = ""

    def compose(self) -> ComposeResult:
        yield Label("", markup=False)
        line = Input(compact=True, max_length=MAX_PATTERN)
        line.cursor_blink = False
        yield line

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    def open(self, about: str, label: str, hint: str, text: str = "") -> None:
        """about: comes back with every message."""
        self._about = about
        self.query_one(Label).update(f"{label} ")
        self.input.placeholder = hint
        self.input.value = text
        self.input.cursor_position = len(text)
        self.display = True
        self.input.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.post_message(self.Changed(self._about, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep()

    def action_keep(self) -> None:
        self._close(kept=True)

    def action_cancel(self) -> None:
        self._close(kept=False)

    def _close(self, kept: bool) -> None:
        self.display = False
        self.screen.set_focus(None)
        self.post_message(self.Closed(self._about, self.input.value, kept))
