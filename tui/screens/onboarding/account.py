"""Step 3: the account that the coordinator knows this node by."""

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
    Choice("keep", "Use this account"),
    Choice("key", "Import a private key", "It is never shown; the old keystore is kept."),
    Choice("keystore", "Import a keystore file", "Ethereum keystore v3, with its password."),
)


class AccountStep(Step):
    NAME = "Account"
    QUESTION = "Which account does the work of this node count for?"
    ABOUT = (
        "Rewards and votes are signed with an Ethereum account. A swarm on this machine has a "
        "chain of its own: its account needs no money and is worth none."
    )

    def fields(self) -> ComposeResult:
        yield Static(id="card", markup=False)
        yield Choices(CHOICES, glyphs=self.glyphs, id="account")
        yield Field("Private key", "", "64 hexadecimal digits", secret=True, id="key")
        yield Field("Keystore file", "", "~/keystore.json", id="keystore")
        yield Field("Its password", secret=True, id="password")
        yield Static(
            f"The keystore is in {self.home.account}. Keep a copy of that folder.",
            classes="about",
            markup=False,
        )

    def on_mount(self) -> None:
        self._show()
        if self.draft.address:
            self._card(self.draft.address)
        else:
            self._card("making an account")
            self.run_worker(self._load(), exclusive=True)

    async def _load(self) -> None:
        try:
            await self._ensure()
        except WaggleError as error:
            self._card(str(error))

    async def _ensure(self) -> None:
        if not self.draft.address:
            address = await asyncio.to_thread(credentials.account_of, self.home)
            self.draft = replace(self.draft, address=address)
        self._card(self.draft.address)

    def _card(self, address: str) -> None:
        text = Text("address  ", "dim", no_wrap=True, overflow="ellipsis")
        text.append(clean(address, ascii_only=self.glyphs.ascii), "bold not dim")
        for card in self.query("#card").results(Static):
            card.update(text)  # none is there any more when the person has gone on meanwhile

    def on_choices_changed(self) -> None:
        self._show()

    def _show(self) -> None:
        chosen = self.query_one(Choices).chosen.id
        self.query_one("#key").display = chosen == "key"
        self.query_one("#keystore").display = chosen == "keystore"
        self.query_one("#password").display = chosen == "keystore"

    async def accept(self) -> Draft | None:
        choices = self.query_one(Choices)
        chosen = choices.chosen.id
        if chosen == "keep":
            await self._ensure()
            return self.draft
        key = self.query_one("#key", Field)
        password = self.query_one("#password", Field)
        if chosen == "key":
            address = await asyncio.to_thread(credentials.import_key, self.home, key.value)
        else:
            path = Path(self.query_one("#keystore", Field).value)
            address = await asyncio.to_thread(
                credentials.import_keystore, self.home, path, password.input.value
            )
        key.clear()
        password.clear()
        self.draft = replace(self.draft, address=address)
        self._card(address)
        choices.index = 0  # shows the address; the next Enter goes on
        return None
