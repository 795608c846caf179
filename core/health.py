"""The verdict: is this node healthy, why not, and what to do next. Pure, from NodeState alone.

One rule after the other is asked, and the first that has something to say is the verdict. Their
order is that of what a person must know first:

1. Is there a node at all: never started, ended, paused by a person.
2. Can it train: a part that nothing works without is down; it is starting; it hangs; it crashes
   again and again.
3. Is all of it for nothing: its peer id belongs to another account.
4. What ends or spoils it next: an error of a moment ago, a checkpoint not saved, a full disk, a
   full memory, a loss that is no number.
5. Does it count: network, chain and services; what stands between outbox and coordinator.
6. Is it with the others: the clock, rounds behind, nobody there.
7. Does it learn, and as fast as before.

A part that is ill behind one that is worse is told as soon as that one is mended. While all is
well the next step is a hint: a key without a copy, rewards that nobody submits, what the GRPO
doctor would change. The rules are in `health_*.py`; the checks of the machine itself, which look
at ports and processes, in `doctor.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from core import (
    health_life,
    health_machine,
    health_rewards,
    health_swarm,
    health_training,
)
from core.health_words import Told, Verdict, degraded
from core.state import NodeState
from core.texts import _, many

Rule = Callable[[NodeState, float, bool], Verdict | None]
NOTHING_TO_DO = _("Nothing to do")


def verdict(state: NodeState, now: float, alive: bool = True) -> Verdict:
    """The first rule that applies, worst first; never empty, and never without a next step.

    now: Unix seconds. alive: False when it is known that no process runs on this home.
    """
    for rule in _RULES:
        told = rule(state, now, alive)
        if told is not None:
            return told
    return _healthy(state)


def _part(*rules: Callable[[NodeState, float], Told]) -> Rule:
    """Rules about a part: what they say makes the node degraded."""

    def rule(state: NodeState, now: float, alive: bool) -> Verdict | None:
        return degraded(next((told for each in rules if (told := each(state, now))), None))

    return rule


_RULES: tuple[Rule, ...] = (
    health_life.never,
    health_life.ended,
    health_life.paused,
    health_life.service_down,
    health_life.starting,
    health_life.stalled,
    health_life.restarting,
    _part(lambda state, now: health_rewards.not_counted(state)),
    health_life.failing,
    health_life.unsaved,
    _part(health_machine.disk, health_machine.memory, health_training.not_finite),
    health_life.service_ill,
    _part(
        health_rewards.obstacle,
        health_rewards.twin,
        lambda state, now: health_rewards.gas_low(state),
        health_rewards.queue,
        health_rewards.refused,
    ),
    _part(health_swarm.clock_skew, health_swarm.behind, health_swarm.alone),
    _part(health_training.no_step, health_training.learning, health_training.slow),
)


def _healthy(state: NodeState) -> Verdict:
    return Verdict("healthy", _doing_well(state), _hint(state) or NOTHING_TO_DO)


def _doing_well(state: NodeState) -> str:
    last = state.last_round
    if last is None:
        known = state.round is not None
        return _("Training round {round}").format(round=state.round) if known else _("Training")
    told = _("Round {round} finished in {seconds:.1f} s")
    if last.foreign_groups:
        told = many(
            "Round {round} finished in {seconds:.1f} s, trained on {n} group of others",
            "Round {round} finished in {seconds:.1f} s, trained on {n} groups of others",
            last.foreign_groups,
        )
    return told.format(round=last.round, seconds=last.seconds, n=last.foreign_groups)


def _hint(state: NodeState) -> str:
    """What would be good to do while all is well."""
    return health_machine.hint(state) or health_rewards.hint(state) or health_training.hint(state)
