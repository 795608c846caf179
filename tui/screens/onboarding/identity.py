"""Step 2: the peer identity. A new one is ready at once; an existing swarm.pem can be imported."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from core.errors import WaggleError
from tui.screens.onboarding import credentials
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.text import clean
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field

CHOICES = (
    Choice("keep", "Use this identity"),
    Choice(
        "import", "Import a swarm.pem", "From another node of yours; this one is kept beside it."
    ),
)


class IdentityStep(Step):
    NAME = "Identity"
    QUESTION = "Who is this node in the swarm?"
    ABOUT = (
        "Others know a node by its peer id, which is made from a private key, and by a name that "
        "follows from it."
    )

    def fields(self) -> ComposeResult:
        yield Static(id="card", markup=False)
        yield Choices(CHOICES, glyphs=self.glyphs, id="identity")
        yield Field("Path of the swarm.pem", "", "~/swarm.pem", id="pem")
        yield Static(
            f"The key is {self.home.identity}. Keep a copy of it in a safe place: whoever has it "
            "is this node, and it cannot be made again.",
            classes="about",
            markup=False,
        )

    async def on_mount(self) -> None:
        self._show()
        self._card("making a key", "")
        if self.draft.peer_id:
            self._card(self.draft.name, self.draft.peer_id)
        else:
            self.run_worker(self._load(), exclusive=True)

    async def _load(self) -> None:
        try:
            await self._ensure()
        except WaggleError as error:
            self._card(str(error), "")

    async def _ensure(self) -> None:
        if not self.draft.peer_id:
            peer_id, name = await asyncio.to_thread(credentials.identity_of, self.home)
            self.draft = replace(self.draft, peer_id=peer_id, name=name)
        self._card(self.draft.name, self.draft.peer_id)

    def _card(self, name: str, peer_id: str) -> None:
        plain = self.glyphs.ascii
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append("name     ", "dim")
        text.append(clean(name, ascii_only=plain), "bold")
        text.append("\npeer id  ", "dim")
        text.append(clean(peer_id, ascii_only=plain))
        for card in self.query("#card").results(Static):
            card.update(text)  # none is there any more when the person has gone on meanwhile

    def on_choices_changed(self) -> None:
        self._show()

    def _show(self) -> None:
        self.query_one("#pem").display = self.query_one(Choices).chosen.id == "import"

    async def accept(self) -> Draft | None:
        choices = self.query_one(Choices)
        if choices.chosen.id == "import":
            source = Path(self.query_one("#pem", Field).value)
            found = await asyncio.to_thread(credentials.import_identity, self.home, source)
            self.draft = replace(self.draft, peer_id=found[0], name=found[1])
            self._card(self.draft.name, self.draft.peer_id)
            choices.index = 0  # shows who the node is now; the next Enter goes on
            return None
        await self._ensure()
        return self.draft
