"""What a newcomer has chosen so far, and the settings that follow from it. Pure data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core import catalogue
from core.config import Effective, value_of
from core.schema import ChainSection, EvalSection, LogSection, ModelSection, SwarmSection
from core.swarm.hosting import Opening
from core.swarm.invite import Invite

if TYPE_CHECKING:
    from core.account.unlock import Unlocked


def flags_of(effective: Effective) -> tuple[str, ...]:
    """`key=value` of all that was given on the command line."""
    given = [key for key, origin in effective.origins.items() if origin.layer == "flag"]
    return tuple(f"{key}={as_flag(value_of(effective.config, key))}" for key in given)


def as_flag(value: Any) -> str:
    """A value as --set takes it."""
    return value if isinstance(value, str) else json.dumps(value)


LOCAL = {"solo": 1, "trio": 3}
"""Ways that run a whole swarm on this machine, for this machine, and their number of nodes."""
PROFILES = {"solo": "solo", "trio": "trio", "host": "solo", "invite": "join", "join": "join"}
"""Every answer to the first question, and the profile that it starts from."""
DAYS = 30


@dataclass(frozen=True)
class Draft:
    """Every step reads and replaces it; going back and forth loses nothing.

    The two secrets in it, org_id and what opened the account, are in no `repr`.
    """

    way: str = "solo"
    """The answer to the first question: a key of PROFILES."""
    typed: Mapping[str, str] = field(default_factory=dict)
    """Texts of all fields that were left, by step and field."""
    flags: tuple[str, ...] = ()
    """`key=value` as given on the command line, which wins over all that is chosen here."""

    rpc_url: str = ""
    contract: str = ""
    chain_id: int = 0
    """As the chain said; 0 while nobody asked it."""
    bootnodes: tuple[str, ...] = ()
    invite: Invite | None = None
    invite_settings: tuple[tuple[str, Any], ...] = ()
    """What it sets, by key."""
    swarm_name: str = SwarmSection.name
    opening: Opening | None = None
    """Where others reach a swarm that is hosted here."""
    days: int = DAYS
    """How long the invite to it is valid."""

    peer_id: str = ""
    name: str = ""
    address: str = ""
    coordinator: str = ChainSection.coordinator
    """Who submits: wallet, login or read-only."""
    login_url: str = ChainSection.login_url
    login_data: str = ""
    org_id: str = field(default="", repr=False)
    """Typed by hand; empty when it is found by itself."""
    unlocked: Unlocked | None = field(default=None, repr=False)
    """An account that was locked here, opened."""

    model: str = ModelSection.id
    own_model: str = ""
    """A Hugging Face id or path that was typed, kept while another entry is chosen."""
    downloads: bool = False
    """Whether the model must come from the Hugging Face Hub first."""
    planned: tuple[tuple[str, str | int], ...] = ()
    """Settings by the memory plan for the model: its recipe, and what makes it fit."""
    eval_every: int = EvalSection.every_rounds
    log_level: str = LogSection.level
    chosen: frozenset[str] = field(default_factory=frozenset)
    """Keys that the person set by hand; the others follow the profile."""

    @property
    def profile(self) -> str:
        return PROFILES[self.way]

    @property
    def joins(self) -> bool:
        """A swarm that somebody else runs."""
        return self.profile == "join"

    @property
    def invited(self) -> bool:
        return self.way == "invite"

    @property
    def target(self) -> tuple[str, str] | None:
        """(RPC URL, contract) of the coordinator that is joined; None for one hosted here."""
        if self.invited:
            return (self.invite.rpc_url, self.invite.contract) if self.invite else None
        return (self.rpc_url, self.contract) if self.way == "join" else None

    def settings(self) -> dict[str, Any]:
        """Dotted key -> value, only what differs from what the profile says."""
        out: dict[str, Any] = {}
        if self.way == "join":
            out["chain.rpc_url"] = self.rpc_url
            out["chain.contract"] = self.contract
            if self.chain_id:
                out["chain.chain_id"] = self.chain_id
            out["net.bootnodes"] = list(self.bootnodes)
        if self.way == "host":
            if self.swarm_name != SwarmSection.name:
                out["swarm.name"] = self.swarm_name
            out |= dict(self.opening.changes) if self.opening else {}
        if self.joins:
            out |= self._submits()
        if "model.id" in self.chosen:
            out["model.id"] = self.model
            if self.model != ModelSection.id:
                # The profiles' values suit the built-in model only.
                out |= catalogue.defaults_for_others()
                out |= dict(self.planned)
        if "eval.every_rounds" in self.chosen:
            out["eval.every_rounds"] = self.eval_every
        if "log.level" in self.chosen:
            out["log.level"] = self.log_level
        if self.invited:
            out |= dict(self.invite_settings)  # over what would suit another model
        return out

    def _submits(self) -> dict[str, Any]:
        if self.coordinator == ChainSection.coordinator:
            return {}
        out: dict[str, Any] = {"chain.coordinator": self.coordinator}
        if self.coordinator == "login":
            out["chain.login_url"] = self.login_url
            found = {"chain.login_data": self.login_data, "chain.org_id": self.org_id}
            out |= {key: value for key, value in found.items() if value}
        return out
