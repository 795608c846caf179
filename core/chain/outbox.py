"""Sends what the ledger holds to the coordinator, exactly once, however often the node dies.

Thread `outbox`: registers the peer, hands over what the policy wants submitted, sends what is due
(`sender`), credits what is deep enough (`settle`), reads the coordinator's own figures. A failure
pauses the line to the coordinator, and that pause is on disk, so that a node which restarts in a
loop does not hammer the chain.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.chain import figures, line, origins, registration, telling
from core.chain import ledger_reads as reads
from core.chain.ledger import EVERY_ROUND, LedgerStore
from core.chain.ledger_rows import MAX_ROUND, LedgerRow, OutboxRow, Totals
from core.chain.policy import Policy
from core.chain.sender import Sender
from core.chain.settle import Settlement
from core.chain.standing import Standing, Where
from core.errors import RefusedError, TransientError, WaggleError
from core.protocols import Coordinator

FIRST_PAUSE_S = line.FIRST_PAUSE_S
LONGEST_PAUSE_S = line.LONGEST_PAUSE_S
COUNTERS_EVERY_S = 4.0

log = logging.getLogger(__name__)


class Outbox:
    """The ledger of one peer, and thread `outbox` that sends it."""

    def __init__(
        self,
        db_path: Path,
        coordinator_factory: Callable[[], Coordinator],
        emit: telling.Emit,
        peer_id: str,
        policy: Policy = EVERY_ROUND,
        confirmations: int = 1,
    ) -> None:
        """coordinator_factory: connected, cheap when called again; may raise WaggleError.
        StorageError when the database cannot be used."""
        self.store = LedgerStore(db_path)
        self._factory = coordinator_factory
        self._emit = emit
        self._peer_id = peer_id
        self._policy = policy
        self._sender = Sender(self.store, emit, self._unregister)
        self._settlement = Settlement(self.store, emit, peer_id, confirmations, self._got_through)
        self.standing = Standing(self.store, emit, peer_id, policy)
        self._met = ("", "")
        self._swarm = self._round_swarm = ""
        self._registered = self._looked_back = False
        self._counters_at = 0.0
        self._counters_due = True
        self._stop = threading.Event()
        self._wake: queue.Queue[None] = queue.Queue(maxsize=1)
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    # --- the worker's side --------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 10.0) -> None:
        """End the thread. What is not sent yet stays in the database for the next start."""
        self._stop.set()
        self._nudge()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self.store.close()

    def has_round(self, round: int, stage: int) -> bool:
        """Whether this round of the swarm that the clock speaks of is recorded. May raise as the
        factory does."""
        self._round_swarm = self._meet(self._factory())
        return round < MAX_ROUND and self.store.has_round(
            self._round_swarm, self._peer_id, round, stage
        )

    def record_round(
        self, round: int, stage: int, reward: int, reward_mean: float, winners: Sequence[str]
    ) -> None:
        """Commit a trained round; when this returns it survives `kill -9` and power cuts.

        A round recorded before is left as it was. StorageError when the disk refuses;
        TransientError when the swarm was never reached, so that its round cannot be known either;
        RefusedError for a round that no coordinator gets to.
        """
        swarm = self._round_swarm or self.swarm()
        row = LedgerRow(swarm, self._peer_id, round, stage, reward, reward_mean, list(winners))
        for each in self.store.record_round(row, self._policy):
            telling.row(self._emit, each)
        self._nudge()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything due is confirmed or failed; False at the deadline, and at once
        when it cannot be by then."""
        deadline = time.monotonic() + timeout_s
        self._nudge()
        while time.monotonic() < deadline:
            if self._swarm and self._registered:
                first = self.store.ask(reads.next_try, self._swarm, self._peer_id)
                if first is None:
                    return True
                if first > time.time() + (deadline - time.monotonic()):
                    return False
            if self.standing.hopeless:
                return False
            time.sleep(0.01)
        return False

    def rows(self, limit: int = 1000) -> list[OutboxRow]:
        """The newest submissions, newest first."""
        return self.store.rows(limit)

    def totals(self) -> Totals:
        """Of the swarm this node is in, or was in last."""
        swarm = self._swarm or self.store.ask(reads.latest_swarm, self._peer_id)
        return self.store.totals(swarm, self._peer_id)

    def swarm(self) -> str:
        """The name of chain and contract; known once the coordinator was reached."""
        return self._swarm or self._factory().swarm

    def _nudge(self) -> None:
        try:
            self._wake.put_nowait(None)
        except queue.Full:
            pass  # it will look anyway

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            left = self.turn()
            if not self.standing.line.is_open():
                self._stop.wait(left)  # news do not make a chain answer
                continue
            try:
                self._wake.get(timeout=left)
            except queue.Empty:
                pass  # time to look at the counters
        self._last_look()

    def turn(self) -> float:
        """Do what is due now, without waiting; seconds until there may be more to do.

        Thread `outbox` only, or its owner while that does not run.
        """
        if left := self.standing.pause_s(LONGEST_PAUSE_S):
            return left
        try:
            self._pass()
            self.standing.mend()
            return self._rest_s()
        except WaggleError as error:
            self._fail(error)
        except Exception as error:
            # A bug must not end the thread: what the node earns would never be sent.
            log.exception("a pass of the outbox failed")
            self._fail(WaggleError("The outbox failed", repr(error), "Please report it"))
        return self.standing.pause_s(LONGEST_PAUSE_S)

    def _fail(self, error: WaggleError) -> None:
        self.standing.fail(error, self._sender.heard, FIRST_PAUSE_S, LONGEST_PAUSE_S)

    def _last_look(self) -> None:
        """What the last rounds came to, for who reads the ledger when the node is gone."""
        if self._registered and self._counters_due and self.standing.line.is_open():
            self._counters_at = 0.0
            self.standing.guarded(lambda: self._read_counters(self._factory()))
            self.standing.guarded(self.standing.count)

    def _rest_s(self) -> float:
        """Until the next look: at the counters, at a row that waits, or at the policy."""
        mine = (self._swarm, self._peer_id)
        first = self.store.ask(reads.next_try, *mine)
        still = self.store.ask(reads.waiting, *mine)
        due_at = self._policy.due_at(still.since) if still.rounds else None
        times = [each for each in (first, due_at) if each is not None]
        left = min((each - time.time() for each in times), default=COUNTERS_EVERY_S)
        return max(0.02, min(COUNTERS_EVERY_S, left))

    def _pass(self) -> None:
        """Do everything that is due; raises at the first thing that must wait."""
        self._sender.heard = False
        coordinator = self._factory()
        if self._meet(coordinator) != self._swarm:
            self._swarm, self._registered, self._looked_back = coordinator.swarm, False, False
        self._know(coordinator)
        for row in self.store.gather(self._swarm, self._peer_id, self._policy):
            telling.row(self._emit, row)
        if not coordinator.can_submit:
            self._know(coordinator, coordinator.owner_of(self._peer_id))
            self._read_counters(coordinator)
            raise registration.read_only()
        if not self._registered:
            self._register(coordinator)
        if not self._looked_back:
            self._settlement.look_back(coordinator)
            self._looked_back = True
        try:
            self._send_all(coordinator)
        except (TransientError, RefusedError):
            # Whether there is gas left is worth knowing just when nothing can be sent.
            self.standing.guarded(lambda: self._read_counters(coordinator))
            raise
        if self._settlement.settle(coordinator):
            self._registered = False
        self._read_counters(coordinator)

    def _know(self, coordinator: Coordinator, owner: str | None = None) -> None:
        """owner: of the peer, where it was just asked for; else as it was known."""
        known = self.standing.where
        if known.swarm == coordinator.swarm:
            owner = owner or known.owner
        where = (coordinator.swarm, coordinator.account, coordinator.kind, owner or "")
        self.standing.where = Where(*where)

    def _meet(self, coordinator: Coordinator) -> str:
        """The swarm's name, once its rows are those of this very chain. Any thread."""
        known = (coordinator.swarm, coordinator.first_block)
        if known != self._met:
            if lost := origins.meet(self.store, *known):
                origins.tell(self._emit, coordinator.swarm, lost)
            self._met = known
        return coordinator.swarm

    def _register(self, coordinator: Coordinator) -> None:
        try:
            owner = registration.ensure(
                self.store, self._sender, self._emit, coordinator, self._peer_id
            )
        except RefusedError:
            self._know(coordinator, coordinator.owner_of(self._peer_id))
            raise
        self._know(coordinator, owner)
        self._registered = True

    def _unregister(self) -> None:
        self._registered = False  # asked for again, before anything else is sent

    def _send_all(self, coordinator: Coordinator) -> None:
        while not self._stop.is_set() and self._registered:
            due = self.store.due(self._swarm, self._peer_id, time.time(), limit=1)
            if not due:
                return
            # One at a time: a newer round's reward may have come in and goes first.
            row = self._sender.send(coordinator, due[0])
            if row.status == "confirmed":
                self._got_through()

    def _got_through(self) -> None:
        """A row moved: the line is alive, and the coordinator's counters are others."""
        self._counters_due = True
        self.standing.got_through()

    def _read_counters(self, coordinator: Coordinator) -> None:
        if not self._counters_due or time.monotonic() - self._counters_at < COUNTERS_EVERY_S:
            return
        read = figures.counters(coordinator, self.store, self._peer_id)
        self._emit(read)
        self._looked_back = self._looked_back and not figures.lost_some(read)
        self._counters_at = time.monotonic()
        self._counters_due = False
