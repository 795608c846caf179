"""Keeps an account's transactions moving: the next nonce, what a node has lost, what is stuck.

Transactions of an account are mined in the order of their nonces, so one that is missing or too
cheap holds up all later ones, whoever sent them. Every method is called with the nonce's lock held.
"""

from __future__ import annotations

import logging
from typing import Any

from eth_utils.crypto import keccak

from core.chain import fees, inflight
from core.chain.account import Wallet
from core.chain.fees import Bounds, Fee
from core.chain.inflight import Attempt, InFlight
from core.chain.quoting import Quoter
from core.chain.reading import ChainReader
from core.chain.rpc import RpcError, Unreachable
from core.errors import TransientError
from core.schema import ChainSection

MOST_WAITING = 64
"""Nodes keep this many of one account; an RPC that counts more is not believed."""
FILLER_GAS = 21_000
FILLER = "filler"
"""The intent of a transaction that does nothing but use a nonce."""
log = logging.getLogger(__name__)


class Repair:
    """For one account."""

    def __init__(
        self,
        chain: ChainReader,
        wallet: Wallet,
        store: InFlight,
        quoter: Quoter,
        settings: ChainSection,
    ) -> None:
        self._chain = chain
        self._rpc = chain.rpc
        self._wallet = wallet
        self._store = store
        self._quoter = quoter
        self._bounds = Bounds.of(settings)
        self._replace_after_s = settings.replace_after_s
        self._max_replacements = settings.max_replacements

    def next_nonce(self) -> int:
        """The first one that nobody uses, as far as the chain and this user's homes know.

        What a node has lost is sent again first: a new transaction would wait behind it for ever.
        """
        latest, pending = self._nonces()
        rows = self._store.since(latest)
        lost = [row for row in rows if row.nonce >= pending]
        self._send_again(lost[:MOST_WAITING])
        if len(lost) > MOST_WAITING:
            raise TransientError(
                f"The chain lost {len(lost)} transactions of {self._wallet.address}",
                "it went back, or its nodes forgot them",
                f"The first {MOST_WAITING} were just sent again, the others follow",
            )
        taken = {row.nonce for row in rows}
        nonce = max(latest, pending)
        while nonce in taken:
            nonce += 1
        return nonce

    def send_lost_again(self, latest: int) -> None:
        """Hand over everything that is not mined once more, byte for byte."""
        self._send_again(self._store.since(latest)[:MOST_WAITING])

    def unstick(self, latest: int, nonce: int) -> None:
        """The transaction at `nonce` has waited for long. Offer more for the one at `latest`, which
        holds up all others; where nobody has that, fill the gap.

        TransientError, saying why, when nothing can be done.
        """
        rows = self._store.at(latest)
        if not rows:
            self._fill(latest, nonce)
            return
        newest = rows[-1]
        if inflight.now() - newest.sent < self._replace_after_s:
            return
        if len(rows) > self._max_replacements:
            raise TransientError(
                f"Transaction {newest.tx_hash} is stuck",
                f"it was replaced {len(rows) - 1} times, the last time for"
                f" {newest.fee.per_gas / fees.GWEI:.4g} gwei per gas, and is not mined",
                "Wait until the chain is less busy, or raise chain.max_replacements and"
                " chain.max_tip_gwei",
            )
        fee = fees.raised(newest.fee, self._quoter.market(), self._bounds)
        row = self.signed(newest.intent, newest.target, newest.data, newest.gas, fee, latest)
        log.info("replacing %s by %s, which offers more", newest.tx_hash, row.tx_hash)
        self._store.add(row)
        try:
            self._rpc.broadcast(row.raw)
        except Unreachable as error:
            log.info("whether %s is out is not known: %s", row.tx_hash, error)
        except RpcError as error:
            if self.is_known(row):
                return
            if error.trouble.kind not in ("replacement_underpriced", "underpriced"):
                # With those words it stays noted: the next one offers more than this one.
                self._store.forget([row])
            if error.trouble.kind != "nonce_low":  # mined meanwhile
                raise self._rpc.told(error) from error

    def is_known(self, row: Attempt) -> bool:
        """Whether the chain has it, whatever it said when it was handed over. TransientError."""
        results = self._chain.ask(
            [
                ("eth_getTransactionByHash", [row.tx_hash]),
                ("eth_getTransactionReceipt", [row.tx_hash]),
            ]
        ).results
        return any(isinstance(each, dict) for each in results)

    def signed(
        self, intent: str, target: str, data: bytes, gas: int, fee: Fee, nonce: int
    ) -> Attempt:
        transaction: dict[str, Any] = {
            "chainId": self._rpc.chain_id,
            "nonce": nonce,
            **({"to": target} if target else {}),  # a contract that is deployed has none yet
            "value": 0,
            "data": "0x" + data.hex(),
            "gas": gas,
            **fee.fields(),
        }
        raw = self._wallet.sign(transaction)
        tx_hash = "0x" + bytes(keccak(raw)).hex()
        return Attempt(tx_hash, nonce, intent, raw, target, data, gas, fee, inflight.now())

    def _nonces(self) -> tuple[int, int]:
        """(transactions mined, transactions mined or waiting). TransientError."""
        account = self._wallet.address
        answered = self._chain.ask(
            [("eth_getTransactionCount", [account, tag]) for tag in ("latest", "pending")]
        )
        mined, waiting = answered.results
        try:
            latest = self._rpc.as_quantity("eth_getTransactionCount", mined)
            pending = latest
            if not isinstance(waiting, RpcError):  # some RPCs do not tell
                pending = self._rpc.as_quantity("eth_getTransactionCount", waiting)
        except RpcError as error:
            raise self._rpc.told(error) from error
        if pending > latest + MOST_WAITING:
            senseless = TransientError(
                f"The chain at {answered.by} counts transactions that cannot be",
                f"{pending - latest} of {account} are said to wait",
                "Take another RPC in chain.rpc_url, or wait until they are mined",
            )
            self._rpc.distrust(answered.by, senseless)
            raise senseless
        return latest, pending

    def _send_again(self, rows: list[Attempt]) -> None:
        for row in rows:
            try:
                self._rpc.broadcast(row.raw)
                log.info("sent %s once more", row.tx_hash)
            except Unreachable as error:
                log.info("%s could not be sent once more: %s", row.tx_hash, error)
                return
            except RpcError as error:
                kind = error.trouble.kind
                if kind == "insufficient_funds":
                    self._quoter.fund()
                elif kind != "nonce_low":  # that one is mined, or will be found to be gone
                    log.warning("%s was not taken once more: %s", row.tx_hash, error)

    def _fill(self, latest: int, nonce: int) -> None:
        """Use the nonce that is missing below `nonce` for nothing: only so the later ones move."""
        _, pending = self._nonces()
        if pending > latest or nonce - latest > MOST_WAITING:
            raise TransientError(
                "A transaction of this account that the node did not send is stuck",
                f"number {latest} of {self._wallet.address} waits, and all later ones behind it",
                "Speed it up or cancel it in the wallet that sent it; the node waits",
            )
        fee = fees.offer(self._quoter.market(), self._bounds)
        try:
            message = {"from": self._wallet.address, "to": self._wallet.address}
            gas = self._rpc.quantity("eth_estimateGas", message)
        except RpcError:
            gas = FILLER_GAS
        gas = min(gas + gas // 4, 20 * FILLER_GAS)
        row = self.signed(f"{FILLER} {latest}", self._wallet.address, b"", gas, fee, latest)
        log.warning("number %d of the account is missing: %s fills the gap", latest, row.tx_hash)
        self._store.add(row)
        try:
            self._rpc.broadcast(row.raw)
        except (Unreachable, RpcError) as error:
            log.info("%s was not taken: %s", row.tx_hash, error)
