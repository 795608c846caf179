"""The round loop's own logic: order, failures, stop, pause. The rooms are in-test doubles here;
`test_end_to_end.py` runs the loop with the real ones."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from core import events
from core.commands import Commands
from core.errors import StorageError, TransientError
from core.parts import Parts
from core.protocols import Engine, EvalReport, Interrupted, Progress, StepReport
from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.schema import Config
from core.worker import PRACTICE_ROUNDS, NodeWorker
from tests.conftest import wait_until


class Game:
    rules_digest = "test"

    def __init__(self) -> None:
        self.scheduled: list[int] = []

    def schedule(self, peer_id: str, round: int) -> list[TaskId]:
        self.scheduled.append(round)
        return [TaskId("chain_sum", 1000, round % 1000)]

    def task(self, task_id: TaskId) -> Task:
        return Task(task_id, "1 + 1?", "2")

    def score(self, task: Task, completions: Sequence[str]) -> list[float]:
        return [float(text == "2") for text in completions]

    def close(self) -> None: ...


@dataclass
class TestEngine:
    """Answers "2" and "3"; fails or blocks on demand."""

    __test__ = False
    step: int = 0
    fail_updates: int = 0
    block: threading.Event | None = None
    updates: list[int] = field(default_factory=list)
    drawn_with: dict[str, float | str] = field(default_factory=lambda: {"temperature": 1.0})

    def sample(
        self, tasks: Sequence[Task], stop: threading.Event, progress: Progress | None = None
    ) -> list[RolloutGroup]:
        if self.block is not None:
            self.block.set()
            if stop.wait(20):
                raise Interrupted
        rollouts = (Rollout("2", (1,), (-0.1,)), Rollout("3", (2,), (-0.2,)))
        return [RolloutGroup(task.id, "", 0, rollouts) for task in tasks]

    def update(self, groups: Sequence[RolloutGroup], tasks: dict[TaskId, Task]) -> StepReport:
        if self.fail_updates:
            self.fail_updates -= 1
            raise RuntimeError("the device is gone")
        self.step += 1
        self.updates.append(len(groups))
        return StepReport(0.25, 1.0, self.step)

    def save(self, path: str, extra: dict[str, object]) -> int:
        return 1

    def load(self, path: str) -> dict[str, object]:
        return {}


class TestClock:
    """Gives the rounds it is told; None is an unreachable coordinator; the last one stays."""

    __test__ = False

    def __init__(self, *rounds: int | None) -> None:
        self.rounds = list(rounds)
        self.now: int | None = None

    def read(self) -> tuple[int, int]:
        self.now = self.rounds.pop(0) if len(self.rounds) > 1 else self.rounds[0]
        return self._answer(), 0

    def deadline(self) -> float | None:
        self._answer()
        return None

    def _answer(self) -> int:
        if self.now is None:
            raise TransientError("The chain does not answer")
        return self.now


@dataclass
class TestLedger:
    __test__ = False
    rows: list[tuple[int, int, list[str]]] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    full: int = 0

    def has_round(self, round: int, stage: int) -> bool:
        return round in self.known

    def record_round(
        self, round: int, stage: int, reward: int, reward_mean: float, winners: Sequence[str]
    ) -> None:
        if self.full:
            self.full -= 1
            raise StorageError("Cannot write node.db", "No space left on device")
        assert round not in self.known
        self.known.add(round)
        self.rows.append((round, reward, list(winners)))


@dataclass
class TestCheckpoints:
    __test__ = False
    saved: list[int] = field(default_factory=list)
    fail: bool = False

    def save(self, engine: Engine, round: int, extra: dict[str, object]) -> tuple[str, int]:
        if self.fail:
            raise StorageError("Cannot write checkpoints", "No space left on device")
        self.saved.append(round)
        return "checkpoint", 1


class Bench:
    """A worker with its doubles and everything that it said."""

    def __init__(self, clock: TestClock, max_rounds: int | None = None) -> None:
        self.commands = Commands()
        self.events: list[events.Event] = []
        self.game, self.engine = Game(), TestEngine()
        self.ledger, self.checkpoints = TestLedger(), TestCheckpoints()
        self.closed = False
        self.parts = Parts(
            peer_id="me",
            config=Config(),
            game=self.game,
            engine=self.engine,
            exchange=None,
            clock=clock,
            ledger=self.ledger,
            checkpoints=self.checkpoints,
            evaluate=lambda stop: EvalReport(0, 0, 0, 0, 0),
            rss_mib=lambda: 1.0,
            close=self._close,
        )
        self.worker = NodeWorker(
            lambda _: self.parts, self.commands, self.events.append, max_rounds
        )

    def _close(self) -> None:
        self.closed = True

    def run(self) -> Bench:
        self.worker.start()
        self.worker.join(30)
        assert not self.worker.is_alive()
        return self

    def of(self, kind: type[events.Event]) -> list[events.Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def incidents(self) -> list[str]:
        return [e.code for e in self.events if isinstance(e, events.Incident)]


def test_rounds_are_played_recorded_and_announced_in_order() -> None:
    bench = Bench(TestClock(3, 4, 5), max_rounds=3).run()
    assert [row[0] for row in bench.ledger.rows] == [3, 4, 5]
    assert bench.ledger.rows[0] == (3, 1, ["me"])
    finished = bench.of(events.RoundFinished)
    assert [event.round for event in finished] == [3, 4, 5]
    assert finished[0].reward_mean == 0.5  # type: ignore[attr-defined]
    assert bench.worker.error is None
    assert bench.closed


def test_a_round_shows_its_rollouts_before_it_trains_on_them() -> None:
    bench = Bench(TestClock(3), max_rounds=1).run()
    (shown,) = bench.of(events.RolloutShown)
    assert (shown.round, shown.peer_id, shown.outcome) == (3, "me", "trained")  # type: ignore[attr-defined]
    assert (shown.best, shown.worst) == ("2", "3")  # type: ignore[attr-defined]
    order = [type(event) for event in bench.events]
    assert order.index(events.RolloutShown) < order.index(events.StepTrained)


def test_a_round_is_played_once_however_often_the_clock_says_it() -> None:
    bench = Bench(TestClock(3, 3, 3, 7), max_rounds=2).run()
    assert bench.game.scheduled == [3, 7]


def test_a_round_recorded_before_a_restart_is_not_trained_again() -> None:
    bench = Bench(TestClock(3, 3, 4), max_rounds=1)
    bench.ledger.known.add(3)
    bench.run()
    assert [row[0] for row in bench.ledger.rows] == [4]


def test_a_coordinator_that_goes_away_between_two_questions_costs_no_more_than_a_round() -> None:
    bench = Bench(TestClock(3, 4), max_rounds=2)
    known = bench.ledger.has_round

    def once(round: int, stage: int) -> bool:
        bench.ledger.has_round = known  # type: ignore[method-assign]
        raise TransientError("It is gone")

    bench.ledger.has_round = once  # type: ignore[method-assign]
    bench.run()
    assert bench.worker.error is None
    assert [row[0] for row in bench.ledger.rows] == [4], "the other one was practice"
    assert bench.incidents() == ["clock_unreachable"]


def test_without_the_coordinator_it_practises_and_records_nothing() -> None:
    bench = Bench(TestClock(None, None, 6), max_rounds=3).run()
    assert bench.game.scheduled == [PRACTICE_ROUNDS + 1, PRACTICE_ROUNDS + 2, 6]
    assert [row[0] for row in bench.ledger.rows] == [6]
    assert bench.incidents() == ["clock_unreachable", "clock_unreachable"]


def test_a_failed_update_is_told_and_the_round_tried_again() -> None:
    bench = Bench(TestClock(3), max_rounds=1)
    bench.engine.fail_updates = 1
    bench.run()
    assert bench.incidents() == ["round_failed"]
    assert [row[0] for row in bench.ledger.rows] == [3]


def test_a_full_disk_holds_the_round_until_it_can_be_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(TestClock(3), max_rounds=1)
    bench.ledger.full = 2
    monkeypatch.setattr("core.worker.FULL_DISK_PAUSE_S", 0.01)
    bench.run()
    assert bench.incidents() == ["ledger_unwritable", "ledger_unwritable"]
    assert [row[0] for row in bench.ledger.rows] == [3]


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_node() -> None:
    bench = Bench(TestClock(3, 4), max_rounds=2)
    bench.checkpoints.fail = True
    bench.run()
    assert len(bench.ledger.rows) == 2
    assert "checkpoint_failed" in bench.incidents()


def test_stopping_saves_what_was_trained() -> None:
    bench = Bench(TestClock(3, 4), max_rounds=2).run()
    assert bench.checkpoints.saved == [4]


def test_stop_now_abandons_the_round_without_a_trace() -> None:
    bench = Bench(TestClock(3))
    bench.engine.block = threading.Event()
    bench.worker.start()
    assert bench.engine.block.wait(10)
    bench.commands.stop(now=True)
    bench.worker.join(10)
    assert not bench.worker.is_alive()
    assert bench.ledger.rows == []
    assert bench.worker.error is None


def test_pause_and_resume_at_the_boundary() -> None:
    bench = Bench(TestClock(3, 4), max_rounds=2)
    bench.commands.pause()
    bench.worker.start()
    wait_until(lambda: bool(bench.of(events.Paused)), 10)
    assert bench.ledger.rows == []
    bench.commands.resume()
    bench.worker.join(20)
    assert len(bench.of(events.Resumed)) == 1
    assert [row[0] for row in bench.ledger.rows] == [3, 4]
