"""What counts: submissions, counters, what the ledger adds up to."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.events.base import Event


@dataclass(frozen=True, kw_only=True)
class SubmissionChanged(Event):
    """A row of the outbox. kind: `register`, `reward` or `winner`.

    status: `pending` (committed here), `sent` (transaction out), `confirmed` (the coordinator has
    it), `credited` (so deep in the chain that it stays), `failed` (final no, `error` says why). An
    open status with a code takes a confirmed row back. value: the reward, or the winners' peer ids
    joined by a comma. swarm: chain and contract. next_try: Unix seconds, 0 for at once. block,
    gas_used, fee_wei: of the receipt, 0 where unknown. Committed to the ledger before it is
    emitted.
    """

    kind: str
    stage: int = 0
    status: str
    value: str = ""
    tx_hash: str = ""
    error: str = ""
    code: str = ""
    swarm: str = ""
    attempts: int = 0
    next_try: float = 0.0
    block: int = 0
    gas_used: int = 0
    fee_wei: int = 0


@dataclass(frozen=True, kw_only=True)
class CountersRead(Event):
    """The coordinator's own figures for this peer, read back from it.

    round_cost_wei: what a round's transactions cost now; 0 with balance_wei where others pay.
    counted_reward, counted_votes: what of this node's ledger was confirmed at that moment.
    """

    participation: int
    wins: int
    total_reward: int
    balance_wei: int = 0
    round_cost_wei: int = 0
    swarm: str = ""
    peer_id: str = ""
    counted_reward: int = 0
    counted_votes: int = 0


@dataclass(frozen=True, kw_only=True)
class RewardsCounted(Event):
    """What the ledger adds up to for this peer in this swarm, and what stands in its way.

    trained: rounds; reward: what they earned; waiting, waiting_reward: of these, not handed to the
    outbox yet, which happens at next_submission (Unix seconds) if not before. rewards, votes:
    submissions by status; value: rewards by status. elsewhere: made by another machine.
    next_try: of the next attempt at what is due. obstacle, why, next_step, code: why nothing is
    sent, since obstacle_since; empty when nothing stands in the way. owner: the account that the
    coordinator has for this peer, "" for none.
    """

    swarm: str = ""
    peer_id: str = ""
    account: str = ""
    owner: str = ""
    coordinator: str = ""
    policy: str = ""
    trained: int = 0
    reward: int = 0
    waiting: int = 0
    waiting_reward: int = 0
    rewards: dict[str, int] = field(default_factory=dict)
    votes: dict[str, int] = field(default_factory=dict)
    value: dict[str, int] = field(default_factory=dict)
    elsewhere: int = 0
    gas_used: int = 0
    fee_wei: int = 0
    next_try: float | None = None
    next_submission: float | None = None
    obstacle: str = ""
    why: str = ""
    next_step: str = ""
    code: str = ""
    obstacle_since: float = 0.0
