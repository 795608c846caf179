"""The verdict does not flip: what comes back is told until it stays away."""

from __future__ import annotations

from core import events, fold
from core.health import verdict
from tests.health_support import NOW, rounds
from tests.test_fold import finished, started


def changes(history: list[events.Event]) -> list[str]:
    """The levels of a history as it went, each time that they changed."""
    state, levels = fold.replay(history[:1]), []
    for event in history[1:]:
        state = fold.fold(state, event)
        level = verdict(state, max(state.updated, event.time)).level
        if level != (levels or [""])[-1]:
            levels.append(level)
    return levels


def failed(code: str, at: float) -> events.Incident:
    return events.Incident(code=code, what="It broke", why="", next_step="", level="error", time=at)


def test_a_checkpoint_that_cannot_be_written_is_told_until_one_is() -> None:
    """Every fifth round fails to save; the rounds between them are well."""
    history = [started(time=NOW)]
    for number in range(1, 41):
        history.append(finished(number, time=NOW + 2 * number))
        if number % 5 == 0:
            history.append(failed("checkpoint_failed", NOW + 2 * number))
    assert changes(history) == ["healthy", "degraded"]
    saved = events.CheckpointSaved(path="p", size_bytes=9, seconds=1, time=NOW + 90)
    assert changes([*history, saved]) == ["healthy", "degraded", "healthy"]


def test_rounds_that_fail_now_and_then_do_not_flip_the_verdict() -> None:
    history = [started(time=NOW), finished(1, time=NOW + 1)]
    for number in range(2, 60):
        history.append(failed("round_failed", NOW + 4 * number))
        history.append(finished(number, time=NOW + 4 * number + 2))
    assert changes(history)[-1] == "degraded"
    assert len(changes(history)) <= 6  # the first two are told as what they seem: alone
    quiet = [finished(n, time=NOW + 4 * n) for n in range(60, 160)]
    assert changes([*history, *quiet])[-1] == "healthy"


def test_a_long_evaluation_is_not_told_as_a_hang() -> None:
    evaluating = events.PhaseChanged(round=6, phase="eval", time=NOW - 1200)
    state = fold.replay([started(time=NOW - 5000), *rounds(9), evaluating])
    assert verdict(state, NOW).level == "healthy"
    assert "phase eval" in verdict(state, NOW + 2000).reason


def test_a_clock_that_is_set_back_does_not_make_a_node_start_anew() -> None:
    before = [started(time=NOW), *rounds(3)]
    back = NOW - 3600
    after = [
        events.RoundStarted(round=4, time=back),
        events.PhaseChanged(round=4, phase="sample", time=back),
    ]
    assert verdict(fold.replay([*before, *after]), back + 1).level == "healthy"
    ended = finished(4, time=back + 2)
    assert verdict(fold.replay([*before, *after, ended]), back + 3).level == "healthy"


def test_a_clock_that_is_set_forward_is_forgotten_with_the_next_round() -> None:
    state = fold.replay([started(time=NOW - 500), *rounds(9)])
    later = NOW + 7200
    assert "asleep" in verdict(state, later).next_step
    goes_on = fold.fold(state, finished(10, time=later + 1))
    assert verdict(goes_on, later + 2).level == "healthy"
