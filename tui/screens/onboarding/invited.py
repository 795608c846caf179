"""Step 1, for somebody with an invite: what it contains is shown before it is joined."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.widgets import Input

from core.errors import WaggleError
from core.swarm import invite, joining
from core.swarm.invite import Invite
from core.texts import _
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.card import WARN, Card, card_text
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.field import Field
from tui.widgets.lines import Lines

READ_TIMEOUT_S = 20.0


def pasted(text: str) -> str:
    """What a paste puts into the field: an invite in one piece, or the first line."""
    return invite.normalised(text) if invite.SCHEME in text else text.strip().partition("\n")[0]


def read_invite(text: str) -> Invite:
    """From the text itself, or from the file that it names. WaggleError."""
    return joining.read(joining.text_of(text))


def _read(text: str) -> tuple[Invite, Card]:
    found = read_invite(text)
    return found, tuple(joining.facts(found))


class InviteStep(Step):
    NAME = _("Join")
    QUESTION = _("Which invite?")
    ABOUT = _(
        "Paste the text that begins with waggle://, all of it; line breaks do no harm. Or give the "
        "path of a file that has it. What is in it is shown before anything is joined."
    )

    @classmethod
    def applies(cls, draft: Draft) -> bool:
        return draft.invited

    def fields(self) -> ComposeResult:
        yield Field(_("Invite"), self.kept("invite"), "waggle://...", id="invite", pasted=pasted)
        yield Lines(card_text, id="card")

    def on_mount(self) -> None:
        self._shown: Invite | None = None

    def on_input_changed(self, event: Input.Changed) -> None:
        self.run_worker(self._look(event.value), exclusive=True, group="invite")

    async def _look(self, text: str) -> None:
        """Show what an invite says, or why it cannot be used, while it is being entered."""
        self._shown = None
        rows: Card = ()
        if text.strip():
            try:
                self._shown, rows = await ask(lambda: _read(text), READ_TIMEOUT_S)
            except WaggleError as error:
                rows = ((WARN, str(error)),)
        self._card(rows)

    def _card(self, rows: Card) -> None:
        for card in self.query("#card").results(Lines):
            card.show(rows)

    async def accept(self) -> Draft | None:
        """Read it again: it may have expired since. Stay when it was not shown yet."""
        text = self.value("invite")
        if self._shown is None:
            self._card(())  # what is wrong is said once, below
        reading = _("Reading the invite")
        found, _card = await self.look(reading, lambda: _read(text), READ_TIMEOUT_S)
        await ask(lambda: joining.require_stranger(found, self.home), READ_TIMEOUT_S)
        if found != self._shown:
            await self._look(text)
            return None
        settings = tuple(joining.settings_of(found, self.home).items())
        return replace(self.with_typed(), invite=found, invite_settings=settings)
