"""What the outbox says of its rows and troubles, as events. It decides nothing."""

from __future__ import annotations

from collections.abc import Callable

from core import events
from core.chain.ledger_rows import NO_ROUND, OutboxRow
from core.errors import RefusedError, StorageError, WaggleError

Emit = Callable[[events.Event], None]


def row(emit: Emit, row: OutboxRow) -> OutboxRow:
    """Announce the row as it is; the same row."""
    emit(
        events.SubmissionChanged(
            round=None if row.round == NO_ROUND else row.round,
            kind=row.kind,
            stage=row.stage,
            status=row.status,
            value=row.value,
            tx_hash=row.tx_hash,
            error=row.error,
            code=row.code,
            swarm=row.swarm,
            attempts=row.attempts,
            next_try=row.next_try,
            block=row.block,
            gas_used=row.gas_used,
            fee_wei=row.fee_wei,
        )
    )
    return row


def trouble(emit: Emit, error: WaggleError, round: int | None = None, level: str = "") -> None:
    """An incident. level: by default an error where it will not mend itself, else a warning."""
    lasting = isinstance(error, (RefusedError, StorageError))
    code = getattr(error, "code", "") or (
        "disk" if isinstance(error, StorageError) else "chain_unreachable"
    )
    emit(
        events.Incident(
            round=None if round == NO_ROUND else round,
            code=code,
            what=error.what,
            why=error.why,
            next_step=error.next_step,
            level=level or ("error" if lasting else "warning"),
        )
    )
