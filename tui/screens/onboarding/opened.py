"""Last step of a swarm for others: the invite, to copy or to hand on as a file. Enter starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult

from core import config
from core.errors import WaggleError
from core.home import Home, atomic_write
from core.swarm import hosting, invite_commands, joining
from core.texts import _
from tui import keys
from tui.draw import Pen, line
from tui.screens.onboarding.card import Card, card_text
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.lines import Lines

COPIED = _("The invite is on its way to the clipboard of your terminal.")


@dataclass(frozen=True)
class Made:
    """text: the invite. path: the file that has it as well. lines: what is in it."""

    text: str
    path: Path
    lines: Card


def make(home: Home, address: str, days: int) -> Made:
    """An invite to the swarm of the home's config.yaml; makes its chain when there is none yet.

    WaggleError, StorageError.
    """
    effective = config.load(None, home)
    opening = hosting.plan(effective, home, address)
    text, made = invite_commands.create(effective, home, opening, days)
    path = home.path / "invite.txt"
    head = _("An invite to the Waggle swarm {swarm}. To join: waggle join THIS_FILE")
    atomic_write(path, f"# {head.format(swarm=made.swarm)}\n{text}\n".encode())
    return Made(text, path, tuple(joining.facts(made)))


def made_text(view: Made | WaggleError, width: int, pen: Pen) -> Text:
    if isinstance(view, WaggleError):
        return card_text((("!", str(view)),), width, pen)
    rows = (*view.lines, (_("file"), str(view.path)))
    text = card_text(rows, width, pen)
    text.append("\n\n")
    out = line()
    out.append_text(text)
    room = max(8, width)
    pieces = (view.text[at : at + room] for at in range(0, len(view.text), room))
    out.append("\n".join(pieces), pen.palette.accent)
    return out


class OpenedStep(Step, can_focus=True):
    NAME = _("Invite")
    QUESTION = _("This is the invite: y copies it. Enter starts the node, then others get in.")
    ABOUT = _(
        "Whoever has it can join until it ends; `waggle invite` makes another one at any time."
    )
    BINDINGS = keys.bindings("invite")

    @classmethod
    def applies(cls, draft: Draft) -> bool:
        return draft.way == "host"

    def fields(self) -> ComposeResult:
        yield Lines(made_text, id="card")

    def on_mount(self) -> None:
        self._made: Made | None = None
        self.run_worker(self._make(), exclusive=True)

    async def _make(self) -> None:
        opening = self.draft.opening
        assert opening is not None, "this step is for a swarm that is opened"
        try:
            self._made = await self.change(
                _("Making the swarm's chain and its invite"),
                lambda: make(self.home, opening.address, self.draft.days),
            )
            view: Made | WaggleError = self._made
        except WaggleError as error:
            view = error
        for card in self.query("#card").results(Lines):
            card.show(view)

    def on_click(self) -> None:
        self.action_copy()

    def action_copy(self) -> None:
        if self._made is not None:
            self.app.copy_to_clipboard(self._made.text)
            self.notify(COPIED, markup=False)

    async def accept(self) -> Draft | None:
        return self.draft
