"""`waggle rewards --check`: asks the coordinator itself, now, without an account.

Whose the peer is, the three counters, and whether it has what lies in the outbox as unsent. Every
call has a deadline, and so has all of it together; nothing is sent and nothing is changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from core import events
from core.config import Effective
from core.errors import RefusedError, TransientError
from core.home import Home
from core.rewards_figures import Figures

BUDGET_S = 15.0
MAX_CALL_S = 5.0
MAX_ROWS = 16
"""Open submissions asked for, at most."""


@dataclass(frozen=True)
class Checked:
    """The figures with the coordinator's fresh ones. owner: "" for none. round, stage: where it is.

    there: open submissions that it has nevertheless, as (kind, round); asked: of how many.
    """

    figures: Figures
    owner: str
    round: int
    stage: int
    there: tuple[tuple[str, int], ...]
    asked: int


def check(home: Home, load: Callable[[], Effective], figures: Figures) -> Checked:
    """TransientError when the coordinator cannot be asked; RefusedError when what is there is
    not the coordinator of this ledger; ConfigError."""
    from core.chain import ledger_pages as pages
    from core.chain.ledger import LedgerStore
    from core.chain.readonly import ReadOnlyCoordinator
    from core.chain.sender import is_there
    from core.identity.check import coordinator_of

    effective = load()
    deadline = time.monotonic() + BUDGET_S
    try:
        where = coordinator_of(home, effective)
    except TransientError as error:
        step = "Start the node; until then its figures are as it read them last"
        raise TransientError(error.what, error.why, error.next_step or step) from error
    if where is None:
        raise RefusedError(
            "There is no coordinator to ask", "chain.enabled is false", "", code="NoCoordinator"
        )
    timeout_s = min(MAX_CALL_S, effective.config.chain.call_timeout_s)
    coordinator = ReadOnlyCoordinator(
        *where, replace(effective.config.chain, call_timeout_s=timeout_s), figures.account
    )
    try:
        if coordinator.swarm != figures.swarm:
            raise RefusedError(
                "This home is set to another swarm than its ledger is of",
                f"the coordinator is {coordinator.swarm}, the newest rounds are of {figures.swarm}",
                "Start the node once in the new swarm, or correct chain.rpc_url and chain.contract",
                code="OtherSwarm",
            )
        owner = coordinator.owner_of(figures.peer_id) or ""
        number, stage = coordinator.round_and_stage()
        read = events.CountersRead(
            **coordinator.counters(figures.peer_id),
            swarm=figures.swarm,
            peer_id=figures.peer_id,
            counted_reward=sum(
                figures.totals.value.get(status, 0) for status in ("confirmed", "credited")
            ),
            counted_votes=figures.totals.count("confirmed", "credited", kind="winner"),
        )
        if figures.counters is not None and not read.round_cost_wei:
            read = replace(read, round_cost_wei=figures.counters.round_cost_wei)
        store = LedgerStore(home.db)
        rows = store.ask(pages.still_open, figures.swarm, figures.peer_id, MAX_ROWS)
        store.close()
        there, asked = [], 0
        for row in rows:
            if time.monotonic() > deadline:
                break
            asked += 1
            if is_there(coordinator, row):
                there.append((row.kind, row.round))
    finally:
        coordinator.close()
    return Checked(replace(figures, counters=read), owner, number, stage, tuple(there), asked)
