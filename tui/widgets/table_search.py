"""The line in which a table is searched; the screen previews every letter."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from tui import keys
from tui.widgets.typed_line import TypedInput

MAX_CHARS = 128


class SearchLine(Horizontal):
    """Hidden until it is opened."""

    KEY_SCOPE = "finding"
    BINDINGS = keys.bindings("finding")
    DEFAULT_CSS = """
    SearchLine {
        height: 1; display: none; padding: 0 1; background: $surface;
        & > Label { color: $primary; }
        & > Input { background: $panel; border: none; height: 1; width: 1fr; padding: 0 1; }
        & > Input:focus { border: none; background: $primary 18%; }
    }
    """

    @dataclass
    class Changed(Message):
        """kept: with Enter. given_up: with Esc."""

        text: str
        kept: bool = False
        given_up: bool = False

    @dataclass
    class Moved(Message):
        """Up and down move in the table while somebody types."""

        rows: int

    def __init__(self, label: str, placeholder: str, restrict: str | None = None) -> None:
        super().__init__()
        self._label = label
        self._placeholder = placeholder
        self._restrict = restrict

    def compose(self) -> ComposeResult:
        yield Label(self._label, markup=False)
        line = TypedInput(
            placeholder=self._placeholder,
            compact=True,
            max_length=MAX_CHARS,
            restrict=self._restrict,
        )
        line.cursor_blink = False
        yield line

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    def open(self, text: str) -> None:
        self.display = True
        self.input.value = text
        self.input.cursor_position = len(text)
        # At once: `focus` waits for a turn, in which the letters of a quick hand would be commands.
        self.screen.set_focus(self.input)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.post_message(self.Changed(event.value))

    def action_keep(self) -> None:
        self._close()
        self.post_message(self.Changed(self.input.value, kept=True))

    def action_clear(self) -> None:
        self._close()
        self.post_message(self.Changed("", given_up=True))

    def action_pass_on(self, rows: int) -> None:
        self.post_message(self.Moved(rows))

    def _close(self) -> None:
        self.display = False
        self.screen.set_focus(None)
