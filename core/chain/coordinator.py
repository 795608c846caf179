"""The SwarmCoordinator contract, reached over JSON-RPC and paid for by this node's own account.

Implements `core.protocols.Coordinator`. A transaction is first tried as a call, so that what the
contract refuses costs nothing and is explained; then it is signed here, sent with an explicit
nonce, gas and EIP-1559 fee, and awaited until it is mined. It never repeats a transaction: that is
the outbox's decision.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from core.chain import codec
from core.chain.account import Wallet
from core.chain.contract import SUBMIT_REWARD
from core.chain.contract.refusals import refused
from core.chain.eventlog import EventLog
from core.chain.rpc import Rpc, RpcError
from core.errors import ConfigError, RefusedError, TransientError
from core.protocols import OnSent, Receipt
from core.schema import ChainSection

GWEI = 10**9
DEVNET = "waggle-devnet"
"""What a chain hosted by Waggle calls itself."""
GAS_REGISTER = 400_000
GAS_REWARD = 300_000
GAS_WINNERS = 250_000
GAS_PER_WINNER = 200_000
GAS_BOOTNODES = 100_000
GAS_PER_BOOTNODE = 250_000
RECEIPT_TIMEOUTS = 6
"""Wait for a receipt this many times the deadline of a call."""


class WalletCoordinator:
    """Safe to use from several threads. `account` is the sender's address; `swarm` names the chain
    and the contract, so that rounds of two swarms are never taken for one another."""

    def __init__(
        self, rpc_url: str, contract: str, wallet: Wallet, settings: ChainSection | None = None
    ) -> None:
        """Looks at the chain at once. TransientError when it cannot be reached; RefusedError when
        it is another chain than expected or has no contract at the address."""
        self._settings = settings or ChainSection()
        self._timeout_s = self._settings.call_timeout_s
        self._wallet = wallet
        self._rpc = Rpc(rpc_url, self._timeout_s)
        self._deadline_known = True
        self._fund_lock = threading.Lock()
        self.contract = _checksummed(contract)
        self.account = wallet.address
        self.chain_id = self._quantity("eth_chainId")
        self._check_chain()
        self.swarm = f"{self.chain_id}:{contract.lower()}"
        self.kind = "wallet"
        self.can_submit = True
        self.log = EventLog(self._rpc, self.contract)

    def close(self) -> None:
        self._rpc.close()

    # --- reading ------------------------------------------------------------------------------

    def round_and_stage(self) -> tuple[int, int]:
        """Two calls; the round is read on both sides of the stage when the stage is not 0."""
        while True:
            number, stage = self._round(), self._read("currentStage")[0]
            if stage == 0 or self._round() == number:
                return number, stage

    def _round(self) -> int:
        return int(self._read("currentRound")[0])

    def head(self) -> int:
        return self._quantity("eth_blockNumber")

    def deadline(self) -> float | None:
        """Unix seconds when the clock moves on, where the services of this swarm say so."""
        if not self._deadline_known:
            return None
        try:
            told = self._rpc.call("waggle_clock")
        except RpcError:
            self._deadline_known = False
            return None
        value = told.get("deadline") if isinstance(told, dict) else None
        return float(value) if isinstance(value, (int, float)) else None

    def owner_of(self, peer_id: str) -> str | None:
        owner = self._read("getEoa", [peer_id])[0][0]
        return None if owner == codec.NO_ACCOUNT else _checksummed(owner)

    def has_reward(self, round: int, stage: int, peer_id: str) -> bool:
        return bool(self._read("hasSubmittedRoundStageReward", round, stage, peer_id)[0])

    def has_voted(self, round: int, peer_id: str) -> bool:
        return len(self._read("getVoterVotes", round, peer_id)[0]) > 0

    def counters(self, peer_id: str) -> dict[str, int]:
        return {
            "participation": int(self._read("getVoterVoteCount", peer_id)[0]),
            "wins": int(self._read("getTotalWins", peer_id)[0]),
            "total_reward": int(self._read("getTotalRewards", [peer_id])[0][0]),
            "balance_wei": self._quantity("eth_getBalance", self.account, "latest"),
            "round_cost_wei": self._fees()["maxFeePerGas"] * (GAS_REWARD + GAS_WINNERS),
        }

    def bootnodes(self) -> list[str]:
        return list(self._read("getBootnodes")[0])

    def round_rewards(self, round: int, stage: int, accounts: Sequence[str]) -> list[int]:
        """The reward each account has submitted in one round, summed over its peers."""
        return list(self._read("getRoundStageReward", round, stage, list(accounts))[0])

    def votes(self, round: int, peer_id: str) -> list[str]:
        """The winners that a peer voted for in a round."""
        return list(self._read("getVoterVotes", round, peer_id)[0])

    # --- writing ------------------------------------------------------------------------------

    def register(self, peer_id: str, on_sent: OnSent | None = None) -> Receipt:
        return self._transact(
            "register the peer", GAS_REGISTER, "registerPeer", peer_id, on_sent=on_sent
        )

    def submit_reward(
        self, round: int, stage: int, reward: int, peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        arguments = (round, stage, reward, peer_id)
        return self._transact(
            "submit the reward", GAS_REWARD, SUBMIT_REWARD, *arguments, on_sent=on_sent
        )

    def submit_winners(
        self, round: int, winners: Sequence[str], peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        gas = GAS_WINNERS + GAS_PER_WINNER * len(winners)
        arguments = (round, list(winners), peer_id)
        return self._transact("submit the vote", gas, "submitWinners", *arguments, on_sent=on_sent)

    def add_bootnodes(self, maddrs: Sequence[str]) -> Receipt:
        """RefusedError unless the account has the role of a bootnode manager."""
        gas = GAS_BOOTNODES + GAS_PER_BOOTNODE * len(maddrs)
        return self._transact("publish the bootnode", gas, "addBootnodes", list(maddrs))

    def remove_bootnode(self, index: int) -> Receipt:
        """The last one of the list takes the place of the removed one."""
        gas = GAS_BOOTNODES + GAS_PER_BOOTNODE
        return self._transact("withdraw the bootnode", gas, "removeBootnode", index)

    def _transact(
        self, doing: str, gas: int, function: str, *arguments: Any, on_sent: OnSent | None = None
    ) -> Receipt:
        data = codec.encode(function, *arguments)
        self._eth_call(data, doing)
        with self._wallet.nonce_lock(self._timeout_s):
            try:
                tx_hash = self._send(data, gas)
            except RpcError as error:
                tx_hash = self._send_again(error, data, gas)
        if on_sent is not None:
            on_sent(tx_hash)
        return self._await_receipt(tx_hash, data, doing)

    def receipt(self, tx_hash: str) -> Receipt | None:
        found = self._rpc_call("eth_getTransactionReceipt", tx_hash)
        if not isinstance(found, dict) or found.get("blockNumber") is None:
            return None
        if found.get("status") != "0x1":
            raise RefusedError(f"Transaction {tx_hash} failed", code="Reverted")
        return _receipt(tx_hash, found)

    def _send(self, data: bytes, gas: int) -> str:
        transaction = {
            "chainId": self.chain_id,
            "nonce": self._quantity("eth_getTransactionCount", self.account, "pending"),
            "to": self.contract,
            "value": 0,
            "data": "0x" + data.hex(),
            "gas": gas,
            **self._fees(),
        }
        raw = self._wallet.sign(transaction)
        return "0x" + self._rpc.data("eth_sendRawTransaction", "0x" + raw.hex()).hex()

    def _send_again(self, error: RpcError, data: bytes, gas: int) -> str:
        """After a refusal by the node (not the contract): fund and repeat once, or explain."""
        if "insufficient funds" in error.message.lower():
            if not self._fund():
                raise TransientError(
                    f"Account {self.account} cannot pay for its transactions",
                    f"its balance on chain {self.chain_id} is too small for the gas",
                    f"Send some ether to {self.account}; what is due stays in the outbox",
                ) from error
            try:
                return self._send(data, gas)
            except RpcError as again:
                error = again
        raise TransientError(
            f"The chain at {self._rpc.shown} did not take the transaction",
            error.message,
            "The node asks again later; nothing is sent twice",
        ) from error

    def _fund(self) -> bool:
        """Ask the faucet of a Waggle devnet, here or at the host that invited us; False where the
        chain is another one."""
        with self._fund_lock:
            try:
                if self._rpc.call("web3_clientVersion") != DEVNET:
                    return False
                return self._rpc.call("waggle_fund", self.account) is not None
            except RpcError:
                return False

    def _fees(self) -> dict[str, int]:
        """EIP-1559: twice the base fee, so that a few full blocks do not strand it, and the tip
        that the node suggests; TransientError when even the base fee is beyond the bound."""
        bound = int(self._settings.max_fee_gwei * GWEI)
        block = self._rpc_call("eth_getBlockByNumber", "latest", False)
        try:
            base = int(block["baseFeePerGas"], 16)
        except (KeyError, TypeError, ValueError):
            base = self._quantity("eth_gasPrice")
        try:
            tip = self._rpc.quantity("eth_maxPriorityFeePerGas")
        except RpcError:
            tip = GWEI
        if base + tip > bound:
            raise TransientError(
                "The chain is too expensive now",
                f"a transaction costs {(base + tip) / GWEI:.1f} gwei per gas and chain.max_fee_gwei"
                f" is {self._settings.max_fee_gwei:g}",
                "Wait, or raise chain.max_fee_gwei",
            )
        most = min(bound, 2 * base + tip)
        return {"maxFeePerGas": most, "maxPriorityFeePerGas": min(tip, most)}

    def _await_receipt(self, tx_hash: str, data: bytes, doing: str) -> Receipt:
        deadline = time.monotonic() + RECEIPT_TIMEOUTS * self._timeout_s
        pause = 0.005
        while True:
            receipt = self._rpc_call("eth_getTransactionReceipt", tx_hash)
            if isinstance(receipt, dict) and receipt.get("blockNumber") is not None:
                break
            if time.monotonic() > deadline:
                raise TransientError(
                    f"Transaction {tx_hash} is not mined yet",
                    f"waited {RECEIPT_TIMEOUTS * self._timeout_s:.0f} s for its receipt",
                    "The node asks the coordinator again before it would send it again",
                )
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)
        if receipt.get("status") != "0x1":
            self._eth_call(data, doing)  # says why, when the reason still stands
            raise TransientError(
                f"Transaction {tx_hash} failed",
                "it reverted when it was mined, and would not revert now",
                "The node tries again",
            )
        return _receipt(tx_hash, receipt)

    # --- calls --------------------------------------------------------------------------------

    def _read(self, function: str, *arguments: Any) -> tuple[Any, ...]:
        output = self._eth_call(codec.encode(function, *arguments), f"answer {function}")
        return codec.decode(function, output)

    def _eth_call(self, data: bytes, doing: str) -> bytes:
        message = {"from": self.account, "to": self.contract, "data": "0x" + data.hex()}
        try:
            return self._rpc.data("eth_call", message, "latest")
        except RpcError as error:
            if error.data is not None or error.code == 3:
                raise refused(error.data or b"", doing) from error
            raise self._odd(error) from error

    def _quantity(self, method: str, *params: Any) -> int:
        try:
            return self._rpc.quantity(method, *params)
        except RpcError as error:
            raise self._odd(error) from error

    def _rpc_call(self, method: str, *params: Any) -> Any:
        try:
            return self._rpc.call(method, *params)
        except RpcError as error:
            raise self._odd(error) from error

    def _odd(self, error: RpcError) -> TransientError:
        return TransientError(
            f"The chain at {self._rpc.shown} answered with an error",
            error.message or f"code {error.code}",
            "The node tries again; if it lasts, check chain.rpc_url",
        )

    def _check_chain(self) -> None:
        wanted = self._settings.chain_id
        if wanted and wanted != self.chain_id:
            raise RefusedError(
                f"The chain at {self._rpc.shown} is not the one expected",
                f"its chain id is {self.chain_id}, chain.chain_id is {wanted}",
                "Correct chain.rpc_url or chain.chain_id",
                code="WrongChain",
            )
        try:
            code = self._rpc.data("eth_getCode", self.contract, "latest")
        except RpcError as error:
            raise self._odd(error) from error
        if not code:
            raise RefusedError(
                f"There is no contract at {self.contract}",
                f"chain {self.chain_id} has no code at that address",
                "Correct chain.contract or chain.rpc_url",
                code="NoContract",
            )


def _receipt(tx_hash: str, found: dict[str, Any]) -> Receipt:
    block, gas, price = (
        int(found.get(key) or "0x0", 16) for key in ("blockNumber", "gasUsed", "effectiveGasPrice")
    )
    return Receipt(tx_hash, block, gas, gas * price)


def _checksummed(address: str) -> str:
    from eth_utils.address import is_hex_address, to_checksum_address

    if not is_hex_address(address):
        raise ConfigError(
            f"{address[:64]} is not a contract address",
            "an address is 0x and 40 hex digits",
            "Correct chain.contract",
        )
    return str(to_checksum_address(address))
