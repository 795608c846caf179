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
    """Nothing runs behind it; leaving it leaves Waggle."""

    BINDINGS = keys.bindings("failure")

    def __init__(self, error: WaggleError) -> None:
        super().__init__()
        self.error = error

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(Text(clean(self.error.what)), classes="question")
            if self.error.why:
                yield Static(Text(clean(self.error.why)), classes="about")
            if self.error.next_step:
                yield Static(Text(clean(self.error.next_step)), id="cost")
        yield KeyBar("failure")
