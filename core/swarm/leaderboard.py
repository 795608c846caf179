"""Who has done how much in the swarm: the leaderboard, computed from the coordinator's events.

The original's three counters, which are three different things: *participation* is how many votes
a peer has cast, *wins* is how many votes named it, *total_reward* is the sum of the rewards that it
reported. Unlike the original's dashboard it forgets nobody who missed a round: `round` and `stage`
tell when a peer last reported. Pure: no chain, no disk, no clock. Bounded, whatever the events say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from core.protocols import ChainEvent

EVENTS = ("WinnerSubmitted", "RewardSubmitted", "CumulativeRewardsUpdated")
"""What a leaderboard is made of."""
MAX_PEERS = 10_000
"""Beyond this, with a tenth to spare, the least of all go: first those who never did anything
themselves, because a vote may name anybody."""
MAX_PEER_ID_CHARS = 128
MAX_HISTORY = 30


@dataclass(frozen=True)
class Entry:
    """One peer's counters.

    last_reward, round, stage: of its newest report; round is None before the first. history: its
    newest (round, total_reward) points, oldest first, at most MAX_HISTORY.
    """

    peer_id: str
    participation: int = 0
    wins: int = 0
    total_reward: int = 0
    last_reward: int = 0
    round: int | None = None
    stage: int = 0
    history: tuple[tuple[int, int], ...] = ()

    @property
    def acted(self) -> bool:
        """Whether the peer did something itself, for which it had to be registered."""
        return self.participation > 0 or self.round is not None

    @property
    def merit(self) -> tuple[int, int, int]:
        """What the order goes by, the largest first."""
        return (self.total_reward, self.participation, self.wins)


@dataclass(frozen=True)
class Leader:
    """An entry in its place. rank: from 1, no two peers share one."""

    rank: int
    name: str
    entry: Entry


class Board:
    """All entries. `apply` events in the order of the chain; ties stay in order of appearance."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {each.peer_id: each for each in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def copy(self) -> Board:
        return Board(self._entries.values())

    def apply(self, event: ChainEvent) -> None:
        """Count one event; one whose fields make no sense counts for nothing."""
        fields = event.fields
        if event.name == "WinnerSubmitted":
            winners = fields.get("winners")
            self._vote(fields.get("peerId"), winners if isinstance(winners, (list, tuple)) else ())
        elif event.name == "RewardSubmitted":
            told = [fields.get(key) for key in ("reward", "roundNumber", "stageNumber")]
            self._report(fields.get("peerId"), *told)
        elif event.name == "CumulativeRewardsUpdated":
            self._total(fields.get("peerId"), fields.get("totalRewards"))
        if len(self._entries) > MAX_PEERS * 11 // 10:
            self._shrink()

    def _vote(self, voter: Any, winners: Iterable[Any]) -> None:
        if (old := self._of(voter)) is not None:
            self._put(replace(old, participation=old.participation + 1))
        for winner in winners:
            if (old := self._of(winner)) is not None:
                self._put(replace(old, wins=old.wins + 1))

    def _report(self, peer_id: Any, reward: Any, round: Any, stage: Any) -> None:
        old = self._of(peer_id)
        if old is not None and all(type(value) is int for value in (reward, round, stage)):
            self._put(replace(old, last_reward=reward, round=round, stage=stage))

    def _total(self, peer_id: Any, total: Any) -> None:
        old = self._of(peer_id)
        if old is None or type(total) is not int:
            return
        history = old.history
        if old.round is not None:
            history = (*history, (old.round, total))[-MAX_HISTORY:]
        self._put(replace(old, total_reward=total, history=history))

    def _of(self, peer_id: Any) -> Entry | None:
        if not isinstance(peer_id, str) or not 0 < len(peer_id) <= MAX_PEER_ID_CHARS:
            return None
        return self._entries.get(peer_id) or Entry(peer_id)

    def _put(self, entry: Entry) -> None:
        self._entries[entry.peer_id] = entry

    def _shrink(self) -> None:
        worth = sorted(self._entries.values(), key=lambda s: (not s.acted, *_falling(s.merit)))
        kept = {each.peer_id for each in worth[:MAX_PEERS]}
        self._entries = {k: v for k, v in self._entries.items() if k in kept}

    def ranked(self) -> list[Entry]:
        """All of them, the first rank first."""
        return sorted(self._entries.values(), key=lambda s: _falling(s.merit))

    def to_json(self) -> list[dict[str, Any]]:
        """As `entry_from` reads them, in order of appearance."""
        return [dict(vars(each)) for each in self._entries.values()]


def to_row(leader: Leader) -> dict[str, Any]:
    """As JSON: the entry's fields, with `rank` and `name`."""
    return {"rank": leader.rank, "name": leader.name, **vars(leader.entry)}


def from_row(row: Any) -> Leader:
    """The inverse of `to_row`. ValueError for anything else."""
    fields = dict(row) if isinstance(row, dict) else {}
    rank, name = fields.pop("rank", None), fields.pop("name", None)
    if type(rank) is not int or not isinstance(name, str) or len(name) > MAX_PEER_ID_CHARS:
        raise ValueError("not a row of a leaderboard")
    return Leader(rank, name, entry_from(fields))


def entry_from(row: Any) -> Entry:
    """An entry from its dictionary, as JSON gives it back. ValueError when it is none."""
    try:
        history = tuple((x, y) for x, y in row["history"])
        entry = Entry(**{**row, "history": history})
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError("not an entry") from error
    numbers = [entry.participation, entry.wins, entry.total_reward, entry.last_reward, entry.stage]
    numbers += [number for point in history for number in point]
    if entry.round is not None:
        numbers.append(entry.round)
    sound = all(type(n) is int for n in numbers) and len(history) <= MAX_HISTORY
    peer_id = entry.peer_id
    if not sound or not isinstance(peer_id, str) or not 0 < len(peer_id) <= MAX_PEER_ID_CHARS:
        raise ValueError("not an entry")
    return entry


def _falling(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(-number for number in numbers)
