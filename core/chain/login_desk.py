"""One member's submissions at the login proxy: one after the other, and none twice.

What the coordinator has already is refused as the contract would refuse it, also where this
account's coordinator would rather hand out the receipt of the earlier transaction: clients of the
original know the contract's names. A transaction that is out and not mined is not sent again; that
is the coordinator's work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from core.chain.contract.refusals import named
from core.errors import TransientError
from core.protocols import Coordinator

MAX_WAITING = 16
"""Submissions of one member that wait for their turn; honest nodes send one or two a round."""


@dataclass(frozen=True)
class Submission:
    """What a client wants done. kind: register, reward or winner, as in the outbox; value: the
    reward."""

    kind: str
    peer_id: str
    round: int = 0
    stage: int = 0
    value: int = 0
    winners: tuple[str, ...] = ()


class Desk:
    """Safe to use from several threads."""

    def __init__(self, connect: Callable[[], Coordinator], patience_s: float) -> None:
        """connect: cheap when called again; may raise WaggleError. patience_s: wait this long for
        one's turn."""
        self._connect = connect
        self._patience_s = patience_s
        self._turn = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)

    def submit(self, wanted: Submission) -> str:
        """The hash of the mined transaction. TransientError, or RefusedError with the contract's
        name of the error as its code."""
        if not self._waiting.acquire(blocking=False):
            raise _busy("too many submissions of this member wait already")
        try:
            if not self._turn.acquire(timeout=self._patience_s):
                raise _busy(f"its turn did not come within {self._patience_s:.0f} s")
            try:
                return _submit(self._connect(), wanted)
            finally:
                self._turn.release()
        finally:
            self._waiting.release()


def _submit(coordinator: Coordinator, wanted: Submission) -> str:
    number, stage, peer_id = wanted.round, wanted.stage, wanted.peer_id
    if wanted.kind == "register":
        if coordinator.owner_of(peer_id) is not None:
            raise named("PeerIdAlreadyRegistered")
        return coordinator.register(peer_id).tx_hash
    if wanted.kind == "reward":
        if coordinator.has_reward(number, stage, peer_id):
            raise named("RewardAlreadySubmitted")
        return coordinator.submit_reward(number, stage, wanted.value, peer_id).tx_hash
    if coordinator.has_voted(number, peer_id):
        raise named("WinnerAlreadyVoted")
    return coordinator.submit_winners(number, wanted.winners, peer_id).tx_hash


def _busy(why: str) -> TransientError:
    return TransientError("The login proxy is busy", why, "Ask again later")
