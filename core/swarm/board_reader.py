"""Follows the coordinator's events and keeps the leaderboard; tells when it has changed.

Two boards: the *settled* one counts blocks that are DEPTH deep, and only it is kept, on disk with
its cursor; what is newer is read again at every look and counted on a copy, so a chain that takes
back its newest blocks costs nothing. A chain that took back more, or began anew, is read again
from its start. A look costs the new blocks only and ends within its budget, however long the chain
is: until it has caught up, it tells what it knows and how far it is behind.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import boundedjson, events
from core.errors import StorageError
from core.home import atomic_write
from core.net.names import animal_name
from core.protocols import ChainEvent
from core.swarm.leaderboard import EVENTS, Board, Entry, Leader, to_row

if TYPE_CHECKING:
    from core.chain.reading import ChainReader

DEPTH = 16
TELL_EVERY_S = 30.0
SAVE_EVERY_S = 300.0
SHOWN = 100
CHARTED = 10
"""The first ranks come with their history."""
MAX_FILE_BYTES = 64 * 2**20
log = logging.getLogger(__name__)


class BoardReader:
    """The leaderboard of the swarm that the coordinator names. Used from one thread."""

    def __init__(self, path: Path, peer_id: str, emit: Callable[[events.Event], None]) -> None:
        """path: where the settled board is kept."""
        self._path = path
        self._me = peer_id
        self._emit = emit
        self._swarm = ""
        self._board = Board()
        self._next = 0
        """The first block that the settled board does not count."""
        self._hash = ""
        """Of the block before `_next`; empty while it is not known."""
        self._saved = (0.0, 0)
        self._told: tuple[float, Any] = (0.0, None)

    def look(self, coordinator: ChainReader, budget_s: float, final: bool = False) -> bool:
        """Read what is new and tell it; whether everything is read. TransientError.

        final: tell what changed, also when that was done a moment ago.
        """
        deadline = time.monotonic() + budget_s
        if coordinator.swarm != self._swarm:
            self._restore(coordinator.swarm)
        chain, head = coordinator.log, coordinator.log.head()
        if head < self._next - 1 or (self._hash and chain.hash_of(self._next - 1) != self._hash):
            log.warning("the chain took back block %d: reading it again", self._next - 1)
            self._board, self._next, self._hash = Board(), 0, ""
        if self._next == 0:
            self._next = chain.first_block(head)
        shown, done = self._board, self._next - 1
        while done < head:
            found, done = chain.read(self._next, head, EVENTS, deadline)
            shown, self._hash = self._settle(found, done, head), ""
            if time.monotonic() > deadline:
                break
        if self._next and not self._hash:
            self._hash = chain.hash_of(self._next - 1)
        self._tell(shown, done, head, final)
        if time.monotonic() - self._saved[0] > SAVE_EVERY_S:
            self.save()
        return done >= head

    def _settle(self, found: list[ChainEvent], done: int, head: int) -> Board:
        """Count what was read up to block `done`; the board with everything on it."""
        settled = min(done, head - DEPTH)
        fresh = [event for event in found if event.block > settled]
        for event in found:
            if event.block <= settled:
                self._board.apply(event)
        self._next = max(self._next, settled + 1)
        if not fresh:
            return self._board
        shown = self._board.copy()
        for event in fresh:
            shown.apply(event)
        return shown

    # --- telling ------------------------------------------------------------------------------

    def _tell(self, board: Board, block: int, head: int, final: bool) -> None:
        """Emit the leaderboard when it changed, at most every TELL_EVERY_S."""
        last, before = self._told
        if not final and before is not None and time.monotonic() - last < TELL_EVERY_S:
            return
        ranked = board.ranked()
        mine = next((n for n, entry in enumerate(ranked) if entry.peer_id == self._me), None)
        leaders = [
            _placed(entry, rank, history=rank <= CHARTED)
            for rank, entry in enumerate(ranked[:SHOWN], 1)
        ]
        me = {} if mine is None else _placed(ranked[mine], mine + 1, history=True)
        told = (leaders, me, len(ranked), block < head)
        if told == before:
            return
        self._told = (time.monotonic(), told)
        self._emit(
            events.LeaderboardRead(
                block=block, behind=max(0, head - block), total=len(ranked), leaders=leaders, me=me
            )
        )

    # --- on disk ------------------------------------------------------------------------------

    def save(self) -> None:
        """Keep the settled board. A disk that refuses costs the next start a longer reading."""
        self._saved = (time.monotonic(), self._saved[1])
        if not self._hash or self._next == self._saved[1]:
            return
        data = {
            "version": 1,
            "swarm": self._swarm,
            "next": self._next,
            "hash": self._hash,
            "entries": self._board.to_json(),
        }
        try:
            atomic_write(self._path, json.dumps(data).encode())
            self._saved = (time.monotonic(), self._next)
        except StorageError as error:
            log.warning("the leaderboard was not saved: %s", error)

    def _restore(self, swarm: str) -> None:
        self._swarm, self._board, self._next, self._hash = swarm, Board(), 0, ""
        self._saved, self._told = (time.monotonic(), 0), (0.0, None)
        try:
            if self._path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError("it is too large")
            data = boundedjson.decode(self._path.read_bytes())
            if data["version"] != 1 or data["swarm"] != swarm:
                return
            board, after, at = Board.from_json(data["entries"]), data["next"], data["hash"]
            if type(after) is not int or after < 1 or not isinstance(at, str):
                raise ValueError("its cursor makes no sense")
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%r): reading the chain again", self._path, error)
            return
        self._board, self._next, self._hash = board, after, at


def _placed(entry: Entry, rank: int, *, history: bool) -> dict[str, Any]:
    if not history:
        entry = replace(entry, history=())
    return to_row(Leader(rank, animal_name(entry.peer_id), entry))
