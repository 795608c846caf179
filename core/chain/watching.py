"""Waits for a transaction that is out, until the coordinator itself shows that it happened.

All attempts at its nonce are looked at in one batch, as anyone of them may be mined. Whoever waits
also mends: what a node has lost is sent again, byte for byte, and more is offered for what is
stuck. A receipt counts when it is of this transaction and the contract's state agrees with it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from core.chain import inflight, receipts
from core.chain.account import Wallet
from core.chain.endpoint import Answered
from core.chain.inflight import Attempt, InFlight
from core.chain.quoting import Intent, Quoter
from core.chain.reading import ChainReader
from core.chain.receipts import Mined, Untrue
from core.chain.repair import MOST_WAITING, Repair
from core.chain.rpc import Question, RpcError
from core.errors import RefusedError, TransientError, WaggleError
from core.protocols import OnSent, Receipt
from core.schema import ChainSection

RECEIPT_TIMEOUTS = 6
"""Wait for a receipt this many times the deadline of a call."""
LOCK_TIMEOUTS = 3
LOST_AFTER_S = 5.0
"""A node that does not know a transaction for so long gets it again."""
GONE_POLLS, GONE_AFTER_S = 5, 2.0
"""The account's nonce was used, and no receipt came within this: it was used for something else."""
DISBELIEVED_POLLS = 8
FAILED_POLLS = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 1.0
MAX_ATTEMPTS = 50
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tools:
    """What sending and watching share, for one account and contract."""

    chain: ChainReader
    wallet: Wallet
    store: InFlight
    quoter: Quoter
    repair: Repair
    settings: ChainSection
    closing: threading.Event


class Gone(TransientError):
    """It can never be mined."""


