"""A recovery phrase, shown once: to write down, then two of its words are asked for.

It is on this page only, in memory, and nowhere else: no clipboard, no log, no way to see it again.
"""

from __future__ import annotations

import secrets

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from core.texts import _
from tui import keys
from tui.draw import Pen, line
from tui.once import Once
from tui.widgets.field import Field
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines

COLUMNS = 3
SHOWN = _(
    "Write these words on paper, in this order, and keep them away from computers: whoever has "
    "them has the account. They are never shown again."
)
ASKED = _("Only who has written them down gets an account from them.")
WRONG = _("That was not it. Here they are once more: compare every word with your paper.")


def words_text(words: tuple[str, ...], width: int, pen: Pen) -> Text:
    """Down the columns, as one writes them down."""
    rows = -(-len(words) // COLUMNS)
    text = line()
    for row in range(rows):
        text.append("\n" if row else "")
        for number in range(row, len(words), rows):
            text.append(f"{number + 1:>2} ", pen.palette.label)
            text.append(pen.column(words[number], 14), "bold")
    return text


class PhraseScreen(Once, ModalScreen[bool]):
    """True once the person has shown that the words are written down; False for Esc."""

    BINDINGS = keys.bindings("phrase")
    AUTO_FOCUS = ""

    def __init__(self, phrase: str) -> None:
        super().__init__()
        self._words = tuple(phrase.split())
        self._asked: tuple[int, ...] = ()

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(_("Your recovery phrase"), classes="question", markup=False)
            yield Static(SHOWN, id="told", classes="about", markup=False)
            yield Lines(words_text, id="words")
            yield Vertical(id="asked")
        yield KeyBar("phrase")

    def on_mount(self) -> None:
        self.query_one("#words", Lines).show(self._words)

    async def action_next(self) -> None:
        """From the words to the question, and from the answers to the end or back to the words."""
        if not self._asked:
            await self._ask()
        elif self._known():
            self._forget()
            self.dismiss(True)
        else:
            await self._show_again()

    def action_back(self) -> None:
        self._forget()
        self.dismiss(False)

    def ask_leave(self) -> None:
        """Ctrl+C: nothing was made yet, so it is like Esc."""
        self.action_back()

    async def _ask(self) -> None:
        numbers = secrets.SystemRandom().sample(range(len(self._words)), 2)
        self._asked = tuple(sorted(numbers))
        self.query_one("#words").display = False
        self.query_one("#told", Static).update(ASKED)
        fields = [
            Field(_("Word {number}").format(number=number + 1), id=f"word-{number}")
            for number in self._asked
        ]
        await self.query_one("#asked").mount(*fields)
        self.set_focus(fields[0].input)

    def _known(self) -> bool:
        fields = [self.query_one(f"#word-{number}", Field) for number in self._asked]
        given = [field.value.lower() for field in fields]
        return given == [self._words[number] for number in self._asked]

    async def _show_again(self) -> None:
        self._asked = ()
        await self.query_one("#asked").remove_children()
        self.query_one("#told", Static).update(WRONG)
        self.query_one("#words").display = True
        self.set_focus(None)

    def _forget(self) -> None:
        self._words = ()
        self.query_one("#words", Lines).show(())
