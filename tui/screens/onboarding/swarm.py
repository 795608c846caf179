"""Step 1: which swarm. One or three nodes here, or somebody else's, by invite or by addresses."""

from __future__ import annotations

import asyncio
import re
import textwrap
from dataclasses import replace
from urllib.parse import urlsplit

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from core.errors import ConfigError, WaggleError
from core.swarm import invite, joining
from core.swarm.invite import Invite
from tui.draw import Pen, line
from tui.screens.onboarding.draft import LOCAL, Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field
from tui.widgets.lines import Lines

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
        "Paste the waggle:// text that its owner gave you, or the path of a file.",
    ),
    Choice(
        "join",
        "Connect to a coordinator",
        "Join a swarm that somebody else runs; they give you the addresses.",
    ),
)


def parse_bootnodes(text: str) -> tuple[str, ...]:
    """One multiaddr or more, separated by spaces or commas. ConfigError names what is wrong."""
    found = tuple(part for part in re.split(r"[\s,]+", text) if part)
    if not found:
        raise ConfigError(
            "The bootnodes are missing", "", "At least one: /ip4/203.0.113.7/tcp/38331/p2p/Qm..."
        )
    for part in found:
        if not re.fullmatch(r"/(ip4|ip6|dns4|dns6|dns)/[^/]+/tcp/\d{1,5}/p2p/\w+", part):
            raise ConfigError(
                f"{part[:80]} is not a bootnode's multiaddr",
                "",
                "It looks like /ip4/203.0.113.7/tcp/38331/p2p/Qm...",
            )
    return found


def check_rpc_url(text: str) -> str:
    for each in text.split(","):
        parts = urlsplit(each.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                "The RPC URL is missing or is not an HTTP address",
                "",
                "It looks like http://203.0.113.7:8545; several have commas between them",
            )
    return text


def check_contract(text: str) -> str:
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise ConfigError(
            "The contract address is missing or not complete",
            "",
            "It is 0x and 40 hexadecimal digits",
        )
    return text


def pasted(text: str) -> str:
    """What a paste puts into the field: an invite in one piece, or the first line."""
    return invite.normalised(text) if invite.SCHEME in text else text.strip().partition("\n")[0]


Card = tuple[tuple[str, str], ...]
"""Rows of (label, text); a lone row without a label is a reason."""


def card_text(rows: Card, width: int, pen: Pen) -> Text:
    text = line()
    for position, (label, value) in enumerate(rows):
        text.append("\n" if position else "")
        if label:
            text.append(f"{label:<12} ", pen.palette.label)
            text.append(pen.fit(pen.safe(value), width - 13))
            continue
        told = f"{pen.glyphs.warn} {pen.safe(value)}"
        text.append("\n".join(textwrap.wrap(told, max(width, 8))), pen.palette.warn)
    return text


class SwarmStep(Step):
    NAME = "Swarm"
    QUESTION = "Which swarm should this node train in?"
    ABOUT = (
        "A swarm is a group of nodes. Each samples answers to small reasoning tasks with its own "
        "language model, shares them, and learns from its own and the others' answers."
    )

    def fields(self) -> ComposeResult:
        yield Choices(CHOICES, self.draft.way, self.glyphs, id="swarm")
        with Vertical(id="invited"):
            yield Field(
                "Invite", self.draft.invite_text, "waggle://...", id="invite", pasted=pasted
            )
            yield Lines(card_text, id="card")
        with Vertical(id="join"):
            yield Field("RPC URL", self.draft.rpc_url, "http://...", id="rpc")
            yield Field("Coordinator address", self.draft.contract, "0x...", id="contract")
            yield Field(
                "Bootnode multiaddrs",
                " ".join(self.draft.bootnodes),
                "/ip4/.../tcp/.../p2p/...",
                id="bootnodes",
            )

    def on_mount(self) -> None:
        self._shown: Invite | None = None
        self._show()

    def on_choices_changed(self) -> None:
        self._show()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input is self.query_one("#invite", Field).input:
            self.run_worker(self._look(event.value), exclusive=True, group="invite")

    def _show(self) -> None:
        chosen = self.query_one(Choices).chosen.id
        self.query_one("#join").display = chosen == "join"
        self.query_one("#invited").display = chosen == "invite"
        for about in self.query(".about"):
            about.display = chosen in LOCAL  # its lines are needed for the fields

    async def _look(self, text: str) -> None:
        """Show what an invite says, or why it cannot be used, while it is being entered."""
        self._shown = None
        rows: Card = ()
        if text.strip():
            try:
                found = await asyncio.to_thread(read_invite, text)
            except WaggleError as error:
                rows = (("", str(error)),)
            else:
                rows = tuple(await asyncio.to_thread(joining.facts, found))
                self._shown = found
        for card in self.query("#card").results(Lines):
            card.show(rows)

    def _field(self, id: str) -> str:
        return self.query_one(f"#{id}", Field).value

    def leave(self) -> Draft:
        way = self.query_one(Choices).chosen.id
        return replace(
            self.draft,
            profile=joining.PROFILE if way == "invite" else way,
            invited=way == "invite",
            invite_text=self._field("invite"),
            rpc_url=self._field("rpc"),
            contract=self._field("contract"),
        )

    async def accept(self) -> Draft | None:
        draft = self.leave()
        if draft.invited:
            return await self._accept_invite(draft)
        if not draft.local:
            check_rpc_url(draft.rpc_url)
            check_contract(draft.contract)
            draft = replace(draft, bootnodes=parse_bootnodes(self._field("bootnodes")))
        return draft

    async def _accept_invite(self, draft: Draft) -> Draft | None:
        """Read it again: it may have expired since. Stay when it was not shown yet."""
        found = await asyncio.to_thread(read_invite, draft.invite_text)
        await asyncio.to_thread(joining.require_stranger, found, self.home)
        if found != self._shown:
            await self._look(draft.invite_text)
            return None
        settings = tuple(joining.settings_of(found, self.home).items())
        return replace(draft, invite=found, invite_settings=settings)


def read_invite(text: str) -> Invite:
    """From the text itself, or from the file that it names. WaggleError."""
    return joining.read(joining.text_of(text))
