"""Sends a transaction and sees it through: signed, on disk, out, mined, believed.

An intent that is out already (from before a crash, or sent by another home with this account) is
never signed a second time: the one that is out is waited for. The lock on the account's nonce is
held from reading the nonce to handing the transaction over, never while waiting.
"""

from __future__ import annotations

import logging
import threading

from core.chain import fees
from core.chain.account import Wallet
from core.chain.fees import Bounds, Fee
from core.chain.inflight import Attempt, InFlight, key_of
from core.chain.quoting import Intent, Quoter
from core.chain.reading import ChainReader
from core.chain.repair import Repair
from core.chain.rpc import RpcError, Unreachable
from core.chain.watching import LOCK_TIMEOUTS, Tools, Watch
from core.errors import WaggleError
from core.protocols import OnSent, Receipt
from core.schema import ChainSection

TRIES = 4
"""At signing one transaction, while others of the account come in between."""
log = logging.getLogger(__name__)


class Sender:
    """For one account and contract. Safe to use from several threads and processes."""

    def __init__(self, chain: ChainReader, wallet: Wallet, settings: ChainSection) -> None:
        """StorageError when the account's state folder cannot be used."""
        self._chain = chain
        self._wallet = wallet
        self._timeout_s = settings.call_timeout_s
        self._bounds = Bounds.of(settings)
        quoter = Quoter(chain, self._bounds)
        store = InFlight(wallet.state_dir, chain.chain_id, chain.rpc.first_block)
        repair = Repair(chain, wallet, store, quoter, settings)
        self._tools = Tools(chain, wallet, store, quoter, repair, settings, threading.Event())

    def close(self) -> None:
        """Whoever waits for a receipt stops; what is out stays noted."""
        self._tools.closing.set()

    def send(self, intent: Intent, round_gas: int, on_sent: OnSent | None = None) -> Receipt:
        """The receipt, once it is mined and the coordinator shows its effect.

        round_gas: of a usual round, to say how far ether goes. RefusedError for what the contract
        refuses, TransientError for everything that may mend itself, StorageError.
        """
        rows, in_doubt = self._out(intent), True
        if not rows:
            quote = self._tools.quoter.quote(intent, round_gas)
            with self._wallet.nonce_lock(LOCK_TIMEOUTS * self._timeout_s):
                rows = self._out(intent)
                if not rows:
                    row, in_doubt = self._start(intent, quote.gas, quote.fee, round_gas)
                    rows = [row]
        return Watch(self._tools, intent, rows[-1].nonce, on_sent, in_doubt).wait()

    def _out(self, intent: Intent) -> list[Attempt]:
        """The attempts that stand for an intent already, by nonce."""
        rows = self._tools.store.of(key_of(self._chain.contract, intent.data))
        if not intent.once:  # what was mined is done; this is asked for anew
            rows = [row for row in rows if not row.block]
        return sorted(rows, key=lambda row: row.nonce)

    def _start(self, intent: Intent, gas: int, fee: Fee, round_gas: int) -> tuple[Attempt, bool]:
        """Sign, note and hand over; and whether it is in doubt that the chain has it. The nonce's
        lock is held."""
        contract, key = self._chain.contract, key_of(self._chain.contract, intent.data)
        repair, store, quoter = self._tools.repair, self._tools.store, self._tools.quoter
        trouble: WaggleError | None = None
        for _ in range(TRIES):
            row = repair.signed(key, contract, intent.data, gas, fee, repair.next_nonce())
            store.add(row)
            try:
                self._chain.rpc.broadcast(row.raw)
                return row, False
            except Unreachable as error:
                log.info("whether %s is out is not known: %s", row.tx_hash, error)
                return row, True  # whoever watches it finds out
            except RpcError as error:
                if repair.is_known(row):
                    return row, False
                store.forget([row])
                trouble, kind = self._chain.rpc.told(error), error.trouble.kind
            if kind in ("replacement_underpriced", "fee_below_base", "underpriced"):
                now = quoter.market()
                offered = fees.offer(now, self._bounds)
                best = max(offered, fee, key=lambda each: each.per_gas)
                fee = fees.raised(best, now, self._bounds)
            elif kind == "insufficient_funds":
                if not quoter.fund():
                    raise quoter.empty_now(intent, gas * fee.per_gas, round_gas)
            elif kind not in ("nonce_low", "nonce_high"):
                break
        assert trouble is not None
        raise trouble
