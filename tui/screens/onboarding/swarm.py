"""Step 1: which swarm. One or three nodes here, one for others, or somebody else's."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult

from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices

CHOICES = (
    Choice(
        "solo",
        "Start a swarm on this machine: one node",
        "Trains at once, on a chain of its own; needs no network and no account.",
    ),
    Choice(
        "trio",
        "Start a swarm on this machine: three nodes",
        "One here, two in the background; they train on one another's rollouts.",
    ),
    Choice(
        "invite",
        "Join with an invite",
        "You were given a text that begins with waggle://, or a file with it.",
    ),
    Choice(
        "host",
        "Create a swarm for others",
        "This node runs its chain; at the end you get an invite to hand on.",
    ),
    Choice(
        "join",
        "Connect to a coordinator",
        "You know the address of a chain and of a coordinator contract on it.",
    ),
)


class SwarmStep(Step):
    NAME = "Swarm"
    QUESTION = "Which swarm should this node train in?"
    ABOUT = (
        "A swarm is a group of nodes. Each samples answers to small reasoning tasks with its own "
        "language model, shares them, and learns from its own and the others' answers."
    )

    def fields(self) -> ComposeResult:
        yield Choices(CHOICES, self.draft.way, self.glyphs, id="swarm")

    def leave(self) -> Draft:
        return replace(self.draft, way=self.query_one(Choices).chosen.id)

    async def accept(self) -> Draft | None:
        return self.leave()
