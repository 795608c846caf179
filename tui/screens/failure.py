"""A node that could not be started, told in three sentences."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from core.errors import WaggleError
from tui import keys
from tui.text import clean
from tui.widgets.key_bar import KeyBar


class FailureScreen(ModalScreen[None]):
    """Nothing runs behind it, and nothing shows; leaving it leaves Waggle."""

    BINDINGS = keys.bindings("failure")

    def __init__(self, error: WaggleError) -> None:
        super().__init__()
        self.error = error

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(Text(whole(self.error.what)), classes="question")
            if self.error.why:
                yield Static(Text(whole(self.error.why)), classes="about")
            if self.error.next_step:
                yield Static(Text(whole(self.error.next_step)), id="cost")
        yield KeyBar("failure")


def whole(words: str) -> str:
    """A part of an error as a sentence of its own: `one node per home` is a clause elsewhere."""
    text = clean(words).strip()
    first = text.split(" ")[0]
    if first.isalpha():  # neither a path nor the name of a setting
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."
