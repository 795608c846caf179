"""What the ledger adds up to and what the coordinator says, as events."""

from __future__ import annotations

from dataclasses import replace

from core import events
from core.chain import ledger_reads as reads
from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import COUNTED
from core.chain.line import Line
from core.chain.policy import Policy
from core.protocols import Coordinator

MAX_FIGURE = 2**256
"""What a contract can say; an RPC that lies may say more."""


def counters(coordinator: Coordinator, store: LedgerStore, peer_id: str) -> events.CountersRead:
    """The coordinator's own figures, beside what the ledger holds for confirmed at that moment,
    which is exact in the thread that confirms. TransientError."""
    names = ("participation", "wins", "total_reward", "balance_wei", "round_cost_wei")
    told = coordinator.counters(peer_id)
    totals = store.totals(coordinator.swarm, peer_id)
    return events.CountersRead(
        **{name: max(-MAX_FIGURE, min(MAX_FIGURE, int(told.get(name, 0)))) for name in names},
        swarm=coordinator.swarm,
        peer_id=peer_id,
        counted_reward=sum(totals.value.get(status, 0) for status in COUNTED),
        counted_votes=totals.count(*COUNTED, kind="winner"),
    )


def lost_some(read: events.CountersRead) -> bool:
    """Whether the coordinator counts less than it confirmed to this node."""
    return read.participation < read.counted_votes or read.total_reward < read.counted_reward


def counted(
    store: LedgerStore, swarm: str, peer_id: str, policy: Policy, line: Line
) -> events.RewardsCounted:
    """The ledger's own figures, and what stands in the way. Nothing of account and owner."""
    totals = store.totals(swarm, peer_id)
    still = store.ask(reads.waiting, swarm, peer_id)
    next_try = totals.next_try
    if next_try is not None:
        next_try = max(next_try, line.next_try)
    return events.RewardsCounted(
        swarm=swarm,
        peer_id=peer_id,
        policy=policy.told(),
        trained=totals.rounds,
        reward=totals.reward,
        waiting=totals.waiting,
        waiting_reward=totals.waiting_reward,
        rewards=dict(totals.by_kind.get("reward", {})),
        votes=dict(totals.by_kind.get("winner", {})),
        value=dict(totals.value),
        elsewhere=totals.elsewhere,
        gas_used=totals.gas_used,
        fee_wei=totals.fee_wei,
        next_try=next_try,
        next_submission=policy.due_at(still.since) if still.rounds else None,
        obstacle=line.what,
        why=line.why,
        next_step=line.next_step,
        code=line.code,
        obstacle_since=line.since,
    )


def same(one: events.RewardsCounted, other: events.RewardsCounted) -> bool:
    """Whether they tell the same, but for when; of the next attempt only whether there is one."""
    plain = [
        replace(each, time=0.0, next_try=None if each.next_try is None else 0.0)
        for each in (one, other)
    ]
    return plain[0] == plain[1]
