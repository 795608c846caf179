"""A labelled line of input; secrets are never echoed."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label


def first_line(text: str) -> str:
    return text.strip("\r\n").partition("\n")[0]


class SafeInput(Input):
    """An input that takes keys in the order in which they were typed, and whose paste holds no
    control characters: Textual would write an escape sequence to the terminal as it came."""

    pasted: Callable[[str], str] = staticmethod(first_line)
    """What to make of a pasted text of several lines."""

    async def _on_key(self, event: events.Key) -> None:
        """Editing keys act here, not on a way through the screen: letters that came behind them in
        one piece, as over a slow link, would overtake them, and Ctrl+U would delete those."""
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            if await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        text = self.pasted(event.text).replace("\t", " ")
        self.replace("".join(filter(str.isprintable, text)), *sorted(self.selection))


class Field(Horizontal):
    """A label beside an input. `value` is what was typed, without surrounding spaces."""

    DEFAULT_CSS = """
    Field {
        height: 1;
        & > Label { color: $text-muted; width: 22; }
        & > Input { background: $panel; border: none; height: 1; width: 1fr; padding: 0 1; }
        & > Input:focus { border: none; background: $primary 18%; }
    }
    """

    def __init__(
        self,
        label: str,
        value: str = "",
        hint: str = "",
        secret: bool = False,
        id: str = "",
        pasted: Callable[[str], str] | None = None,
    ) -> None:
        """pasted: what to make of a pasted text of several lines; without it only the first one
        is taken."""
        super().__init__(id=id)
        self._pasted = pasted or first_line
        self._label = label
        self._first = value
        self._hint = hint
        self._secret = secret

    def compose(self) -> ComposeResult:
        yield Label(self._label, markup=False)
        # No suggester and no history: a secret must not come back in another field.
        field = SafeInput(self._first, placeholder=self._hint, password=self._secret, compact=True)
        field.pasted = self._pasted
        field.cursor_blink = False  # nothing moves by itself: a blink costs bytes for ever
        yield field

    @property
    def input(self) -> Input:
        return self.query_one(Input)

    @property
    def value(self) -> str:
        return self.input.value.strip()

    def clear(self) -> None:
        self.input.value = ""
