"""The coordinator contract through a login service that signs: RL-Swarm's modal-login, or ours.

Implements `core.protocols.Coordinator`. Reads go to the RPC, as the original's nodes do; the three
submissions go to the service, which knows this node by its ORG_ID. What the service answers is not
taken for more than it is: that something counts is what the coordinator's views say.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from core.chain import receipts
from core.chain.failover import Tell
from core.chain.login_data import LoginData
from core.chain.login_service import LoginService
from core.chain.reading import ChainReader
from core.chain.receipts import Untrue
from core.chain.rpc import RpcError
from core.errors import RefusedError, TransientError
from core.protocols import OnSent, Receipt
from core.schema import ChainSection

SUBMIT_TIMEOUTS = 6
"""The service answers once a submission is mined, so it may take this many deadlines of a call."""


class LoginCoordinator(ChainReader):
    """Safe to use from several threads. `account` is the login's; while nobody says which that is,
    it is empty, or whoever owns the node's peer (a wrong guess is refused at the first reward)."""

    kind = "login"
    can_submit = True

    def __init__(
        self,
        rpc_url: str,
        contract: str,
        login: LoginData,
        peer_id: str,
        settings: ChainSection | None = None,
        tell: Tell | None = None,
    ) -> None:
        """As `ChainReader`. The login service is asked at the first submission only: without it a
        node can still train."""
        super().__init__(rpc_url, contract, settings, login.account, tell)
        self._peer_id = peer_id
        self._timeout_s = self._settings.call_timeout_s
        self._service = LoginService(self._settings.login_url, login, self._timeout_s)
        self._activated = False
        self._closing = threading.Event()

    def close(self) -> None:
        self._closing.set()
        self._service.close()
        super().close()

    def owner_of(self, peer_id: str) -> str | None:
        owner = super().owner_of(peer_id)
        if owner is not None and not self.account and peer_id == self._peer_id:
            self.account = owner
        return owner

    def counters(self, peer_id: str) -> dict[str, int]:
        """A round costs this node nothing: the service pays."""
        return super().counters(peer_id) | {"balance_wei": 0, "round_cost_wei": 0}

    def register(self, peer_id: str, on_sent: OnSent | None = None) -> Receipt:
        """Of a peer that is registered to the login already, too: an answer may have been lost."""
        try:
            return self._submit("register-peer", {"peerId": peer_id}, on_sent)
        except RefusedError as error:
            if error.code != "PeerIdAlreadyRegistered":
                raise
            owner = self.owner_of(peer_id)
            if owner is not None and owner.lower() == self.account.lower():
                return Receipt("")
            raise RefusedError(
                f"Peer {peer_id} is registered to somebody else's account",
                f"it belongs to {owner}, and this login acts for {self.account}",
                "Sign in with the login that registered it, or start with a new identity",
                code=error.code,
            ) from error

    def submit_reward(
        self, round: int, stage: int, reward: int, peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        fields = {"roundNumber": round, "stageNumber": stage, "reward": reward, "peerId": peer_id}
        return self._submit("submit-reward", fields, on_sent)

    def submit_winners(
        self, round: int, winners: Sequence[str], peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        fields = {"roundNumber": round, "winners": list(winners), "peerId": peer_id}
        return self._submit("submit-winner", fields, on_sent)

    def receipt(self, tx_hash: str) -> Receipt | None:
        """None, too, for ever, when the hash is that of a user operation: those have none.

        RefusedError when it failed.
        """
        if not tx_hash:
            return None
        (raw,) = self.ask([("eth_getTransactionReceipt", [tx_hash])]).results
        if isinstance(raw, RpcError):
            raise self.rpc.told(raw)
        try:
            # The service chose the hash: one of something else is its fault and not the RPC's.
            seen = receipts.mined(raw, tx_hash, self.account, self.contract, self.rpc.shown)
        except Untrue:
            return None
        if seen is not None and not seen.ok:
            raise RefusedError(
                f"Transaction {tx_hash} failed",
                f"it reverted in block {seen.receipt.block}",
                "The node asks the coordinator why when it sends it again",
                code="Reverted",
            )
        return None if seen is None else seen.receipt

    def _submit(self, route: str, fields: dict[str, Any], on_sent: OnSent | None) -> Receipt:
        if not self._activated:
            self._service.await_activation(self._timeout_s, self._closing)
            self._activated = True
        try:
            tx_hash = self._service.submit(route, fields, SUBMIT_TIMEOUTS * self._timeout_s)
        except TransientError:
            self._activated = False  # a session ends, and a restarted service forgets: look again
            raise
        if on_sent is not None:
            on_sent(tx_hash)
        return self.receipt(tx_hash) or Receipt(tx_hash)
