"""The round clock of a hosted swarm: when every active peer is done, the round is over.

Done means: its reward for the round is on the chain. Active means: registered or heard of in this
round or the one before, and not late since. The deadline moves the round on without the late
ones, which are no longer waited for until they submit again; a round in which nobody is done
stays. It reads the chain's logs as they come; it holds no state that a restart could lose.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.chain import codec
from core.chain.chainclient import ChainClient
from core.chain.evm import Evm

IDLE_S = 0.2
"""The clock looks this often when the chain does not grow; growth wakes it at once."""


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

    def registered(self, peer_id: str) -> None:
        self.active.add(peer_id)

    def rewarded(self, peer_id: str, round: int, stage: int) -> None:
        """Any reward, also for an earlier round, is a sign of life."""
        self.active.add(peer_id)
        if (round, stage) == (self.round, self.stage):
            self.done.add(peer_id)

    def is_over(self, now: float) -> bool:
        if not self.done:
            return False
        return self.active <= self.done or now >= self.deadline

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
        while not self._stop.is_set():
            try:
                advanced = self.step()
            except Exception as error:  # noqa: BLE001 - the services process must hear of it
                self._on_error(error)
                return
            if not advanced:
                self._wait()

    def _wait(self) -> None:
        """Until the chain grows, the deadline passes, or a while."""
        left = self._now.deadline - time.time()
        self._evm.wait_growth(self._height, min(IDLE_S, left) if left > 0 else IDLE_S)

    def _resumed(self) -> Attendance:
        """Where the chain stands. Active are those who took part in this round or the last."""
        number, stage = self._position()
        now = Attendance(number, stage, time.time() + self._timeout_s)
        recent = [number.to_bytes(32, "big"), max(0, number - 1).to_bytes(32, "big")]
        self._height = height = self._evm.height()
        kinds = [codec.topic("RewardSubmitted")]
        for entry in self._evm.logs(0, height, [self._client.address], [kinds, [], recent]):
            told = codec.decode_event("RewardSubmitted", entry.topics, entry.data)
            now.rewarded(told["peerId"], told["roundNumber"], told["stageNumber"])
        return now

    def _position(self) -> tuple[int, int]:
        (number,), (stage,) = self._client.read("currentRound"), self._client.read("currentStage")
        return int(number), int(stage)

    def _read_new(self) -> None:
        height = self._evm.height()
        if height <= self._height:
            return
        names = {codec.topic(name): name for name in ("PeerRegistered", "RewardSubmitted")}
        address = self._client.address
        for entry in self._evm.logs(self._height + 1, height, [address], [list(names)]):
            told = codec.decode_event(names[entry.topics[0]], entry.topics, entry.data)
            if names[entry.topics[0]] == "PeerRegistered":
                self._now.registered(told["peerId"])
            else:
                self._now.rewarded(told["peerId"], told["roundNumber"], told["stageNumber"])
        self._height = height
