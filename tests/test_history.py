from __future__ import annotations

from pathlib import Path

from core import events
from core.history import MAX_RUNS, read_runs, runs
from core.journal import Journal
from tests.test_fold import finished, loaded, started


def run(first: int, rounds: int, checkpoint: int | None = None, **changes: object) -> list:
    body = [finished(n, **changes) for n in range(first, first + rounds)]
    return [started(time=900.0 + first), loaded(checkpoint), *body]


def test_fresh_weights_begin_a_run_and_a_checkpoint_goes_on_with_it() -> None:
    found = runs([*run(1, 5), *run(6, 4, checkpoint=5), *run(10, 3, loss=0.7)])
    assert [(r.first, r.last, r.rounds, r.starts) for r in found] == [(1, 9, 9, 2), (10, 12, 3, 1)]
    assert found[0].series["loss"].count == 9
    assert found[1].series["loss"].last == 0.7
    assert (found[0].started, found[0].ended) == (901.0, 1009.0)
    assert found[0].model == "m"


def test_a_start_without_a_round_is_a_run_without_one() -> None:
    found = runs([*run(1, 2), started(), loaded(None)])
    assert [(r.rounds, r.first) for r in found] == [(2, 1), (0, None)]


def test_what_is_left_of_a_thinned_journal_is_a_run() -> None:
    merged = events.RoundsMerged(
        round=40, first=1, last=40, rounds=40, values={"loss": [39, 1, 0.0, 5.0, 0.5]}
    )
    (found,) = runs([merged, finished(41)])
    assert (found.rounds, found.first, found.last) == (41, 1, 41)
    assert found.series["loss"].count == 40
    assert found.series["loss"].points(1)[0].high == 5.0


def test_thousands_of_starts_keep_the_newest_runs() -> None:
    history = [event for n in range(MAX_RUNS + 20) for event in run(10 * n, 1)]
    found = runs(history)
    assert len(found) == MAX_RUNS
    assert found[-1].first == 10 * (MAX_RUNS + 19)


def test_runs_are_read_page_by_page_and_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    bus = events.EventBus()
    journal = Journal(path, bus)
    journal.start()
    for event in [*run(1, 1500), events.Incident(code="x", what="y"), *run(2000, 3)]:
        bus.emit(event)
    journal.close()
    assert [r.rounds for r in read_runs(path)] == [1500, 3]
    asked = iter([False, True])
    assert [r.rounds for r in read_runs(path, lambda: next(asked))] == [998]
    assert read_runs(tmp_path / "none.db") == ()
