"""One member's submissions at the login proxy: one after the other, none sent twice.

A client whose call failed while its transaction was under way asks again; it gets that
transaction's hash once it is mined, and no second one is paid for. That memory is of this process
only: after a restart the contract itself refuses what it has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import RefusedError, TransientError
from core.protocols import Coordinator, OnSent

MAX_WAITING = 16
"""Submissions of one member that wait for their turn; honest nodes send one or two a round."""
MAX_UNDER_WAY = 256
FORGET_S = 900.0
"""A transaction that was not mined for so long is taken for lost, and sent anew."""


@dataclass(frozen=True)
class Submission:
    """What a client wants done. kind: register, reward or winners; value: the reward."""

    kind: str
    peer_id: str
    round: int = 0
    stage: int = 0
    value: int = 0
    winners: tuple[str, ...] = ()

    def send(self, coordinator: Coordinator, on_sent: OnSent) -> str:
        """Its transaction's hash, once it is mined. Raises as the coordinator does."""
        if self.kind == "register":
            return coordinator.register(self.peer_id, on_sent).tx_hash
        if self.kind == "reward":
            return coordinator.submit_reward(
                self.round, self.stage, self.value, self.peer_id, on_sent
            ).tx_hash
        winners: Sequence[str] = list(self.winners)
        return coordinator.submit_winners(self.round, winners, self.peer_id, on_sent).tx_hash


class Desk:
    """Safe to use from several threads."""

    def __init__(self, connect: Callable[[], Coordinator], patience_s: float) -> None:
        """connect: cheap when called again; may raise WaggleError. patience_s: wait this long for
        one's turn."""
        self._connect = connect
        self._patience_s = patience_s
        self._turn = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._under_way: dict[Submission, tuple[float, list[str]]] = {}

    def submit(self, wanted: Submission) -> str:
        """The hash of the mined transaction. TransientError, or RefusedError with the contract's
        name of the error as its code."""
        if not self._waiting.acquire(blocking=False):
            raise _busy("too many submissions of this member wait already")
        try:
            if not self._turn.acquire(timeout=self._patience_s):
                raise _busy(f"its turn did not come within {self._patience_s:.0f} s")
            try:
                return self._in_turn(wanted)
            finally:
                self._turn.release()
        finally:
            self._waiting.release()

    def _in_turn(self, wanted: Submission) -> str:
        coordinator = self._connect()
        hashes: list[str] = []
        try:
            tx_hash = self._sent_before(coordinator, wanted)
            if tx_hash is None:
                self._note(wanted, hashes)
                tx_hash = wanted.send(coordinator, hashes.append)
        except TransientError:
            if wanted in self._under_way and not self._under_way[wanted][1]:
                del self._under_way[wanted]  # it never went out
            raise
        except RefusedError:
            self._under_way.pop(wanted, None)
            raise
        self._under_way.pop(wanted, None)
        return tx_hash

    def _sent_before(self, coordinator: Coordinator, wanted: Submission) -> str | None:
        """The hash, once it is mined; None when it has to be sent (again)."""
        since, hashes = self._under_way.get(wanted, (0.0, []))
        for tx_hash in reversed(hashes):  # the newest replacement is the likeliest
            if coordinator.receipt(tx_hash) is not None:
                return tx_hash
        if hashes and time.monotonic() - since < FORGET_S:
            raise TransientError(
                f"Transaction {hashes[-1]} is not mined yet",
                "it was sent for an earlier request and is not sent again",
                "Ask again later",
            )
        return None

    def _note(self, wanted: Submission, hashes: list[str]) -> None:
        while len(self._under_way) >= MAX_UNDER_WAY:
            self._under_way.pop(next(iter(self._under_way)))
        self._under_way[wanted] = (time.monotonic(), hashes)


def _busy(why: str) -> TransientError:
    return TransientError("The login proxy is busy", why, "Ask again later")
