"""What the console's tests share: a recorded-like event history and a node that replays it.

The events go through a real EventBus and the real fold; only the training behind them is absent.
"""

from __future__ import annotations

import math
import threading

from core import config, events
from core.config import Effective
from core.home import Home
from core.journal import Journal

START = 1_790_000_000.0
ME = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
OTHERS = {
    "QmSoLPppuBtQSGwKDZT2M73ULpjvfd3aZ6ha4oFGL1KrGM": "quick amber otter",
    "QmSoLueR4xBeUbY9WZ9xGUUxunbKWcrNFTDAadQJmocnWm": "shy marble heron",
}
ACCOUNT = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


def begin(time: float = START, checkpoint_round: int | None = None) -> list[events.Event]:
    """A node that starts: what it emits before the first round."""
    return [
        events.NodeStarted(
            time=time,
            version="0.1.0",
            pid=4242,
            profile="trio",
            home="/home/ada/.local/share/waggle",
            peer_id=ME,
            name="calm golden badger",
            model="waggle-tiny",
            swarm="waggle",
        ),
        events.ServiceChanged(time=time, service="services", status="starting"),
        events.ServiceChanged(time=time, service="model", status="starting", detail="waggle-tiny"),
        events.ServiceChanged(time=time + 1, service="services", status="up"),
        events.ServiceChanged(time=time + 1, service="chain", status="up", detail=ACCOUNT),
        events.ServiceChanged(time=time + 1, service="net", status="up"),
        events.ModelLoaded(
            time=time + 2,
            model="waggle-tiny",
            parameters=1_800_000,
            dtype="float32",
            device="cpu",
            threads=2,
            seconds=1.4,
            checkpoint_round=checkpoint_round,
        ),
        events.ServiceChanged(time=time + 2, service="model", status="up"),
        events.LogLine(
            time=time + 2, level="info", source="core.training_room", text="model loaded in 1.4 s"
        ),
    ]


def round_events(
    number: int, time: float, peers: bool = True, unconfirmed: int = 0
) -> list[events.Event]:
    """One whole round of four seconds, ending at `time + 4`."""
    reward = 0.2 + 0.3 * (1 - math.exp(-number / 40)) + 0.03 * math.sin(number * 1.7)
    loss = 0.08 * math.exp(-number / 30) + 0.01 * math.sin(number * 2.3)
    out: list[events.Event] = [
        events.RoundStarted(time=time, round=number, tasks=["t"] * 8, deadline=time + 120),
        events.PhaseChanged(time=time, round=number, phase="sample", expected_s=2.5),
        events.RolloutShown(
            time=time + 2,
            round=number,
            task=f"chain_sum/7/{number}",
            peer_id=ME,
            question="State the final answer to the following arithmetic problem: 4 + 9 - 2 =",
            answer="11",
            best="4 + 9 = 13, 13 - 2 = 11\n<answer>11</answer>",
            best_reward=1.0,
            worst="<answer>15",
            worst_reward=0.0,
        ),
    ]
    if peers:
        out += [
            events.PeerSeen(
                time=time + 3,
                round=number,
                peer_id=peer,
                name=name,
                groups=8,
                used=4,
                reward_mean=reward - 0.02 * (1 + position),
                latency_ms=3.0 + position,
            )
            for position, (peer, name) in enumerate(OTHERS.items())
        ]
    tx = f"0x{number:064x}"
    out += [
        events.StepTrained(
            time=time + 4,
            round=number,
            step=number,
            loss=loss,
            grad_norm=0.4,
            groups=16,
            foreign_groups=8 if peers else 0,
            seconds=0.6,
        ),
        events.SubmissionChanged(
            time=time + 4,
            round=number,
            kind="reward",
            status="sent" if number == unconfirmed else "confirmed",
            value="3",
            tx_hash=tx,
        ),
        events.SubmissionChanged(
            time=time + 4, round=number, kind="winner", status="confirmed", value=ME, tx_hash=tx
        ),
        events.RoundFinished(
            time=time + 4,
            round=number,
            reward_mean=reward,
            swarm_reward_mean=reward - 0.015,
            loss=loss,
            seconds=3.6,
            wait_s=0.4,
            own_groups=8,
            foreign_groups=8 if peers else 0,
            rejected_groups=0,
            peers=2 if peers else 0,
            tokens_per_s=1240.0,
            rss_mib=812.0,
        ),
        events.LogLine(
            time=time + 4, level="info", source="core.worker", text=f"round {number} finished"
        ),
    ]
    return out


def history(rounds: int, peers: bool = True) -> list[events.Event]:
    """A start, `rounds` whole rounds of four seconds, and the middle of the next one."""
    out = begin()
    for number in range(1, rounds + 1):
        out += round_events(number, START + 4 * number, peers, unconfirmed=rounds)
    time = START + 4 * (rounds + 1)
    if rounds:
        out.append(
            events.CountersRead(time=time, participation=rounds, wins=rounds // 3, total_reward=41)
        )
    out += [
        events.RoundStarted(time=time, round=rounds + 1, tasks=["t"] * 8, deadline=time + 110),
        events.PhaseChanged(time=time, round=rounds + 1, phase="sample", expected_s=2.5),
        events.PhaseProgress(time=time, round=rounds + 1, phase="sample", done=40, total=64),
    ]
    return out


def now_of(rounds: int) -> float:
    """A moment one and a half seconds into the unfinished round of `history`."""
    return START + 4 * (rounds + 1) + 1.5


class ReplayNode:
    """A node as the console sees it: a real bus, and what it was asked."""

    def __init__(self, recorded: list[events.Event]) -> None:
        self.bus = events.EventBus()
        self.recorded = recorded
        self.asked: list[str] = []
        self.started = threading.Event()
        self.ended = threading.Event()
        self.error: Exception | None = None

    @property
    def running(self) -> bool:
        return not self.ended.is_set()

    def start(self) -> None:
        for event in self.recorded:
            self.bus.emit(event)
        self.started.set()

    def pause(self) -> None:
        self.asked.append("pause")
        self.bus.emit(events.Paused(time=START))

    def resume(self) -> None:
        self.asked.append("resume")
        self.bus.emit(events.Resumed(time=START))

    def stop(self, now: bool = False) -> None:
        self.asked.append("stop now" if now else "stop")
        self.ended.set()

    def join(self, timeout_s: float) -> bool:
        return self.ended.wait(timeout_s)

    def close(self) -> None:
        self.asked.append("close")


def effective(home: Home, *sets: str) -> Effective:
    return config.load("trio", home, env={}, sets=sets)


def keep(home: Home, recorded: list[events.Event]) -> None:
    """Write a journal as a node does."""
    home.create()
    bus = events.EventBus()
    journal = Journal(home.db, bus)
    journal.start()
    for event in recorded:
        bus.emit(event)
    journal.close()
