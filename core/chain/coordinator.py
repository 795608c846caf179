"""The SwarmCoordinator contract, paid for by this node's own account.

Implements `core.protocols.Coordinator`: what each call is for, what gas makes sense for it, and how
the coordinator shows that it happened. Reading is `reading`'s, sending is `sending`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.chain import codec, receipts
from core.chain.account import Wallet
from core.chain.contract import HAS_REWARD, SUBMIT_REWARD
from core.chain.failover import Tell
from core.chain.quoting import Intent
from core.chain.reading import ChainReader
from core.chain.receipts import Untrue
from core.chain.rpc import RpcError
from core.chain.sending import Sender
from core.errors import RefusedError
from core.protocols import OnSent, Receipt
from core.schema import ChainSection

MOST_GAS = 3_000_000
MOST_GAS_PER_ENTRY = 500_000
USUAL_GAS = 400_000
USUAL_GAS_PER_ENTRY = 250_000
"""An entry is a winner of a vote, or a bootnode."""


class WalletCoordinator(ChainReader):
    """Safe to use from several threads. `account` is the sender's address."""

    kind = "wallet"
    can_submit = True

    def __init__(
        self,
        rpc_url: str,
        contract: str,
        wallet: Wallet,
        settings: ChainSection | None = None,
        tell: Tell | None = None,
    ) -> None:
        """As `ChainReader`; StorageError when the account's state folder cannot be used."""
        super().__init__(rpc_url, contract, settings, wallet.address, tell)
        self._sender = Sender(self, wallet, self._settings)
        self._spent = {"reward": self._round_gas // 2, "vote": self._round_gas // 2}

    def close(self) -> None:
        """Whoever waits for a receipt is told to look for it later."""
        self._sender.close()
        super().close()

    def register(self, peer_id: str, on_sent: OnSent | None = None) -> Receipt:
        intent = Intent(
            "register the peer",
            codec.encode("registerPeer", peer_id),
            MOST_GAS,
            USUAL_GAS,
            view=("getEoa", ((peer_id,),)),
            landed=lambda owners: bool(owners[0].lower() == self.account.lower()),
        )
        return self._send(intent, on_sent)

    def submit_reward(
        self, round: int, stage: int, reward: int, peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        intent = Intent(
            "submit the reward",
            codec.encode(SUBMIT_REWARD, round, stage, reward, peer_id),
            MOST_GAS,
            USUAL_GAS,
            view=(HAS_REWARD, (round, stage, peer_id)),
        )
        receipt = self._send(intent, on_sent)
        self._note("reward", receipt)
        return receipt

    def submit_winners(
        self, round: int, winners: Sequence[str], peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        intent = Intent(
            "submit the vote",
            codec.encode("submitWinners", round, list(winners), peer_id),
            MOST_GAS + len(winners) * MOST_GAS_PER_ENTRY,
            USUAL_GAS + len(winners) * USUAL_GAS_PER_ENTRY,
            # A vote without winners leaves nothing that a view could show.
            view=("getVoterVotes", (round, peer_id)) if winners else None,
        )
        receipt = self._send(intent, on_sent)
        self._note("vote", receipt)
        return receipt

    def add_bootnodes(self, maddrs: Sequence[str]) -> Receipt:
        """RefusedError unless the account has the role of a bootnode manager."""
        intent = Intent(
            "publish the bootnode",
            codec.encode("addBootnodes", list(maddrs)),
            MOST_GAS + len(maddrs) * MOST_GAS_PER_ENTRY,
            USUAL_GAS + len(maddrs) * USUAL_GAS_PER_ENTRY,
            once=False,
        )
        return self._send(intent, None)

    def remove_bootnode(self, index: int) -> Receipt:
        """The last one of the list takes the place of the removed one."""
        data = codec.encode("removeBootnode", index)
        intent = Intent("withdraw the bootnode", data, MOST_GAS, USUAL_GAS, once=False)
        return self._send(intent, None)

    def receipt(self, tx_hash: str) -> Receipt | None:
        """None while it is not mined, or when a reorganisation took its block away.

        RefusedError when it failed; TransientError when the RPC does not tell the truth.
        """
        answered = self.ask([("eth_getTransactionReceipt", [tx_hash])])
        (raw,) = answered.results
        if isinstance(raw, RpcError):
            raise self.rpc.told(raw)
        try:
            seen = receipts.mined(raw, tx_hash, self.account, self.contract, answered.by)
        except Untrue as error:
            self.rpc.distrust(answered.by, error)
            raise
        if seen is not None and not seen.ok:
            raise RefusedError(
                f"Transaction {tx_hash} failed",
                f"it reverted in block {seen.receipt.block}",
                "The node asks the coordinator why when it sends it again",
                code="Reverted",
            )
        return None if seen is None else seen.receipt

    def _send(self, intent: Intent, on_sent: OnSent | None) -> Receipt:
        return self._sender.send(intent, self._round_gas, on_sent)

    def _note(self, kind: str, receipt: Receipt) -> None:
        """What this node's own submissions cost says what a round costs."""
        self._spent[kind] = receipt.gas_used
        self._round_gas = sum(self._spent.values())