class Watch:
    """Of one intent at one nonce. Used from one thread."""

    def __init__(
        self,
        tools: Tools,
        intent: Intent,
        nonce: int,
        on_sent: OnSent | None,
        in_doubt: bool = False,
    ) -> None:
        """in_doubt: it is not known whether the chain ever got it."""
        self._tools = tools
        self._chain = tools.chain
        self._intent = intent
        self._nonce = nonce
        self._on_sent = on_sent
        self._told: set[str] = set()
        self._stuck: WaggleError | None = None
        self._disbelieved = 0
        self._gone, self._gone_since = 0, 0.0
        self._in_doubt = in_doubt
        self._resent = -LOST_AFTER_S

    def wait(self) -> Receipt:
        """RefusedError or TransientError when it failed; TransientError when it is not mined yet,
        or never will be."""
        patience_s = RECEIPT_TIMEOUTS * self._tools.settings.call_timeout_s
        deadline = time.monotonic() + patience_s
        pause, failures = FIRST_PAUSE_S, 0
        while True:
            rows = self._rows()
            self._tell(rows)
            try:
                found = self._look(rows)
                failures = 0
            except Gone:
                raise
            except TransientError:
                failures += 1
                if failures >= FAILED_POLLS or time.monotonic() > deadline:
                    raise
                found = None
            if found is not None:
                return self._judged(*found)
            if time.monotonic() > deadline:
                raise self._stuck or _not_mined(rows[-1], f"waited {patience_s:.0f} s for it")
            if self._tools.closing.wait(pause):
                raise _not_mined(rows[-1], "the node stops")
            pause = min(LONGEST_PAUSE_S, pause * 1.5)

    def _rows(self) -> list[Attempt]:
        """All attempts, oldest first."""
        key = inflight.key_of(self._chain.contract, self._intent.data)
        rows = [row for row in self._tools.store.at(self._nonce) if row.intent == key]
        if not rows:
            raise Gone(
                f"What was sent to {self._intent.doing} is no longer under way",
                "another process of this account saw how it ended",
                "The node asks the coordinator before it would send it again",
            )
        return rows[-MAX_ATTEMPTS:]

    def _tell(self, rows: Sequence[Attempt]) -> None:
        for row in rows:
            if row.tx_hash not in self._told:
                self._told.add(row.tx_hash)
                if self._on_sent is not None:
                    self._on_sent(row.tx_hash)

    def _look(self, rows: list[Attempt]) -> tuple[Attempt, Mined] | None:
        """One batch about all attempts; the one that was mined, once the coordinator agrees."""
        newest, intent = rows[-1], self._intent
        questions: list[Question] = [
            *(("eth_getTransactionReceipt", [row.tx_hash]) for row in rows),
            ("eth_getTransactionByHash", [newest.tx_hash]),
            ("eth_getTransactionCount", [self._chain.account, "latest"]),
        ]
        if intent.view is not None:
            questions.append(self._chain.question(*intent.view))
        answered = self._chain.ask(questions)
        by_hash, count = answered.results[len(rows)], answered.results[len(rows) + 1]
        latest = self._chain.number("eth_getTransactionCount", count)
        found = self._receipt(rows, answered)
        if found is not None:
            if not found[1].ok or intent.view is None or self._shows(answered):
                return found
            self._disbelieve(found[0], answered)
            return None
        if any(row.block for row in rows):
            log.warning("a reorganisation took back the block of %s", newest.tx_hash)
            self._tools.store.unmined_again(self._nonce)
            self._in_doubt = True
        if self._nonce > latest + MOST_WAITING:
            self._tools.store.forget(rows)
            raise Gone(
                f"Transaction {newest.tx_hash} can never be mined",
                f"its number is {self._nonce} and the account's next one is {latest}: an RPC had"
                " counted wrong",
                "The node sends it again under the right number",
            )
        if latest > self._nonce:
            self._check_gone(rows)
        else:
            self._gone = 0
            self._mend(newest, latest, is_known=by_hash is not None)
        return None

    def _receipt(self, rows: list[Attempt], answered: Answered) -> tuple[Attempt, Mined] | None:
        for row, raw in zip(rows, answered.results, strict=False):
            if isinstance(raw, RpcError):
                raise self._chain.rpc.told(raw)
            try:
                seen = receipts.mined(
                    raw, row.tx_hash, self._chain.account, self._chain.contract, answered.by
                )
            except Untrue as error:
                self._chain.rpc.distrust(answered.by, error)
                raise
            if seen is not None:
                return row, seen
        return None

    def _shows(self, answered: Answered) -> bool:
        assert self._intent.view is not None
        view = self._chain.decoded(answered, self._intent.view, answered.results[-1])
        return self._intent.landed(view[0])

    def _disbelieve(self, row: Attempt, answered: Answered) -> None:
        """For a while only: the nodes behind one address are not all at the same block."""
        self._disbelieved += 1
        if self._disbelieved < DISBELIEVED_POLLS:
            return
        error = TransientError(
            f"The chain at {answered.by} contradicts itself",
            f"it says that {row.tx_hash} succeeded, and the coordinator there does not know of it",
            "The node asks again; if it lasts, take another RPC in chain.rpc_url",
        )
        self._chain.rpc.distrust(answered.by, error)
        raise error

    def _judged(self, row: Attempt, seen: Mined) -> Receipt:
        store = self._tools.store
        if seen.ok:
            store.mined(row.tx_hash, seen.receipt.block)
            return seen.receipt
        store.forget(store.at(row.nonce))
        # Why it reverted: what the contract says now, if that still stands.
        why = self._tools.quoter.refusal(self._intent)
        if isinstance(why, RefusedError):
            raise why
        if seen.receipt.gas_used >= row.gas:
            cause = f"it ran out of gas: {row.gas} was estimated to be enough"
        else:
            cause = "it reverted when it was mined, and would not revert now"
        raise TransientError(f"Transaction {row.tx_hash} failed", cause, "The node tries again")

    def _check_gone(self, rows: list[Attempt]) -> None:
        """The nonce is used, and there is no receipt of ours (yet)."""
        self._gone_since = self._gone_since if self._gone else time.monotonic()
        self._gone += 1
        if self._gone < GONE_POLLS or time.monotonic() - self._gone_since < GONE_AFTER_S:
            return
        self._tools.store.forget(rows)
        raise Gone(
            f"Another transaction of {self._chain.account} took the place of {rows[-1].tx_hash}",
            f"number {self._nonce} of the account was used for something else",
            "The node sends it again under the next number, unless the coordinator has it. Do not"
            " use the account in another wallet or on another machine at the same time",
        )

    def _mend(self, newest: Attempt, latest: int, is_known: bool) -> None:
        """Send again what the node has lost; offer more for what is stuck."""
        age_s, now = inflight.now() - newest.sent, time.monotonic()
        lost = not is_known and (self._in_doubt or min(age_s, now - self._resent) >= LOST_AFTER_S)
        old = age_s >= self._tools.settings.replace_after_s
        if not (lost or old):
            return
        timeout_s = LOCK_TIMEOUTS * self._tools.settings.call_timeout_s
        with self._tools.wallet.nonce_lock(timeout_s):
            if lost:
                self._resent, self._in_doubt = now, False
                self._tools.repair.send_lost_again(latest)
            if old:
                try:
                    self._tools.repair.unstick(latest, self._nonce)
                    self._stuck = None
                except TransientError as error:
                    self._stuck = error


def _not_mined(row: Attempt, why: str) -> TransientError:
    return TransientError(
        f"Transaction {row.tx_hash} is not mined yet",
        why,
        "It is noted and looked for again; nothing is sent twice",
    )
