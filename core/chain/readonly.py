"""The coordinator for somebody who only looks: no account is needed, and nothing is ever sent."""

from __future__ import annotations

from collections.abc import Sequence

from core.chain.reading import ChainReader
from core.errors import RefusedError
from core.protocols import OnSent, Receipt


class ReadOnlyCoordinator(ChainReader):
    """Every submission is refused with the code ReadOnly."""

    kind = "read-only"
    can_submit = False

    def register(self, peer_id: str, on_sent: OnSent | None = None) -> Receipt:
        raise _refused("register the peer")

    def submit_reward(
        self, round: int, stage: int, reward: int, peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        raise _refused("submit the reward")

    def submit_winners(
        self, round: int, winners: Sequence[str], peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        raise _refused("submit the vote")

    def receipt(self, tx_hash: str) -> Receipt | None:
        """None: it sends nothing, so no transaction is its own."""
        return None


def _refused(doing: str) -> RefusedError:
    return RefusedError(
        f"This node does not {doing}",
        "it only reads the coordinator: chain.coordinator is read-only",
        "Set chain.coordinator to wallet or login to take part; what was trained stays in the"
        " ledger",
        code="ReadOnly",
    )
