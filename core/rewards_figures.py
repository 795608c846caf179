"""What `waggle rewards` knows: the ledger, from `node.db` itself, and what the coordinator said.

It works beside a running node and without one. The coordinator's figures are those that the node
read last, unless somebody has asked it anew (`rewards_check`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core import events
from core.home import Home
from core.journal import Journal

if TYPE_CHECKING:
    from core.chain.ledger_pages import Round
    from core.chain.ledger_rows import OutboxRow, Totals
    from core.chain.line import Line


@dataclass(frozen=True)
class Elsewhere:
    """Rows of this home that belong to another swarm or another identity."""

    swarm: str
    peer_id: str
    rounds: int
    open: int


@dataclass(frozen=True)
class Figures:
    """All of it. counters, counted: None when the node has not told them for this peer and swarm.

    line: what stands in the way of sending, with the time of the next attempt.
    """

    swarm: str
    peer_id: str
    account: str
    totals: Totals
    line: Line
    counters: events.CountersRead | None
    counted: events.RewardsCounted | None
    registration: OutboxRow | None
    rounds: list[Round]
    elsewhere: list[Elsewhere] = field(default_factory=list)

    @property
    def owner(self) -> str | None:
        """The account that the coordinator has for this peer, "" for none; None: not asked yet."""
        return None if self.counted is None else self.counted.owner


@dataclass(frozen=True)
class Choice:
    """Which rounds to show."""

    limit: int = 20
    failed: bool = False
    round: int | None = None


def collect(home: Home, choice: Choice) -> Figures | None:
    """None when nothing was ever recorded here. StorageError."""
    if not home.db.exists():
        return None
    from core.chain import ledger_pages as pages
    from core.chain import ledger_reads as reads
    from core.chain import line
    from core.chain.ledger import LedgerStore

    counted, counters, started = _told(home)
    store = LedgerStore(home.db)
    try:
        owners = [Elsewhere(*each) for each in store.ask(reads.owners)]
        if not owners:
            return None
        who = started.peer_id if started is not None else owners[0].peer_id
        here = next((each for each in owners if each.peer_id == who), owners[0])
        if counted is not None and counted.peer_id == who:
            here = next((e for e in owners if (e.swarm, e.peer_id) == (counted.swarm, who)), here)
        mine = (here.swarm, here.peer_id)
        if choice.round is not None:
            rounds = store.ask(pages.one, *mine, choice.round)
        else:
            rounds = store.ask(pages.newest, *mine, choice.limit, choice.failed)
        return Figures(
            swarm=here.swarm,
            peer_id=here.peer_id,
            account=_account(home, counted, started),
            totals=store.totals(*mine),
            line=line.load(store, here.peer_id),
            counters=counters if counters is not None and _of(counters, mine) else None,
            counted=counted if counted is not None and _of(counted, mine) else None,
            registration=store.ask(pages.registration, *mine),
            rounds=rounds,
            elsewhere=[each for each in owners if (each.swarm, each.peer_id) != mine],
        )
    finally:
        store.close()


def _account(
    home: Home, counted: events.RewardsCounted | None, started: events.NodeStarted | None
) -> str:
    """Who submits: the login's, where a login does; else the account of this home."""
    from core.chain.account import address_of

    told = (counted.account if counted else "") or (started.account if started else "")
    return told or address_of(home.account) or ""


def _of(event: events.CountersRead | events.RewardsCounted, mine: tuple[str, str]) -> bool:
    return (event.swarm, event.peer_id) == mine


def _told(
    home: Home,
) -> tuple[events.RewardsCounted | None, events.CountersRead | None, events.NodeStarted | None]:
    """The newest event of each, without reading the journal."""
    journal = Journal(home.db)
    counted = counters = started = None
    for event in journal.tail(1, [events.RewardsCounted.NAME]):
        counted = event if isinstance(event, events.RewardsCounted) else None
    for event in journal.tail(1, [events.CountersRead.NAME]):
        counters = event if isinstance(event, events.CountersRead) else None
    for event in journal.tail(1, [events.NodeStarted.NAME]):
        started = event if isinstance(event, events.NodeStarted) else None
    return counted, counters, started
