"""The round clock of a hosted swarm: when every active peer is done, the round is over.

Done means: its reward for the round is on the chain. Active means: registered or heard of in this
round or the one before, and not late since. The deadline moves the round on without the late
ones, which are no longer waited for until they submit again; a round in which nobody is done
stays. It reads the chain's logs as they come; it holds no state that a restart could lose. What
keeps it from moving a round on, such as a full disk, it tells and tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from core.chain import codec
from core.chain.chainclient import ChainClient
from core.chain.chainreader import LogEntry
from core.chain.evm import Evm
from core.errors import WaggleError

IDLE_S = 0.2
"""The clock looks this often when the chain does not grow; growth wakes it at once."""
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
SPAN = 2000
"""Blocks asked for logs at a time: fewer logs than one answer holds."""
_ATTENDANCE = ("PeerRegistered", "RewardSubmitted")


@dataclass
class Attendance:
    """Who is waited for, and who is done, in one round. Pure: fed with facts, asked for a verdict.

    deadline: in the units of the caller's `now`.
    """

    round: int
    stage: int
    deadline: float
    active: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    awaited: set[str] = field(init=False)
    """active without done: kept, since with many peers it costs time to find out."""

    def __post_init__(self) -> None:
        self.awaited = self.active - self.done

    def registered(self, peer_id: str) -> None:
        self.active.add(peer_id)
        if peer_id not in self.done:
            self.awaited.add(peer_id)

    def rewarded(self, peer_id: str, round: int, stage: int) -> None:
        """Any reward, also for an earlier round, is a sign of life."""
        if (round, stage) == (self.round, self.stage):
            self.done.add(peer_id)
            self.awaited.discard(peer_id)
        self.registered(peer_id)

    def is_over(self, now: float) -> bool:
        if not self.done:
            return False
        return not self.awaited or now >= self.deadline

    def following(self, round: int, stage: int, now: float, timeout_s: float) -> Attendance:
        """The next round: whoever was late is not waited for."""
        return Attendance(round, stage, now + timeout_s, set(self.done))


class Clock:
    """Thread `clock`: owns the stage manager's transactions of the swarm hosted here."""

    def __init__(
        self,
        evm: Evm,
        client: ChainClient,
        timeout_s: float,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._evm = evm
        self._client = client
        self._timeout_s = timeout_s
        self._on_error = on_error
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._height = -1
        self._now = self._resumed()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    def shown(self) -> dict[str, Any]:
        """For `waggle_clock`. deadline: Unix seconds, or None when the round waits for anybody."""
        with self._lock:
            now = self._now
            waiting = now.deadline > time.time()
            return {
                "round": now.round,
                "stage": now.stage,
                "deadline": now.deadline if waiting else None,
                "active": len(now.active),
                "done": len(now.done),
            }

    def step(self) -> bool:
        """Read what is new and advance if the round is over; whether it did."""
        with self._lock:
            self._read_new()
            if not self._now.is_over(time.time()):
                return False
            self._client.send("updateStageAndRound")
            number, stage = self._position()
            self._now = self._now.following(number, stage, time.time(), self._timeout_s)
            return True

    def _run(self) -> None:
        retry_s = FIRST_RETRY_S
        while not self._stop.is_set():
            try:
                advanced = self.step()
            except WaggleError as error:
                # The disk is full, or somebody took the role: the devnet goes on meanwhile.
                logging.warning("The round clock waits. %s", error)
                self._stop.wait(retry_s)
                retry_s = min(LAST_RETRY_S, 2 * retry_s)
                continue
            except Exception as error:  # noqa: BLE001 - the services process must hear of it
                self._on_error(error)
                return
            retry_s = FIRST_RETRY_S
            if not advanced:
                self._wait()

    def _wait(self) -> None:
        """Until the chain grows, the deadline passes, or a while."""
        left = self._now.deadline - time.time()
        self._evm.wait_growth(self._height, min(IDLE_S, left) if left > 0 else IDLE_S)

    def _resumed(self) -> Attendance:
        """Where the chain stands. Active are those who took part in this round or the last, or
        registered in this one."""
        number, stage = self._position()
        now = Attendance(number, stage, time.time() + self._timeout_s)
        self._height = height = self._evm.height()
        began = 0
        registered: list[tuple[int, str]] = []
        for last in range(height, -1, -SPAN):
            reached = False
            for block, name, told in self._events(
                max(0, last - SPAN + 1), last, "RoundAdvanced", *_ATTENDANCE
            ):
                if name == "RoundAdvanced":
                    began = max(began, block)
                    reached = reached or told["newRoundNumber"] < number
                elif name == "PeerRegistered":
                    registered.append((block, told["peerId"]))
                elif told["roundNumber"] >= number - 1:
                    now.rewarded(told["peerId"], told["roundNumber"], told["stageNumber"])
            if reached:
                break
        for block, peer_id in registered:
            if block > began:
                now.registered(peer_id)
        return now

    def _position(self) -> tuple[int, int]:
        (number,), (stage,) = self._client.read("currentRound"), self._client.read("currentStage")
        return int(number), int(stage)

    def _read_new(self) -> None:
        height = self._evm.height()
        for first in range(self._height + 1, height + 1, SPAN):
            last = min(height, first + SPAN - 1)
            for _, name, told in self._events(first, last, *_ATTENDANCE):
                if name == "PeerRegistered":
                    self._now.registered(told["peerId"])
                else:
                    self._now.rewarded(told["peerId"], told["roundNumber"], told["stageNumber"])
            self._height = last

    def _events(
        self, first: int, last: int, *names: str
    ) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """(block, event, its fields), oldest first."""
        topics = {codec.topic(name): name for name in names}
        found: list[LogEntry] = self._evm.logs(first, last, [self._client.address], [list(topics)])
        for entry in found:
            name = topics[entry.topics[0]]
            yield entry.block, name, codec.decode_event(name, entry.topics, entry.data)
