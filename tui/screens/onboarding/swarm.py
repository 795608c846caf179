"""Step 1: which swarm. One or three nodes here, one for others, or somebody else's."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult

from core.texts import _
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices

CHOICES = (
    Choice(
        "solo",
        _("Start a swarm on this machine: one node"),
        _("Everything runs here and trains at once; needs no network and no account."),
    ),
    Choice(
        "trio",
        _("Start a swarm on this machine: three nodes"),
        _("One here, two in the background; they learn from one another's answers."),
    ),
    Choice(
        "invite",
        _("Join with an invite"),
        _("You were given a text that begins with waggle://, or a file with it."),
    ),
    Choice(
        "host",
        _("Create a swarm for others"),
        _("This machine runs it; at the end you get an invite to hand on to them."),
    ),
    Choice(
        "join",
        _("Connect to a coordinator"),
        _("For those who were given the addresses of a blockchain and its contract."),
    ),
)


class SwarmStep(Step):
    NAME = _("Swarm")
    QUESTION = _("Which swarm should this node train in?")
    ABOUT = _(
        "A swarm is a group of nodes. Each samples answers to small reasoning tasks with its own "
        "language model, shares them, and learns from its own and the others' answers."
    )

    def fields(self) -> ComposeResult:
        yield Choices(CHOICES, self.draft.way, self.glyphs, id="swarm")

    def leave(self) -> Draft:
        return replace(self.draft, way=self.query_one(Choices).chosen.id)

    async def accept(self) -> Draft | None:
        return self.leave()
