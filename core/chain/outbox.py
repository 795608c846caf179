"""Sends what the ledger holds to the coordinator, exactly once, however often the node dies.

Rows are durable before they are sent, and before a row is sent the coordinator is asked whether it
has it already; so a lost answer, a crash between sending and noting, or a second start ends in a
confirmation and never in a second submission (the contract refuses one as well). What the
contract refuses is final and told in a sentence; what may mend itself is tried again for ever.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core import events
from core.chain.ledger import NO_ROUND, LedgerRow, LedgerStore, OutboxRow, Totals
from core.errors import RefusedError, StorageError, TransientError, WaggleError
from core.protocols import Coordinator

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0
COUNTERS_EVERY_S = 4.0
ALREADY_THERE = {"RewardAlreadySubmitted", "WinnerAlreadyVoted"}

Emit = Callable[[events.Event], None]


class Outbox:
    """The ledger of one peer, and thread `outbox` that sends it."""

    def __init__(
        self,
        db_path: Path,
        coordinator_factory: Callable[[], Coordinator],
        emit: Emit,
        peer_id: str,
    ) -> None:
        """coordinator_factory: connected, cheap when called again; may raise WaggleError.
        StorageError when the database cannot be used."""
        self.store = LedgerStore(db_path)
        self._factory = coordinator_factory
        self._emit = emit
        self._peer_id = peer_id
        self._swarm = ""
        self._registered = False
        self._told = ""
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
        """Whether this round of the current swarm is recorded. May raise as the factory does."""
        return self.store.has_round(self.swarm(), self._peer_id, round, stage)

    def record_round(
        self, round: int, stage: int, reward: int, reward_mean: float, winners: Sequence[str]
    ) -> None:
        """Commit a trained round; when this returns it survives `kill -9` and power cuts.

        A round recorded before is left as it was. StorageError when the disk refuses;
        TransientError when the swarm was never reached, so that its round cannot be known either.
        """
        row = LedgerRow(
            self.swarm(), self._peer_id, round, stage, reward, reward_mean, list(winners),
            time.time(),
        )  # fmt: skip
        for each in self.store.record_round(row):
            self._announce(each)
        self._nudge()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is confirmed or failed; False at the deadline."""
        deadline = time.monotonic() + timeout_s
        self._nudge()
        while time.monotonic() < deadline:
            if self._swarm and self._registered and not self.store.due(self._swarm, self._peer_id):
                return True
            time.sleep(0.01)
        return False

    def rows(self, limit: int = 1000) -> list[OutboxRow]:
        """The newest submissions, newest first."""
        return self.store.rows(limit)

    def totals(self) -> Totals:
        """Of the swarm this node is in, or was in last."""
        swarm = self._swarm or self.store.latest_swarm(self._peer_id)
        return self.store.totals(swarm, self._peer_id)

    def swarm(self) -> str:
        """The name of chain and contract; known once the coordinator was reached."""
        if not self._swarm:
            self._swarm = self._factory().swarm
        return self._swarm

    def _nudge(self) -> None:
        try:
            self._wake.put_nowait(None)
        except queue.Full:
            pass  # it will look anyway

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                self._drain()
                self._told = ""
                pause = FIRST_PAUSE_S
                self._sleep_until_nudged(COUNTERS_EVERY_S)
            except (TransientError, RefusedError) as error:
                self._tell(error)
                # Jitter, so that the nodes of a swarm do not all return at the same moment.
                self._stop.wait(pause * random.uniform(0.7, 1.3))
                pause = min(LONGEST_PAUSE_S, pause * 2)
            except WaggleError as error:
                self._tell(error, "error")
                self._stop.wait(LONGEST_PAUSE_S)

    def _sleep_until_nudged(self, timeout_s: float) -> None:
        try:
            self._wake.get(timeout=timeout_s)
        except queue.Empty:
            pass  # time to look at the counters

    def _drain(self) -> None:
        """Send everything that is due; raises at the first thing that must wait."""
        coordinator = self._factory()
        if coordinator.swarm != self._swarm:
            self._swarm, self._registered = coordinator.swarm, False
        if not self._registered:
            self._register(coordinator)
        while not self._stop.is_set():
            due = self.store.due(self._swarm, self._peer_id)
            if not due:
                break
            # One at a time: a newer round's reward may have come in and goes first.
            self._submit(coordinator, due[0])
        self._read_counters(coordinator)

    def _register(self, coordinator: Coordinator) -> None:
        """Bind the peer id to this account, unless it is. RefusedError when it is another's."""
        row, fresh = self.store.ensure_registration(self._swarm, self._peer_id)
        if fresh:
            self._announce(row)
        owner = coordinator.owner_of(self._peer_id)
        tx_hash = ""
        if owner is None:
            row = self._move(row, "sent")
            try:
                tx_hash = coordinator.register(self._peer_id).tx_hash
            except RefusedError as error:
                if error.code != "PeerIdAlreadyRegistered":
                    self._move(row, "failed", error=error)
                    raise
            owner = coordinator.owner_of(self._peer_id)
        if owner is not None and owner.lower() != coordinator.account.lower():
            stranger = RefusedError(
                f"Peer {self._peer_id} belongs to account {owner} in this swarm",
                f"a peer id is bound to the first account that registered it; this node's is "
                f"{coordinator.account}",
                "Restore the account folder that belongs to this identity, or start with a new "
                "identity; what is due stays in the outbox",
                code="InvalidVoterPeerId",
            )
            if row.status != "failed":
                self._move(row, "failed", error=stranger)
            raise stranger
        if row.status != "confirmed":
            self._move(row, "confirmed", tx_hash=tx_hash)
        self._registered = True

    def _submit(self, coordinator: Coordinator, row: OutboxRow) -> None:
        if self._is_there(coordinator, row):
            self._move(row, "confirmed")
            return
        row = self._move(row, "sent")
        try:
            if row.kind == "reward":
                tx_hash = coordinator.submit_reward(
                    row.round, row.stage, int(row.value), row.peer_id
                ).tx_hash
            else:
                tx_hash = coordinator.submit_winners(row.round, row.winners, row.peer_id).tx_hash
        except RefusedError as error:
            if error.code in ALREADY_THERE:
                self._move(row, "confirmed")
            else:
                self._move(row, "failed", error=error)
                self._incident(error, row.round, "error")
            return
        except TransientError as error:
            self._move(row, "pending", error=error)
            raise
        self._move(row, "confirmed", tx_hash=tx_hash)

    def _is_there(self, coordinator: Coordinator, row: OutboxRow) -> bool:
        if row.kind == "reward":
            return coordinator.has_reward(row.round, row.stage, row.peer_id)
        return coordinator.has_voted(row.round, row.peer_id)

    def _read_counters(self, coordinator: Coordinator) -> None:
        if not self._counters_due or time.monotonic() - self._counters_at < COUNTERS_EVERY_S:
            return
        counted = coordinator.counters(self._peer_id)
        self._counters_at = time.monotonic()
        self._counters_due = False
        self._emit(events.CountersRead(**counted))

    # --- telling ------------------------------------------------------------------------------

    def _move(
        self,
        row: OutboxRow,
        status: str,
        *,
        tx_hash: str = "",
        error: WaggleError | None = None,
    ) -> OutboxRow:
        code = getattr(error, "code", "") if error is not None else ""
        sentence = str(error) if error is not None else ""
        now = self.store.update(row, status, tx_hash=tx_hash, error=sentence, code=code)
        self._counters_due = self._counters_due or status == "confirmed"
        self._announce(now)
        return now

    def _announce(self, row: OutboxRow) -> None:
        self._emit(
            events.SubmissionChanged(
                round=None if row.round == NO_ROUND else row.round,
                kind=row.kind,
                stage=row.stage,
                status=row.status,
                value=row.value,
                tx_hash=row.tx_hash,
                error=row.error,
            )
        )

    def _tell(self, error: WaggleError, level: str = "warning") -> None:
        """Once per cause, not once per attempt."""
        if error.what != self._told:
            self._told = error.what
            self._incident(error, None, "error" if isinstance(error, RefusedError) else level)

    def _incident(self, error: WaggleError, round: int | None, level: str) -> None:
        code = getattr(error, "code", "") or (
            "disk" if isinstance(error, StorageError) else "chain_unreachable"
        )
        self._emit(
            events.Incident(
                round=round,
                code=code,
                what=error.what,
                why=error.why,
                next_step=error.next_step,
                level=level,
            )
        )
