"""Step 5: what else the node can do today. Only what works is offered."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.widgets import Label

from core.errors import TransientError, WaggleError
from core.texts import _
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.card import WARN, Card, card_text
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field
from tui.widgets.lines import Lines

EVALUATION = (
    Choice("0", _("Never")),
    Choice("25", _("Every 25 rounds")),
    Choice("100", _("Every 100 rounds")),
)
LEVELS = (
    Choice("info", _("What happens (info)")),
    Choice("debug", _("Everything (debug)"), note=_("for finding faults")),
    Choice("warning", _("Only what needs attention (warning)")),
)
HUB_S = 15.0


class ExtrasStep(Step):
    NAME = _("Extras")
    QUESTION = _("Anything else? Nothing here is needed. Tab goes to the next question.")

    def fields(self) -> ComposeResult:
        yield Label(
            _("Measure progress, on tasks that are never trained on"),
            classes="heading",
            markup=False,
        )
        yield Choices(EVALUATION, str(self.draft.eval_every), self.glyphs, "evaluation", "under")
        yield Label(_("Write to the log"), classes="heading", markup=False)
        yield Choices(LEVELS, self.draft.log_level, self.glyphs, "level", "under")
        yield Label(
            _("Hugging Face token, for gated models and for pushing an export"),
            classes="heading",
            markup=False,
        )
        yield Field(_("Token"), "", _("hf_..., or none"), True, "token")
        yield Lines(card_text, id="hub")

    def on_mount(self) -> None:
        self.run_worker(self._known(), exclusive=True, group="hub")

    async def _known(self) -> None:
        from core.training import hub_token

        place = await ask(hub_token.place, HUB_S)
        if place:
            self._card(((_("token"), _("there is one already, in {place}").format(place=place)),))

    def _card(self, rows: Card) -> None:
        for card in self.query("#hub").results(Lines):
            card.show(rows)

    def leave(self) -> Draft:
        every = int(self.query_one("#evaluation", Choices).chosen.id)
        level = self.query_one("#level", Choices).chosen.id
        chosen = self.draft.chosen
        if every != self.draft.eval_every:
            chosen |= {"eval.every_rounds"}
        if level != self.draft.log_level:
            chosen |= {"log.level"}
        return replace(self.with_typed(), eval_every=every, log_level=level, chosen=chosen)

    async def accept(self) -> Draft | None:
        """Stay once to show whose token it is and what it may do."""
        token = self.secret("token").strip()
        if not token:
            return self.leave()
        from core.training import hub_token

        try:
            found = await self.look(
                _("Asking the Hugging Face Hub"), lambda: hub_token.check(token), HUB_S
            )
        except TransientError as error:
            # A token that nobody has seen is not kept: it would fail later, without a person.
            self.doubt(error, token)
            return self.leave()
        except WaggleError:
            self._card(((WARN, _("This token is not kept. Correct it, or empty the field.")),))
            raise
        place = await self.change(_("Keeping the token"), lambda: hub_token.keep(token))
        self.query_one("#token", Field).clear()
        may = _("may write: gated models, and pushing") if found.writes else _("may only read")
        self._card(
            (
                (_("token"), _("of {owner}, {may}").format(owner=found.name, may=may)),
                (_("kept in"), place),
            )
        )
        return None
