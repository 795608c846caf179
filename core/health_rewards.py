"""Does it count: the rules of the verdict that are about rewards. Pure, from NodeState alone.

Each gives the reason and the next step, or None when its part is well.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.health_words import Told
from core.rewards_words import differs, ether, rounds_left
from core.state import NodeState, Submission

OBSTACLE_S = 60.0
"""What may mend itself has this long; a refusal is told at once."""
QUEUE_S = 600.0
RECENT_S = 300.0
TWIN_S = 600.0
ELSEWHERE = "Elsewhere"
"""The code of a submission that was made by another machine (`core.chain.ledger_rows`)."""
LOW_ROUNDS = 50
"""Submissions that the balance must last for, at least."""
CHOSEN = "ReadOnly"

GROWING = 20
"""Submissions on their way at once, and none settled meanwhile, from which it is a queue."""


def not_counted(state: NodeState) -> Told:
    """The peer id is another account's: nothing that this node trains is counted."""
    told = state.rewards
    if told is None or not differs(told.account, told.owner):
        return None
    return (
        f"Nothing that this node trains is counted: its peer id is registered to {told.owner},"
        f" and its account is {told.account}",
        "Bring the account that registered it, or start as a new peer: waggle identity new"
        " --set-aside; what was trained is kept",
    )


def obstacle(state: NodeState, now: float) -> Told:
    """Something stands between the outbox and the coordinator."""
    told = state.rewards
    if told is None or not told.obstacle or told.code == CHOSEN:
        return None
    if not told.code and now - told.obstacle_since < OBSTACLE_S:
        return None
    why = f": {told.why}" if told.why else ""
    return (
        f"Rewards wait here. {told.obstacle}{why}",
        told.next_step or "They are kept, and sent when it is mended",
    )


def gas_low(state: NodeState) -> Told:
    """The account will be empty soon."""
    left, read, told = rounds_left(state.counters), state.counters, state.rewards
    if left is None or read is None or left >= LOW_ROUNDS:
        return None
    whom = told.account if told is not None and told.account else "the node's account"
    lasts = f"can pay for {left} more submissions" if left else "cannot pay for another submission"
    return (
        f"The account {lasts}: it has {ether(read.balance_wei)} ether, and each with its vote"
        f" costs about {ether(read.round_cost_wei)}",
        f"Send some ether to {whom}: {ether(1000 * read.round_cost_wei)} lasts for about 1000",
    )


def twin(state: NodeState, now: float) -> Told:
    """Another machine submits for this peer: what is trained here counts for nothing."""
    recent = [
        row for row in state.ledger.settled if row.code == ELSEWHERE and now - row.changed < TWIN_S
    ]
    if not recent:
        return None
    many = "a submission" if len(recent) == 1 else f"{len(recent)} submissions"
    return (
        f"Another machine runs with this peer's key: {many} of the last minutes came from there,"
        " instead of what was trained here",
        "Stop one of the two, or give it an identity of its own: waggle identity new --set-aside",
    )


def queue(state: NodeState, now: float) -> Told:
    """Submissions wait for long, or more and more of them do."""
    rows = list(_open(state))
    if told := _growing(state, rows):
        return told
    waiting = [row for row in rows if now - row.since > QUEUE_S]
    if not waiting:
        return None
    many = f"{len(waiting)} submissions have" if len(waiting) > 1 else "A submission has"
    oldest = (now - min(row.since for row in waiting)) / 60
    error = next((f": {row.error}" for row in reversed(waiting) if row.error), "")
    return (
        f"{many} waited up to {oldest:.0f} min for the chain{error.rstrip('. ')}",
        "They are kept and sent when the chain answers; see `waggle rewards`, and check"
        " chain.rpc_url with `waggle doctor`",
    )


def _growing(state: NodeState, rows: list[Submission]) -> Told:
    """Rounds are trained faster than their submissions get through."""
    if len(rows) < GROWING:
        return None
    done = max((row.changed for row in state.ledger.settled), default=0.0)
    since = sorted(row.since for row in rows)[-GROWING]
    if done >= since:
        return None
    error = next((f": {row.error}" for row in reversed(rows) if row.error), "")
    return (
        f"The outbox grows: {len(rows)} submissions wait, and none of the newest got"
        f" through{error.rstrip('. ')}",
        "They are kept; see `waggle rewards` for what stands in the way, or send fewer:"
        " chain.submit_every_rounds",
    )


def refused(state: NodeState, now: float) -> Told:
    """The newest submission was refused for good, a moment ago."""
    newest = state.ledger.settled[-1] if state.ledger.settled else None
    if newest is None or newest.status != "failed" or now - newest.changed > RECENT_S:
        return None
    what = "registration" if newest.round is None else f"{newest.kind} of round {newest.round}"
    why = f": {newest.error}" if newest.error else ""
    return f"The coordinator refused the {what}{why}", "See the ledger: `waggle rewards`"


def hint(state: NodeState) -> str:
    """What is worth knowing while all is well."""
    told = state.rewards
    if told is None or told.code != CHOSEN:
        return ""
    many = sum(told.rewards.get(status, 0) for status in ("pending", "sent")) + told.waiting
    kept = f"; {many} rounds wait here" if many else ""
    return f"Nothing is submitted, chain.coordinator is read-only{kept}"


def _open(state: NodeState) -> Iterator[Submission]:
    """Those of the swarm that the node is in: others wait until it is in theirs again."""
    swarm = state.rewards.swarm if state.rewards is not None else ""
    for row in state.ledger.pending:
        if not swarm or row.swarm in ("", swarm):
            yield row
