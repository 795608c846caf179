"""The part of the fold that is about what counts: submissions, and the figures of both sides.

The totals of `Ledger` follow from the events alone. Those of `RewardsCounted` come from the ledger
itself, which knows more than a journal that lost or thinned some of its events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from core import events
from core.bounded import cut, put
from core.state import NodeState, Submission

MAX_PENDING = 256
MAX_SETTLED = 200
MAX_KINDS = 64
MAX_STATUSES = 8
SHORT = {
    "coordinator": 20,
    "swarm": 80,
    "peer_id": 128,
    "account": 80,
    "owner": 80,
    "code": 80,
    "policy": 200,
}
"""Characters kept of these texts of `RewardsCounted`."""
SETTLED = ("confirmed", "credited", "failed")


def _submission_changed(state: NodeState, event: events.SubmissionChanged) -> NodeState:
    row, ledger = _row(event), state.ledger
    settled_before = _find(ledger.settled, row)
    known = settled_before or _find(ledger.pending, row)
    open_again = row.status not in SETTLED
    if open_again and settled_before and not row.code:
        return state  # told late, by the thread that recorded it
    if known:
        since = row.since if open_again and settled_before else known.since
        row = replace(row, value=row.value or known.value, since=since)
    totals = {"confirmed": dict(ledger.confirmed), "failed": dict(ledger.failed)}
    if settled_before and row.status != "credited":  # told again, mended, or taken back
        counts = totals["failed" if settled_before.status == "failed" else "confirmed"]
        counts[row.kind] = max(0, counts.get(row.kind, 0) - 1)
    if row.status in totals:  # a credited one was counted when it was confirmed
        count = totals[row.status].get(row.kind, 0) + 1
        totals[row.status] = put(totals[row.status], row.kind, count, MAX_KINDS)
    pending, settled = _without(ledger.pending, known), _without(ledger.settled, settled_before)
    if open_again:
        pending = (*pending, row)[-MAX_PENDING:]
    else:
        settled = (*settled, row)[-MAX_SETTLED:]
    changed = replace(
        ledger,
        confirmed=totals["confirmed"],
        failed=totals["failed"],
        pending=pending,
        settled=settled,
    )
    if not open_again:
        changed = replace(changed, last_error=row.error if row.status == "failed" else "")
    return replace(state, ledger=changed)


def _row(event: events.SubmissionChanged) -> Submission:
    return Submission(
        round=event.round,
        stage=event.stage,
        kind=cut(event.kind, 40),
        status=cut(event.status, 40),
        value=cut(event.value),
        tx_hash=cut(event.tx_hash, 80),
        error=cut(event.error),
        changed=event.time,
        since=event.time,
        code=cut(event.code, 80),
        swarm=cut(event.swarm, 80),
        attempts=event.attempts,
        next_try=event.next_try,
        block=event.block,
        gas_used=event.gas_used,
        fee_wei=event.fee_wei,
    )


def _find(rows: tuple[Submission, ...], row: Submission) -> Submission | None:
    """Events of earlier versions name no swarm."""
    for old in reversed(rows):
        same = (old.round, old.kind, old.stage) == (row.round, row.kind, row.stage)
        if same and old.swarm in ("", row.swarm):
            return old
    return None


def _without(rows: tuple[Submission, ...], row: Submission | None) -> tuple[Submission, ...]:
    return rows if row is None else tuple(old for old in rows if old is not row)


def _rewards_counted(state: NodeState, event: events.RewardsCounted) -> NodeState:
    changes: dict[str, Any] = {}
    for each in fields(event):
        value = getattr(event, each.name)
        if isinstance(value, str):
            changes[each.name] = cut(value, SHORT.get(each.name, 2000))
        elif isinstance(value, Mapping):
            few = list(value.items())[:MAX_STATUSES]
            changes[each.name] = {cut(str(name), 20): count for name, count in few}
    return replace(state, rewards=replace(event, **changes))


HANDLERS: dict[type[events.Event], Callable[[NodeState, Any], NodeState]] = {
    events.SubmissionChanged: _submission_changed,
    events.CountersRead: lambda state, event: replace(
        state, counters=replace(event, swarm=cut(event.swarm, 80), peer_id=cut(event.peer_id, 128))
    ),
    events.RewardsCounted: _rewards_counted,
}
