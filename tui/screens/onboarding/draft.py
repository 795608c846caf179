"""What a newcomer has chosen so far, and the settings that follow from it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core import catalogue
from core.schema import EvalSection, LogSection, ModelSection
from core.swarm.invite import Invite

LOCAL = {"solo": 1, "trio": 3}
"""Profiles that run a whole swarm on this machine, and their number of nodes."""


@dataclass(frozen=True)
class Draft:
    """Every step reads and replaces it; going back and forth loses nothing. Holds no secret."""

    profile: str = "solo"
    rpc_url: str = ""
    contract: str = ""
    bootnodes: tuple[str, ...] = ()
    invited: bool = False
    """Joins with the invite, not with the three addresses above."""
    invite_text: str = ""
    invite: Invite | None = None
    invite_settings: tuple[tuple[str, Any], ...] = ()
    """What it sets, by key."""
    peer_id: str = ""
    name: str = ""
    address: str = ""
    model: str = ModelSection.id
    own_model: str = ""
    """A Hugging Face id or path that was typed, kept while another entry is chosen."""
    planned: tuple[tuple[str, str | int], ...] = ()
    """Settings by the memory plan for the model: its recipe, and what makes it fit."""
    eval_every: int = EvalSection.every_rounds
    log_level: str = LogSection.level
    chosen: frozenset[str] = field(default_factory=frozenset)
    """Keys that the person set by hand; the others follow the profile."""

    @property
    def way(self) -> str:
        """The answer to the first question: `invite`, or a profile."""
        return "invite" if self.invited else self.profile

    @property
    def local(self) -> bool:
        return self.profile in LOCAL

    def settings(self) -> dict[str, Any]:
        """Dotted key -> value, only what differs from what the profile says."""
        out: dict[str, Any] = {}
        if not self.local and not self.invited:
            out["chain.rpc_url"] = self.rpc_url
            out["chain.contract"] = self.contract
            out["net.bootnodes"] = list(self.bootnodes)
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
