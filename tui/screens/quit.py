"""The question before quitting, with what quitting now would cost."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui import keys
from tui.widgets.key_bar import KeyBar


class QuitScreen(ModalScreen[str]):
    """Gives back `wait`, `now` or `stay`."""

    BINDINGS = keys.bindings("question")

    def __init__(self, cost: str) -> None:
        super().__init__()
        self._cost = cost

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static("Quit Waggle?", classes="question", markup=False)
            yield Static(self._cost, id="cost", markup=False)
            for command in keys.commands("question"):
                yield Answer(command)
        yield KeyBar("question")

    def action_stay(self) -> None:
        self.dismiss("stay")

    def action_wait(self) -> None:
        self.dismiss("wait")

    def action_now(self) -> None:
        self.dismiss("now")


class Answer(Static):
    """One answer: its key and what it does; a click answers too."""

    def __init__(self, command: keys.Command) -> None:
        super().__init__(
            f"{command.shown:7s}{command.title}. {command.description}",
            classes="answer",
            markup=False,
        )
        self._key = command.keys[0]

    def on_click(self) -> None:
        self.app.simulate_key(self._key)
