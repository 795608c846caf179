"""Step 1: which swarm. One or three nodes here, or somebody else's coordinator."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from core.errors import ConfigError
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choice, Choices
from tui.widgets.field import Field

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
        "join",
        "Connect to a coordinator",
        "Join a swarm that somebody else runs; they give you the addresses.",
    ),
)
LATER = "Joining with an invite, and creating a swarm for others to join, come later."


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
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            "The RPC URL is missing or is not an HTTP address",
            "",
            "It looks like http://203.0.113.7:8545",
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


class SwarmStep(Step):
    NAME = "Swarm"
    QUESTION = "Which swarm should this node train in?"
    ABOUT = (
        "A swarm is a group of nodes. Each samples answers to small reasoning tasks with its own "
        "language model, shares them, and learns from its own and the others' answers."
    )

    def fields(self) -> ComposeResult:
        yield Choices(CHOICES, self.draft.profile, self.glyphs, id="swarm")
        with Vertical(id="join"):
            yield Field("RPC URL", self.draft.rpc_url, "http://...", id="rpc")
            yield Field("Coordinator address", self.draft.contract, "0x...", id="contract")
            yield Field(
                "Bootnode multiaddrs",
                " ".join(self.draft.bootnodes),
                "/ip4/.../tcp/.../p2p/...",
                id="bootnodes",
            )
        yield Static(LATER, classes="about", markup=False)

    def on_mount(self) -> None:
        self._show()

    def on_choices_changed(self) -> None:
        self._show()

    def _show(self) -> None:
        self.query_one("#join").display = self.query_one(Choices).chosen.id == "join"

    def _field(self, id: str) -> str:
        return self.query_one(f"#{id}", Field).value

    def leave(self) -> Draft:
        return replace(
            self.draft,
            profile=self.query_one(Choices).chosen.id,
            rpc_url=self._field("rpc"),
            contract=self._field("contract"),
        )

    async def accept(self) -> Draft | None:
        draft = self.leave()
        if not draft.local:
            check_rpc_url(draft.rpc_url)
            check_contract(draft.contract)
            draft = replace(draft, bootnodes=parse_bootnodes(self._field("bootnodes")))
        return draft
