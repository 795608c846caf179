"""The rows of the ledger and the outbox, and what their states mean. Data only.

A round goes trained -> pending -> sent -> confirmed -> credited: `trained` is its ledger row, the
rest are states of the outbox row that carries it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import RefusedError

NO_ROUND = -1
"""The round of a `register` row: registration belongs to no round."""

MAX_ROUND = 2**62
OPEN = ("pending", "sent")
"""States in which something is still to be done by the sender."""
COUNTED = ("confirmed", "credited")
"""States in which the coordinator has it."""

ELSEWHERE = "Elsewhere"
"""Code of a row that the coordinator had before this node ever sent it."""
REORGANISED = "Reorganised"
"""Code of a row that was confirmed and then vanished from the chain."""


@dataclass(frozen=True)
class OutboxRow:
    """One submission. kind: `register`, `reward`, `winner`.

    status: `pending` (committed here), `sent` (may be out; ask before sending again), `confirmed`
    (the coordinator has it), `credited` (and so deep in the chain that it stays), `failed` (final;
    `error` says why, `code` in a word).
    value: the reward, or the winners' peer ids joined by a comma. hashes: of every transaction
    sent for it, newest last; tx_hash: the one that was mined, or the newest. attempts: times sent.
    failures: in a row and of one kind, of which next_try (0: at once) is the consequence. block,
    gas_used, fee_wei: of the receipt, 0 where unknown. Times are Unix seconds.
    """

    id: int
    swarm: str
    peer_id: str
    kind: str
    round: int
    stage: int
    value: str
    status: str = "pending"
    tx_hash: str = ""
    error: str = ""
    code: str = ""
    attempts: int = 0
    created: float = 0.0
    updated: float = 0.0
    hashes: tuple[str, ...] = ()
    failures: int = 0
    next_try: float = 0.0
    block: int = 0
    gas_used: int = 0
    fee_wei: int = 0

    @property
    def winners(self) -> list[str]:
        return [each for each in self.value.split(",") if each]

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


@dataclass(frozen=True)
class LedgerRow:
    """What one round was worth, as recorded here.

    reward: the points that it earned, an integer. bonus: added for taking part. submission: the
    id of the outbox row that carries it, None while it waits for one.
    """

    swarm: str
    peer_id: str
    round: int
    stage: int
    reward: int
    reward_mean: float
    winners: list[str] = field(default_factory=list)
    time: float = field(default_factory=time.time)
    bonus: int = 0
    submission: int | None = None

    def __post_init__(self) -> None:
        """RefusedError for a round that no coordinator gets to, and SQLite could not keep."""
        if not (NO_ROUND <= self.round < MAX_ROUND and 0 <= self.stage < MAX_ROUND):
            raise RefusedError(
                f"Round {self.round} cannot be recorded",
                "no coordinator gets to such a round",
                "Check chain.rpc_url: what answers there is no coordinator to trust",
                code="ImpossibleRound",
            )


@dataclass(frozen=True)
class Waiting:
    """Rounds that no submission carries yet. oldest, last: Unix seconds; of the oldest of these
    rounds, and of the last submission (None before the first)."""

    rounds: int = 0
    reward: int = 0
    oldest: float = 0.0
    last: float | None = None

    @property
    def since(self) -> float:
        """From when a policy counts its time."""
        return self.oldest if self.last is None else self.last


@dataclass(frozen=True)
class Totals:
    """Sums over the whole life of one peer in one swarm, pruned rows included.

    rounds: trained. reward: what they earned, bonus included. waiting, waiting_reward: of these,
    not carried by a submission yet. by_kind: submissions as kind -> status -> count; value: rewards
    as status -> sum. elsewhere: submissions that another machine made. gas_used, fee_wei: spent.
    next_try: Unix seconds of the earliest next attempt at what is due, None when nothing waits.
    """

    rounds: int = 0
    reward: int = 0
    bonus: int = 0
    waiting: int = 0
    waiting_reward: int = 0
    by_kind: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    value: Mapping[str, int] = field(default_factory=dict)
    elsewhere: int = 0
    gas_used: int = 0
    fee_wei: int = 0
    next_try: float | None = None

    def count(self, *statuses: str, kind: str = "") -> int:
        """Submissions in these states; of one kind, or of all."""
        kinds = [self.by_kind.get(kind, {})] if kind else list(self.by_kind.values())
        return sum(each.get(status, 0) for each in kinds for status in statuses)

    @property
    def pending(self) -> int:
        """Not with the coordinator yet."""
        return self.count(*OPEN)

    @property
    def confirmed(self) -> int:
        """With the coordinator, credited ones included."""
        return self.count(*COUNTED)

    @property
    def credited(self) -> int:
        return self.count("credited")

    @property
    def failed(self) -> int:
        return self.count("failed")
