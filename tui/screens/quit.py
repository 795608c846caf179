"""The question before quitting, with what quitting now would cost; the cost follows the clock."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from core.texts import _
from tui import keys
from tui.derive_stopping import stopping_cost
from tui.draw import Pen, line
from tui.once import Once
from tui.text import wrap
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines

ASKS = _("Quit Waggle?")
KEYS_WIDTH = 7


class QuitScreen(Once, ModalScreen[str]):
    """Gives back `wait`, `now` or `stay`."""

    BINDINGS = keys.bindings("question")
    AUTO_FOCUS = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(ASKS, classes="question", markup=False)
            yield Lines(cost, id="cost")
            for command in keys.commands("question"):
                yield Answer(command)
        yield KeyBar("question")

    def on_mount(self) -> None:
        self.show_state()

    def show_state(self) -> None:
        """Called on the tick: a round that ends meanwhile is told."""
        app = self.app
        told = stopping_cost(app.state, app.clock())  # type: ignore[attr-defined]
        self.query_one("#cost", Lines).show(told)

    def action_stay(self) -> None:
        self.dismiss("stay")

    def action_wait(self) -> None:
        self.dismiss("wait")

    def action_now(self) -> None:
        self.dismiss("now")


class Answer(Lines):
    """One answer: its key and what it does; a click answers too."""

    def __init__(self, command: keys.Command) -> None:
        super().__init__(answer, classes="answer")
        self._view = command

    def on_click(self) -> None:
        self.app.simulate_key(self._view.keys[0])


def cost(told: str, width: int, pen: Pen) -> Text:
    rows = [row for told_line in told.split("\n") for row in wrap(pen.safe(told_line), width)]
    return Text("\n".join(rows), no_wrap=True, end="")


def answer(command: keys.Command, width: int, pen: Pen) -> Text:
    """The key in a column of its own, the sentence wrapped beside it."""
    text = line()
    sentence = f"{command.title}. {command.description}"
    for number, row in enumerate(wrap(sentence, max(12, width - KEYS_WIDTH))):
        shown = command.shown if number == 0 else ""
        text.append("\n" if number else "")
        text.append(pen.column(shown, KEYS_WIDTH), f"bold {pen.palette.accent}")
        text.append(row)
    return text
