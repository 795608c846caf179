"""Brings one row of the outbox to the coordinator, exactly once.

Before a row is sent the coordinator is asked whether it has it, and whether the round has come;
the hash of its transaction is on disk before its receipt is waited for. So a lost answer, a crash
at any step, or a second start ends in a confirmation and never in a second submission (the
contract refuses one as well).

What the contract refuses by a name that will not change is final. What may mend itself is tried
again for ever, and a refusal that nobody can name is tried for some hours before it counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from core.chain import line, telling
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import ELSEWHERE, OutboxRow
from core.errors import RefusedError, StorageError, TransientError, WaggleError
from core.protocols import Coordinator, Receipt

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 600.0
"""Of a row that has to wait for itself; the line to the chain has its own."""
MAX_DOUBTS = 24
"""Refusals without a name that is known, in a row, until one counts: about three hours."""

ALREADY_THERE = {"RewardAlreadySubmitted", "WinnerAlreadyVoted"}
FINAL = {"InvalidStageNumber", "InvalidVote"}
"""Of the contract's errors, those that will be the same tomorrow."""
NOT_OURS = "InvalidVoterPeerId"
NOT_YET = "InvalidRoundNumber"
OF_THE_LINE = {"ReadOnly", "WrongChain", "NoContract"}
"""Codes that concern every row alike."""

log = logging.getLogger(__name__)


class Sender:
    """Sends rows of one store. Thread `outbox` only."""

    def __init__(self, store: LedgerStore, emit: telling.Emit, on_stranger: Callable[[], None]):
        """on_stranger: called when the contract does not take this peer id from this account."""
        self._store = store
        self._emit = emit
        self._on_stranger = on_stranger
        self._doubled = False
        self.heard = False
        """Whether the coordinator has answered anything since somebody set it back."""

    def send(self, coordinator: Coordinator, row: OutboxRow) -> OutboxRow:
        """One attempt; the row as it is now. It is open still when it has to wait for itself.

        TransientError, or RefusedError, for what stands in the way of all rows.
        """
        there = self.found(coordinator, row)
        if there is not None:
            return there
        now = coordinator.round_and_stage()
        if (row.round, row.stage) > now:
            return self._put_off(row, "pending", _not_reached(row, now), code=NOT_YET)
        row = telling.row(self._emit, self._store.sending(row))
        try:
            receipt = self._submit(coordinator, row)
        except RefusedError as error:
            return self._refused(coordinator, row, error)
        except TransientError as error:
            row = self._as_stored(row)
            self._put_off(row, "sent" if row.hashes else "pending", error, time.time())
            raise
        return telling.row(self._emit, self._store.confirm(row, receipt))

    def found(self, coordinator: Coordinator, row: OutboxRow) -> OutboxRow | None:
        """The row, confirmed, if the coordinator has it already; None if not."""
        there = is_there(coordinator, row)
        self.heard = True
        if not there:
            return None
        receipt = receipt_of(coordinator, row)
        if receipt is not None:
            return telling.row(self._emit, self._store.confirm(row, receipt))
        # No transaction of ours did it. If this node sent it and knows no hash, or one that has no
        # receipt (a login service's), an answer was lost; else another machine brought it.
        knows = coordinator.kind == "wallet" and bool(row.hashes)
        ours = row.attempts > 0 and not knows
        seen = Receipt(row.tx_hash if ours else "", coordinator.head())
        if not ours and row.kind != "register" and not self._doubled:
            self._doubled = True  # told once; each row says it for itself
            telling.trouble(self._emit, _doubled(row), row.round, "warning")
        return telling.row(self._emit, self._store.confirm(row, seen, "" if ours else ELSEWHERE))

    def _submit(self, coordinator: Coordinator, row: OutboxRow) -> Receipt:
        def on_sent(tx_hash: str) -> None:
            try:
                self._store.sent_as(row, tx_hash)
            except StorageError as error:
                # The answer of the coordinator still tells; only the receipt is harder to find.
                log.warning("the hash %s of %s is not noted: %s", tx_hash, row.kind, error)

        if row.kind == "register":
            return coordinator.register(row.peer_id, on_sent)
        if row.kind == "reward":
            return coordinator.submit_reward(
                row.round, row.stage, int(row.value), row.peer_id, on_sent
            )
        return coordinator.submit_winners(row.round, row.winners, row.peer_id, on_sent)

    def _refused(self, coordinator: Coordinator, row: OutboxRow, error: RefusedError) -> OutboxRow:
        row = self._as_stored(row)
        if error.code in ALREADY_THERE and (there := self.found(coordinator, row)):
            return there
        if error.code in OF_THE_LINE:
            self._put_off(row, "pending", error, time.time(), code=error.code)
            raise error
        if error.code == NOT_OURS:
            self._on_stranger()
        elif error.code in FINAL or (row.code == error.code and row.failures >= MAX_DOUBTS):
            telling.trouble(self._emit, error, row.round)
            return telling.row(self._emit, self._store.fail(row, str(error), error.code))
        return self._put_off(row, "pending", error, code=error.code)

    def _put_off(
        self,
        row: OutboxRow,
        status: str,
        error: WaggleError,
        until: float | None = None,
        code: str = "",
    ) -> OutboxRow:
        """until: Unix seconds; by default after a pause that grows with each failure."""
        if until is None:
            failures = row.failures + 1 if row.code == code else 1
            until = time.time() + line.pause_s(failures, FIRST_PAUSE_S, LONGEST_PAUSE_S)
        moved = self._store.put_off(row, status, until, str(error), code)
        return telling.row(self._emit, moved)

    def _as_stored(self, row: OutboxRow) -> OutboxRow:
        """With the hashes that became known while it was sent."""
        return self._store.row(row.id)


def is_there(coordinator: Coordinator, row: OutboxRow) -> bool:
    """Whether the coordinator has it, whoever brought it."""
    if row.kind == "register":
        return coordinator.owner_of(row.peer_id) is not None
    if row.kind == "reward":
        return coordinator.has_reward(row.round, row.stage, row.peer_id)
    return coordinator.has_voted(row.round, row.peer_id)


def receipt_of(coordinator: Coordinator, row: OutboxRow) -> Receipt | None:
    """Of the transaction of this row that was mined, if one was. TransientError."""
    for tx_hash in reversed(row.hashes):
        try:
            receipt = coordinator.receipt(tx_hash)
        except RefusedError:
            continue  # mined, and failed: not this one
        if receipt is not None:
            return receipt
    return None


def was_expected(coordinator: Coordinator, row: OutboxRow) -> bool:
    """Whether one of the row's hashes must have a receipt, if it was this node that brought it. A
    login service may have told the hash of a user operation, and those have none."""
    return bool(row.hashes) and coordinator.kind != "login"


def _not_reached(row: OutboxRow, now: tuple[int, int]) -> TransientError:
    return TransientError(
        f"The coordinator is at round {now[0]}, this {row.kind} is of round {row.round}",
        "its chain went back, or the node trained for another swarm",
        "It is kept, and sent when the coordinator gets there",
    )


def _doubled(row: OutboxRow) -> RefusedError:
    return RefusedError(
        f"The {row.kind} of round {row.round} was there before this node sent it",
        f"somebody else submits for peer {row.peer_id}: the same key runs on another machine, or "
        "this home is an older copy of itself",
        "Run one node with this key only, and give the other machine one of its own with "
        "`waggle identity new`; until then the first of the two counts",
        code=ELSEWHERE,
    )
