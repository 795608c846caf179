"""Step 5: what else the node can do today. Only what works is offered."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.widgets import Label

from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices

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


class ExtrasStep(Step):
    NAME = "Extras"
    QUESTION = "Anything else?"
    ABOUT = (
        "Nothing here is needed; all of it can be changed later in config.yaml. "
        "Tab goes to the next question."
    )

    def fields(self) -> ComposeResult:
        yield Label("Measure the model on held-out tasks", classes="heading", markup=False)
        yield Choices(EVALUATION, str(self.draft.eval_every), self.glyphs, "evaluation", "under")
        yield Label("Write to the log", classes="heading", markup=False)
        yield Choices(LEVELS, self.draft.log_level, self.glyphs, "level", "under")

    def leave(self) -> Draft:
        every = int(self.query_one("#evaluation", Choices).chosen.id)
        level = self.query_one("#level", Choices).chosen.id
        chosen = self.draft.chosen
        if every != self.draft.eval_every:
            chosen |= {"eval.every_rounds"}
        if level != self.draft.log_level:
            chosen |= {"log.level"}
        return replace(self.draft, eval_every=every, log_level=level, chosen=chosen)

    async def accept(self) -> Draft | None:
        return self.leave()
