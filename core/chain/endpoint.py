"""One RPC of several, with what is known of it; and what a batch of questions to one gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.chain.rpc import Rpc
from core.chain.trust import Proof


@dataclass(frozen=True)
class Answered:
    """A batch's results, in order, an RpcError where there is none; and the newest block then.

    by: the RPC that answered, without what is secret of its address.
    """

    results: list[Any]
    head: int
    by: str


@dataclass
class Endpoint:
    """proof: what it showed at `proved` (monotonic seconds); else it must be looked at first.
    height: of its newest answer. away_until: left alone until then, for `why`.
    """

    rpc: Rpc
    proof: Proof | None = None
    proved: float = 0.0
    height: int = 0
    away_until: float = 0.0
    pause_s: float = 0.0
    why: str = ""
