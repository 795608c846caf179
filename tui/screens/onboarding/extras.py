"""Step 5: what else the node can do today. Only what works is offered."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.widgets import Label

from core.errors import TransientError, WaggleError
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.card import WARN, Card, card_text
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field
from tui.widgets.lines import Lines

EVALUATION = (
    Choice("0", "Never"),
    Choice("25", "Every 25 rounds"),
    Choice("100", "Every 100 rounds"),
)
LEVELS = (
    Choice("info", "What happens (info)"),
    Choice("debug", "Everything (debug)", note="for finding faults"),
    Choice("warning", "Only what needs attention (warning)"),
)
HUB_S = 15.0


class ExtrasStep(Step):
    NAME = "Extras"
    QUESTION = "Anything else? Nothing here is needed. Tab goes to the next question."

    def fields(self) -> ComposeResult:
        yield Label("Measure the model on held-out tasks", classes="heading", markup=False)
        yield Choices(EVALUATION, str(self.draft.eval_every), self.glyphs, "evaluation", "under")
        yield Label("Write to the log", classes="heading", markup=False)
        yield Choices(LEVELS, self.draft.log_level, self.glyphs, "level", "under")
        yield Label(
            "Hugging Face token, for gated models and for pushing an export",
            classes="heading",
            markup=False,
        )
        yield Field("Token", "", "hf_..., or none", True, "token")
        yield Lines(card_text, id="hub")

    def on_mount(self) -> None:
        self.run_worker(self._known(), exclusive=True, group="hub")

    async def _known(self) -> None:
        from core.training import hub_token

        place = await ask(hub_token.place, HUB_S)
        if place:
            self._card((("token", f"there is one already, in {place}"),))

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
                "Asking the Hugging Face Hub", lambda: hub_token.check(token), HUB_S
            )
        except TransientError as error:
            # A token that nobody has seen is not kept: it would fail later, without a person.
            self.doubt(error, token)
            return self.leave()
        except WaggleError:
            self._card(((WARN, "This token is not kept. Correct it, or empty the field."),))
            raise
        place = await self.change("Keeping the token", lambda: hub_token.keep(token))
        self.query_one("#token", Field).clear()
        may = "may write: gated models, and pushing" if found.writes else "may only read"
        self._card((("token", f"of {found.name}, {may}"), ("kept in", place)))
        return None
