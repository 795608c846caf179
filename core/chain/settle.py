"""From confirmed to credited, and back: what a reorganisation took away is found and sent again.

A submission is credited when its receipt is `confirmations` blocks deep and the coordinator itself
still says that it has it. One that the coordinator has lost goes back to be sent. A chain that
makes a block only when somebody sends may stand for days: its head is final after a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from core.chain import ledger_reads as reads
from core.chain import telling
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import ELSEWHERE, REORGANISED, OutboxRow
from core.chain.sender import is_there, receipt_of, was_expected
from core.errors import TransientError
from core.protocols import Coordinator, Receipt

AT_ONCE = 256
"""Rows looked at in one pass, at most."""
LOOK_BACK = 512
STILL_S = 30.0
"""A head that has not moved for so long is not going back either: the slowest public chains make a
block every 12 s."""
ENOUGH = 4
"""After so many credited rows in a row that are still there, older ones are there as well."""


class Settlement:
    """Of one store, peer and swarm. Thread `outbox` only."""

    def __init__(
        self,
        store: LedgerStore,
        emit: telling.Emit,
        peer_id: str,
        confirmations: int,
        progress: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """progress: called for each row that is credited. clock: seconds; tells how long the head
        has stood still."""
        self._store = store
        self._emit = emit
        self._peer_id = peer_id
        self._confirmations = confirmations
        self._progress = progress
        self._clock = clock
        self._head, self._head_since = -1, 0.0

    def settle(self, coordinator: Coordinator) -> int:
        """Credit what is deep enough; how many rows had to go back. TransientError."""
        rows = self._store.ask(reads.confirmed, coordinator.swarm, self._peer_id, 0, AT_ONCE)
        if not rows:
            return 0
        head = coordinator.head()
        if head != self._head:
            self._head, self._head_since = head, self._clock()
        still = self._clock() - self._head_since >= STILL_S
        depth = 1 if still else self._confirmations
        lost = [row for row in rows if not self._holds(coordinator, row, head, depth)]
        return self._take_back(lost)

    def look_back(self, coordinator: Coordinator) -> int:
        """Whether the newest credited rows are still there, as they are unless the chain was
        replaced by an older copy of itself; how many had to go back. A few questions if all is
        well."""
        mine = (coordinator.swarm, self._peer_id)
        lost: list[OutboxRow] = []
        there = 0
        for row in self._store.ask(reads.newest_credited, *mine, LOOK_BACK):
            if is_there(coordinator, row):
                there += 1
            else:
                lost.append(row)
                there = 0
            if there == ENOUGH:
                break
        return self._take_back(lost)

    def _holds(self, coordinator: Coordinator, row: OutboxRow, head: int, depth: int) -> bool:
        """False when the coordinator has it no more. depth: in blocks, that is enough."""
        if not row.block:  # nobody told its block: it was there by now
            self._store.confirm(row, _seen(row, head), row.code)
            return True
        if row.block <= head < row.block + depth - 1:
            return True
        there = is_there(coordinator, row)
        receipt = receipt_of(coordinator, row)
        if not there:
            return receipt is not None  # two answers that do not fit: ask again later
        if receipt is not None and receipt.block not in (0, row.block):
            telling.row(self._emit, self._store.confirm(row, receipt))
        elif receipt is None and was_expected(coordinator, row) and row.code != ELSEWHERE:
            seen = Receipt("", head)
            telling.row(self._emit, self._store.confirm(row, seen, ELSEWHERE))
        elif head >= row.block:
            telling.row(self._emit, self._store.credit(row))
            self._progress()
        return True

    def _take_back(self, rows: list[OutboxRow]) -> int:
        if not rows:
            return 0
        error = TransientError(
            f"The chain went back and lost {_many(rows)}",
            "a reorganisation, or an older copy of the chain, took their blocks away",
            "Nothing to do: they are looked for, and sent again if they do not come back",
        )
        for row in rows:
            back = self._store.take_back(row, str(error), REORGANISED)
            telling.row(self._emit, back)
        telling.trouble(self._emit, error, rows[0].round)
        return len(rows)


def _seen(row: OutboxRow, head: int) -> Receipt:
    return Receipt(row.tx_hash, head, row.gas_used, row.fee_wei)


def _has_receipts(coordinator: Coordinator) -> bool:
    """A login service may give the hash of a user operation, which has none."""
    return coordinator.kind == "wallet"


def _many(rows: list[OutboxRow]) -> str:
    return "a submission" if len(rows) == 1 else f"{len(rows)} submissions"
