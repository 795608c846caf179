"""Follows the coordinator's events and keeps the leaderboard; tells when it has changed.

Two boards: the *settled* one counts blocks that are DEPTH deep, and only it is kept, on disk with
its cursor; what is newer is read again at every look and counted on a copy, so a chain that takes
back its newest blocks costs nothing. A chain that took back more, or began anew, is read again
from its start. A look costs the new blocks only and ends within its budget, however long the chain
is: until it has caught up, it tells what it knows and how far it is behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import events
from core.errors import StorageError
from core.net.names import animal_name
from core.protocols import ChainEvent
from core.swarm import board_file
from core.swarm.board_file import Head
from core.swarm.leaderboard import EVENTS, Board, Entry, Leader, to_row

if TYPE_CHECKING:
    from core.chain.reading import ChainReader

DEPTH = 16
TELL_EVERY_S = 30.0
SAVE_EVERY_S, FIRST_SAVE_S = 300.0, 10.0
SHOWN = 100
CHARTED = 10
"""The first ranks come with their history."""
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
        """When the board was last saved, and up to which block."""
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
        patience_s = SAVE_EVERY_S if self._saved[1] else FIRST_SAVE_S
        if time.monotonic() - self._saved[0] > patience_s:
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
        try:
            board_file.write(self._path, Head(self._swarm, self._next, self._hash), self._board)
            self._saved = (time.monotonic(), self._next)
        except StorageError as error:
            log.warning("the leaderboard was not saved: %s", error)

    def _restore(self, swarm: str) -> None:
        self._swarm, self._board, self._next, self._hash = swarm, Board(), 0, ""
        self._saved, self._told = (time.monotonic(), 0), (0.0, None)
        try:
            found = board_file.read(self._path, swarm)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%r): reading the chain again", self._path, error)
            return
        if found is not None:
            head, self._board = found
            self._next, self._hash = head.next, head.hash


def _placed(entry: Entry, rank: int, *, history: bool) -> dict[str, Any]:
    if not history:
        entry = replace(entry, history=())
    return to_row(Leader(rank, animal_name(entry.peer_id), entry))
