"""The line in which the log screen asks for a search or a moment; every letter is told."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from core.logfiles.pattern import MAX_PATTERN
from tui import keys
from tui.widgets.field import SafeInput

MAX_WAITING = 500
"""Keys that may be on their way at once."""


class _Line(SafeInput):
    """Ends at once: keys that are waiting already, as on a slow link, belong to the screen then."""

    async def _on_key(self, event: events.Key) -> None:
        prompt = self.parent
        assert isinstance(prompt, LogPrompt)
        if prompt.display and event.key not in ("enter", "escape"):
            prompt.note(event)
            if event.key in self._bindings.key_to_bindings:
                # Here, not on a way through the screen: letters typed behind it would overtake it.
                event.stop()
                event.prevent_default()
                for binding in self._bindings.get_bindings_for_key(event.key):
                    await self.run_action(binding.action)
            else:
                await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        if not prompt.display:
            self.app.simulate_key(event.key)
        elif event.key == "enter":
            prompt.action_keep()
        else:
            prompt.action_cancel()


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
        self._noted: deque[events.Key] = deque(maxlen=MAX_WAITING)

    def note(self, event: events.Key) -> None:
        """The line had this key; what it does not use itself bubbles on to the screen."""
        self._noted.append(event)

    def take(self, event: events.Key) -> None:
        """A key on its way through the screen: one that was typed after the line was asked for, but
        came before it had the focus, is handed to it."""
        if not any(event is noted for noted in self._noted):
            event.stop()
            self.input.post_message(events.Key(event.key, event.character))

    def compose(self) -> ComposeResult:
        yield Label("", markup=False)
        line = _Line(compact=True, max_length=MAX_PATTERN)
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
        # At once: `focus` waits for a turn, in which the letters of a quick hand would be commands.
        self.screen.set_focus(self.input)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.post_message(self.Changed(self._about, event.value))

    def action_keep(self) -> None:
        self._close(kept=True)

    def action_cancel(self) -> None:
        self._close(kept=False)

    def _close(self, kept: bool) -> None:
        self.display = False
        self.screen.set_focus(None)
        self.post_message(self.Closed(self._about, self.input.value, kept))
