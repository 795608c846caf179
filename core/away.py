"""What happened since somebody last looked at the console: pure, from two looks and the journal.

A look is a handful of totals with its time, kept in a small file of the home, so that what the
journal thins away in between is still counted. It knows nothing of screens.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import events
from core.errors import StorageError
from core.home import atomic_write
from core.state import IncidentLine, NodeState

if TYPE_CHECKING:
    from core.journal import Journal

RECENT_ROUNDS = 20
"""The reward of a look is the mean of this many rounds: one round says little."""
AWAY_S = 600.0
"""Who looks again sooner was not away."""
MAX_FILE_BYTES = 4096
MAX_LIVES = 400


@dataclass(frozen=True)
class Look:
    """The totals as somebody saw them at `time` (Unix seconds). None: not known then.

    trained: rounds of this home. reward: mean over the last rounds. total_reward, participation,
    wins: the coordinator's counters. swarm: whose counters they are.
    """

    time: float
    trained: int = 0
    reward: float | None = None
    swarm: str = ""
    total_reward: int | None = None
    participation: int | None = None
    wins: int | None = None


@dataclass(frozen=True)
class Away:
    """The difference of two looks. incidents: those that happened in between, newest first.

    restarts: starts of the node in between. crashes: ends that nobody asked for.
    The counters' differences are None where either look did not know them.
    """

    seconds: float
    rounds: int
    reward_before: float | None
    reward_now: float | None
    credited: int | None
    votes: int | None
    wins: int | None
    restarts: int
    crashes: int
    incidents: tuple[IncidentLine, ...]

    @property
    def worth_telling(self) -> bool:
        happened = self.rounds or self.restarts or self.incidents
        return bool(self.crashes or (self.seconds >= AWAY_S and happened))


def look(state: NodeState, now: float) -> Look:
    counters = state.counters
    swarm = state.rewards.swarm if state.rewards is not None else ""
    if counters is None:
        return Look(now, state.ledger.trained, _recent_reward(state), swarm)
    return Look(
        now,
        state.ledger.trained,
        _recent_reward(state),
        swarm,
        counters.total_reward,
        counters.participation,
        counters.wins,
    )


def _recent_reward(state: NodeState) -> float | None:
    last = [b for b in state.series_of("reward/own").buckets[-RECENT_ROUNDS:] if b.n]
    n = sum(bucket.n for bucket in last)
    return sum(bucket.mean * bucket.n for bucket in last) / n if n else None


def between(then: Look, state: NodeState, lives: Iterable[events.Event], now: float) -> Away:
    """What changed since `then`. lives: NodeStarted and NodeStopped events up to now, oldest
    first, of a node that has ended; empty for one that has run all the while."""
    here = look(state, now)
    restarts = crashes = 0
    unended: events.Event | None = None
    for event in lives:
        started = isinstance(event, events.NodeStarted)
        if started and event.time > then.time:
            restarts += 1
            crashes += unended is not None
        unended = event if started else None
    crashes += unended is not None
    same = here.swarm == then.swarm
    return Away(
        seconds=max(0.0, now - then.time),
        rounds=max(0, here.trained - then.trained),
        reward_before=then.reward,
        reward_now=here.reward,
        credited=_more(then.total_reward, here.total_reward) if same else None,
        votes=_more(then.participation, here.participation) if same else None,
        wins=_more(then.wins, here.wins) if same else None,
        restarts=restarts,
        crashes=crashes,
        incidents=tuple(
            line
            for line in reversed(state.incidents)
            if line.last > then.time and line.level != "info"
        ),
    )


def _more(then: int | None, now: int | None) -> int | None:
    return None if then is None or now is None else now - then


def lives(journal: Journal, limit: int = MAX_LIVES) -> list[events.Event]:
    """The newest starts and ends of this home's node, oldest first."""
    return journal.tail(limit, [events.NodeStarted.NAME, events.NodeStopped.NAME])


def ended_unasked(journal: Journal) -> events.Incident | None:
    """What to tell when the last life of this home's node has no end; asked before the next."""
    last = lives(journal, 1)
    if not last or not isinstance(last[0], events.NodeStarted):
        return None
    return events.Incident(
        code="ended_unasked",
        what="the node ended last time without being asked to",
        why="it was killed, it crashed, or the machine went off",
        next_step="Nothing to do: it goes on from its newest checkpoint, and what counted stays",
        level="info",
    )


# --- the file ---------------------------------------------------------------------------------


def save(path: Path, seen: Look) -> None:
    """StorageError when the disk refuses."""
    atomic_write(path, json.dumps(asdict(seen)).encode())


def load(path: Path) -> Look | None:
    """The last look; None when there was none or the file makes no sense: it is only a comfort."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return None
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    time, trained = _number(data.get("time")), _whole(data.get("trained"))
    if time is None or trained is None:
        return None
    return Look(
        time,
        trained,
        _number(data.get("reward")),
        str(data.get("swarm", ""))[:200],
        _whole(data.get("total_reward")),
        _whole(data.get("participation")),
        _whole(data.get("wins")),
    )


def _number(value: object) -> float | None:
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        return float(value) if ok and math.isfinite(value) else None  # type: ignore[arg-type]
    except OverflowError:
        return None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def remember(path: Path, state: NodeState, now: float) -> None:
    """Save a look where the disk allows; a console must not fail for want of this file."""
    try:
        save(path, look(state, now))
    except StorageError:
        return  # the journal says in full what a full disk means
