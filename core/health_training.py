"""Does it learn, and as fast as it used to: the rules of the verdict about training. Pure.

What the GRPO doctor calls grave is what is told here; its thresholds are in `grpo_doctor.py`.
"""

from __future__ import annotations

import statistics

from core.grpo_doctor import Diagnosis, diagnose
from core.grpo_figures import Figures, tail
from core.health_words import Told, sentence
from core.state import NodeState
from core.texts import _

NO_SIGNAL_ROUNDS = 10
WORTH = 0.02
"""A mean reward under this is none."""
NEWEST, EARLIER, ENOUGH = 5, 300, 30
"""The newest rounds against those before them, of which there must be enough."""
NEWEST_S = 60.0
"""What the newest rounds span at least: short ones would change the verdict every few seconds."""
SLOWER, SLOWER_S = 2.0, 1.0
"""Twice as long, and longer by more than this: below it nobody minds."""


def not_finite(state: NodeState, now: float) -> Told:
    """A loss or a gradient that is no number."""
    return _grave(diagnose(state), ("not_finite",))


def no_step(state: NodeState, now: float) -> Told:
    """Round after round without a training step."""
    skips = state.skips_in_a_row
    if skips < NO_SIGNAL_ROUNDS:
        return None
    why = state.last_skip.reason if state.last_skip else ""
    if why == "no_signal":
        why = _("all answers to a task earn the same")
    what = sentence(_("No training step for {n} rounds").format(n=skips), why)
    rewards = tail(state.series_of("reward/own"), EARLIER)
    before, here = rewards[:-skips][-NO_SIGNAL_ROUNDS:], rewards[-skips:]
    if before and here and (mean := statistics.mean(before)) > WORTH > max(here):
        return (
            _("{what}, {reward:.2f} before and nothing now").format(what=what, reward=mean),
            _("The weights may be spoiled: {advice}, and go back to an older checkpoint").format(
                advice=Figures(0, {}, state).lower_rate()
            ),
        )
    return what, _("Choose easier or harder tasks, or more generations")


def learning(state: NodeState, now: float) -> Told:
    """What the doctor finds grave in the last rounds, while there are rounds at all."""
    return _grave(diagnose(state))


def _grave(told: Diagnosis, codes: tuple[str, ...] = ()) -> Told:
    for finding in told.findings:
        if finding.grave and (not codes or finding.code in codes):
            return finding.what, finding.change[0].upper() + finding.change[1:]
    return None


def slow(state: NodeState, now: float) -> Told:
    """Rounds take much longer than they did on this very node, waiting excluded."""
    seconds = tail(state.series_of("seconds"), EARLIER)
    if len(seconds) < ENOUGH + NEWEST:
        return None
    newest = _newest(seconds)
    usual, here = statistics.median(seconds[:-newest]), statistics.median(seconds[-newest:])
    if here < SLOWER * usual or here - usual < SLOWER_S:
        return None
    what = _("Rounds take {seconds:.1f} s, {times:.1f} times as long as they did").format(
        seconds=here, times=here / max(usual, 1e-3)
    )
    longer = _times(state, "completion_length_mean", newest)
    if longer is not None and longer > SLOWER / 1.3:
        return (
            sentence(what, _("the answers are {times:.1f} times as long").format(times=longer)),
            _("That is the model's doing; sampling.max_new_tokens caps it"),
        )
    speed = _times(state, "tokens_per_s", newest)
    why = (
        _("it samples at {share:.0f} % of its usual speed").format(share=100 * speed)
        if speed and speed < 0.7
        else ""
    )
    return (
        sentence(what, why),
        _("See what else runs here (top), and whether the machine is hot or on battery"),
    )


def _newest(seconds: list[float]) -> int:
    """How many of the last rounds count as the newest; no more than leaves enough before them."""
    count, span = NEWEST, sum(seconds[-NEWEST:])
    while span < NEWEST_S and count < len(seconds) - ENOUGH:
        count += 1
        span += seconds[-count]
    return count


def _times(state: NodeState, name: str, newest: int) -> float | None:
    """The newest values over the usual ones."""
    values = tail(state.series_of(name), EARLIER)
    if len(values) < ENOUGH + newest:
        return None
    usual = statistics.median(values[:-newest])
    return statistics.median(values[-newest:]) / usual if usual > 0 else None


def hint(state: NodeState) -> str:
    """What the doctor would change while nothing is grave."""
    told = diagnose(state)
    return told.advice if told.findings else ""
