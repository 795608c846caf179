"""The question before the first start is left: nothing runs yet, and what remains of it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from core.texts import _
from tui import keys
from tui.once import Once
from tui.screens.quit import Answer
from tui.widgets.key_bar import KeyBar

COST = _(
    "No node is started. The identity and the account that were made stay in the home folder; "
    "the other answers are forgotten."
)
SAVED = _(
    "No node is started. All of this is saved: the next start goes straight to the dashboard."
)


class LeaveScreen(Once, ModalScreen[bool]):
    """True to leave."""

    BINDINGS = keys.bindings("leaving")

    def __init__(self, saved: bool) -> None:
        super().__init__()
        self._cost = SAVED if saved else COST

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(_("Leave the first start?"), classes="question", markup=False)
            yield Static(self._cost, id="cost", markup=False)
            for command in keys.commands("leaving"):
                yield Answer(command)
        yield KeyBar("leaving")

    def action_stay(self) -> None:
        self.dismiss(False)

    def action_leave(self) -> None:
        self.dismiss(True)

    def ask_leave(self) -> None:
        """A second Ctrl+C does not ask again."""
        self.dismiss(True)
