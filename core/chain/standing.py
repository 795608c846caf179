"""How the outbox stands: what is in its way, what its ledger adds up to; told when it changes.

Guards the line's pauses (`line`), which are on disk, and sees that each trouble is told once and
not at every attempt.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from core import events
from core.chain import figures, line, telling
from core.chain.ledger import LedgerStore
from core.chain.line import Line
from core.chain.policy import Policy
from core.errors import RefusedError, StorageError, TransientError, WaggleError

CHOSEN = "ReadOnly"
"""Code of an obstacle that somebody put there on purpose."""
Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Where:
    """The coordinator that the outbox talks to. owner: of the peer, as it says; "" for none."""

    swarm: str = ""
    account: str = ""
    kind: str = ""
    owner: str = ""


class Standing:
    """Of one peer's outbox. Thread `outbox` only, but for reading `hopeless`."""

    def __init__(
        self, store: LedgerStore, emit: telling.Emit, peer_id: str, policy: Policy
    ) -> None:
        """StorageError when the database cannot be read."""
        self._store = store
        self._emit = emit
        self._peer_id = peer_id
        self._policy = policy
        self.line = line.load(store, peer_id)
        self.where = Where()
        self.hopeless = False
        """What is in the way is a refusal, which does not mend itself within seconds."""
        self._told = ""
        self._counted: events.RewardsCounted | None = None

    def pause_s(self, longest_s: float) -> float:
        """Until the line may be tried again; 0 when it is open."""
        left = self.line.next_try - time.time()
        if self.line.is_open() or left > 2 * longest_s:  # the clock was set back
            return 0.0
        return max(0.0, left)

    def got_through(self) -> None:
        self.line = line.moved(self.line)

    def mend(self) -> None:
        """Nothing is in the way any more."""
        self._told, self.hopeless = "", False
        if not self.line.is_open():
            self.line = Line()
            line.save(self._store, self._peer_id, self.line)
        self.count()

    def fail(self, error: WaggleError, heard: bool, first_s: float, longest_s: float) -> None:
        """Something is in the way: pause the line. heard: the coordinator answers, though."""
        self.hopeless = isinstance(error, RefusedError)
        outside = isinstance(error, (TransientError, RefusedError))
        first_s = first_s if outside else longest_s
        self.line = line.failed(self.line, error, first_s, longest_s, heard)
        self.guarded(lambda: line.save(self._store, self._peer_id, self.line))
        if error.what != self._told:
            self._told = error.what
            if self.line.code != CHOSEN:
                telling.trouble(self._emit, error)
        self.guarded(self.count)

    def count(self) -> None:
        """Tell what the ledger adds up to, when that has changed."""
        where = self.where
        if not where.swarm:
            return
        counted = replace(
            figures.counted(self._store, where.swarm, self._peer_id, self._policy, self.line),
            account=where.account,
            coordinator=where.kind,
            owner=where.owner,
        )
        if self._counted is None or not figures.same(counted, self._counted):
            self._counted = counted
            self._emit(counted)

    def guarded(self, act: Callable[[], Answer]) -> Answer | None:
        """For what must not hide the error that led to it."""
        try:
            return act()
        except (TransientError, RefusedError, StorageError) as error:
            log.debug("left out: %s", error)
            return None
