"""Does it count: the rules of the verdict that are about rewards. Pure, from NodeState alone.

Each gives the reason and the next step, or None when its part is well.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.health_words import Told, sentence
from core.rewards_words import differs, ether, rounds_left
from core.state import NodeState, Submission
from core.texts import _, many

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
        _(
            "Nothing that this node trains is counted: its peer id is registered to {owner},"
            " and its account is {account}"
        ).format(owner=told.owner, account=told.account),
        _(
            "Bring the account that registered it, or start as a new peer: waggle identity new"
            " --set-aside; what was trained is kept"
        ),
    )


def obstacle(state: NodeState, now: float) -> Told:
    """Something stands between the outbox and the coordinator."""
    told = state.rewards
    if told is None or not told.obstacle or told.code == CHOSEN:
        return None
    if not told.code and now - told.obstacle_since < OBSTACLE_S:
        return None
    return (
        _("Rewards wait here. {obstacle}").format(obstacle=sentence(told.obstacle, told.why)),
        told.next_step or _("They are kept, and sent when it is mended"),
    )


def gas_low(state: NodeState) -> Told:
    """The account will be empty soon."""
    left, read, told = rounds_left(state.counters), state.counters, state.rewards
    if left is None or read is None or left >= LOW_ROUNDS:
        return None
    whom = told.account if told is not None and told.account else _("the node's account")
    lasts = _(
        "The account cannot pay for another submission: it has {balance} ether, and each with its"
        " vote costs about {cost}"
    )
    if left:
        lasts = many(
            "The account can pay for {n} more submission: it has {balance} ether, and each with its"
            " vote costs about {cost}",
            "The account can pay for {n} more submissions: it has {balance} ether, and each with"
            " its vote costs about {cost}",
            left,
        )
    cost = read.round_cost_wei
    return (
        lasts.format(n=left, balance=ether(read.balance_wei), cost=ether(cost)),
        _("Send some ether to {account}: {ether} lasts for about 1000").format(
            account=whom, ether=ether(1000 * cost)
        ),
    )


def twin(state: NodeState, now: float) -> Told:
    """Another machine submits for this peer: what is trained here counts for nothing."""
    recent = [
        row for row in state.ledger.settled if row.code == ELSEWHERE and now - row.changed < TWIN_S
    ]
    if not recent:
        return None
    return (
        many(
            "Another machine runs with this peer's key: a submission of the last minutes came from"
            " there, instead of what was trained here",
            "Another machine runs with this peer's key: {n} submissions of the last minutes came"
            " from there, instead of what was trained here",
            len(recent),
        ).format(n=len(recent)),
        _(
            "Stop one of the two, or give it an identity of its own: waggle identity new"
            " --set-aside"
        ),
    )


def queue(state: NodeState, now: float) -> Told:
    """Submissions wait for long, or more and more of them do."""
    rows = list(_open(state))
    if growing := _growing(state, rows):
        return growing
    waiting = [row for row in rows if now - row.since > QUEUE_S]
    if not waiting:
        return None
    oldest = (now - min(row.since for row in waiting)) / 60
    error = next((row.error for row in reversed(waiting) if row.error), "")
    told = many(
        "A submission has waited up to {minutes:.0f} min for the chain",
        "{n} submissions have waited up to {minutes:.0f} min for the chain",
        len(waiting),
    ).format(n=len(waiting), minutes=oldest)
    return (
        sentence(told, error.rstrip(". ")),
        _(
            "They are kept and sent when the chain answers; see `waggle rewards`, and check"
            " chain.rpc_url with `waggle doctor`"
        ),
    )


def _growing(state: NodeState, rows: list[Submission]) -> Told:
    """Rounds are trained faster than their submissions get through."""
    if len(rows) < GROWING:
        return None
    done = max((row.changed for row in state.ledger.settled), default=0.0)
    since = sorted(row.since for row in rows)[-GROWING]
    if done >= since:
        return None
    error = next((row.error for row in reversed(rows) if row.error), "")
    told = _("The outbox grows: {n} submissions wait, and none of the newest got through")
    return (
        sentence(told.format(n=len(rows)), error.rstrip(". ")),
        _(
            "They are kept; see `waggle rewards` for what stands in the way, or send fewer:"
            " chain.submit_every_rounds"
        ),
    )


def refused(state: NodeState, now: float) -> Told:
    """The newest submission was refused for good, a moment ago."""
    newest = state.ledger.settled[-1] if state.ledger.settled else None
    if newest is None or newest.status != "failed" or now - newest.changed > RECENT_S:
        return None
    told = _("The coordinator refused the {kind} of round {round}")
    if newest.round is None:
        told = _("The coordinator refused the registration")
    told = told.format(kind=newest.kind, round=newest.round)
    return sentence(told, newest.error), _("See the ledger: `waggle rewards`")


def hint(state: NodeState) -> str:
    """What is worth knowing while all is well."""
    told = state.rewards
    if told is None or told.code != CHOSEN:
        return ""
    n = sum(told.rewards.get(status, 0) for status in ("pending", "sent")) + told.waiting
    if not n:
        return _("Nothing is submitted, chain.coordinator is read-only")
    return many(
        "Nothing is submitted, chain.coordinator is read-only; {n} round waits here",
        "Nothing is submitted, chain.coordinator is read-only; {n} rounds wait here",
        n,
    ).format(n=n)


def _open(state: NodeState) -> Iterator[Submission]:
    """Those of the swarm that the node is in: others wait until it is in theirs again."""
    swarm = state.rewards.swarm if state.rewards is not None else ""
    for row in state.ledger.pending:
        if not swarm or row.swarm in ("", swarm):
            yield row
