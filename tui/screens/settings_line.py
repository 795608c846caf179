"""The line in which a setting is changed or searched; every letter is told to the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from tui import keys
from tui.widgets.typed_line import TypedInput

MAX_CHARS = 8192
"""A list of bootnodes is long."""


class SettingsLine(Horizontal):
    """Hidden until it is opened. `key` is the setting that is changed; empty while searching."""

    BINDINGS = keys.bindings("setting line")
    DEFAULT_CSS = """
    SettingsLine {
        height: 1; display: none; padding: 0 1; background: $surface;
        & > Label { color: $primary; width: auto; max-width: 40%; }
        & > Input { background: $panel; border: none; height: 1; width: 1fr; padding: 0 1; }
        & > Input:focus { border: none; background: $primary 18%; }
    }
    """

    @dataclass
    class Typed(Message):
        """Something else stands there."""

        text: str

    @dataclass
    class Kept(Message):
        """With Enter."""

        text: str

    @dataclass
    class GivenUp(Message):
        """With Esc."""

    @dataclass
    class Closed(Message):
        """Whatever came of it."""

    @dataclass
    class Turned(Message):
        """Up or down, where there are no values to choose from."""

        step: int

    key = ""
    begun = ""
    """What stood there when it was opened."""
    _values: Sequence[str] = ()

    def compose(self) -> ComposeResult:
        yield Label("", markup=False)
        line = TypedInput(compact=True, max_length=MAX_CHARS)
        line.cursor_blink = False
        yield line

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    def open(
        self,
        label: str,
        text: str,
        hint: str,
        key: str = "",
        values: Sequence[str] = (),
        secret: bool = False,
    ) -> None:
        """values: which up and down go through. secret: what is typed is not echoed."""
        self.key, self.begun = key, text
        self._values = values
        self.query_one(Label).update(f"{label} ")
        line = self.input
        line.password = secret
        line.placeholder = hint
        with self.prevent(Input.Changed):
            line.value = text
        line.cursor_position = len(text)
        self.display = True
        # At once: `focus` waits for a turn, in which the letters of a quick hand would be commands.
        self.screen.set_focus(line)

    def close(self) -> None:
        """What was typed is forgotten: it may be a secret."""
        self.display = False
        with self.prevent(Input.Changed):
            self.input.value = ""
        self.input.password = False
        self.screen.set_focus(None)
        self.post_message(self.Closed())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.post_message(self.Typed(event.value))

    def action_keep(self) -> None:
        self.post_message(self.Kept(self.input.value))

    def action_clear(self) -> None:
        self.close()
        self.post_message(self.GivenUp())

    def action_turn(self, step: int) -> None:
        if not self._values:
            self.post_message(self.Turned(step))
            return
        now = self.input.value.strip()
        at = self._values.index(now) + step if now in self._values else 0
        self.input.value = self._values[at % len(self._values)]
        self.input.cursor_position = len(self.input.value)
