"""The verdict: is this node healthy, why not, and what to do next. Pure, from NodeState alone.

The checks of the machine itself, which look at disks and ports, are in `doctor.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core import health_rewards
from core.state import IncidentLine, NodeState

STARTING_S = 180.0
"""A start that takes longer than this is told as a trouble."""
STALLED_S = 300.0
RECENT_S = 300.0
NO_SIGNAL_ROUNDS = 10
WORTH_A_BACKUP = 20
"""Rounds trained after which a peer identity without a backup is worth a hint."""

NEEDED = ("model", "scorer")
"""Services without which nothing is trained."""


@dataclass(frozen=True)
class Verdict:
    """level: healthy, degraded, down, starting or paused. One sentence each for the rest."""

    level: str
    reason: str
    next_step: str = ""


def verdict(state: NodeState, now: float, alive: bool = True) -> Verdict:
    """The first rule that applies, worst first.

    now: Unix seconds. alive: False when it is known that no process runs on this home.
    """
    for rule in _RULES:
        told = rule(state, now, alive)
        if told is not None:
            return told
    return _healthy(state)


def _never(state: NodeState, now: float, alive: bool) -> Verdict | None:
    if state.node is not None:
        return None
    if alive and state.updated:
        return Verdict("starting", "The node is starting")
    return Verdict("down", "No node has run here yet", "Start one with ./waggle")


def _ended(state: NodeState, now: float, alive: bool) -> Verdict | None:
    if state.running and alive:
        return None
    if state.running:
        return Verdict(
            "down",
            "The node ended without a word: it was killed, or the machine went down",
            "Start it again with ./waggle; it goes on where it was",
        )
    if state.stop_reason == "asked":
        return Verdict("down", "The node was stopped", "Start it again with ./waggle")
    worst = _last_error(state)
    if worst is None:
        return Verdict("down", "The node failed", "See logs/node.log, then start it again")
    return Verdict("down", _reason(worst), worst.next_step or "Start it again with ./waggle")


def _paused(state: NodeState, now: float, alive: bool) -> Verdict | None:
    return (
        Verdict("paused", "Paused at a round boundary", "Press p to go on")
        if state.paused
        else None
    )


def _service_down(state: NodeState, now: float, alive: bool) -> Verdict | None:
    for name in NEEDED:
        service = state.services.get(name)
        if service is not None and service.status == "down":
            return Verdict(
                "down",
                _sentence(f"The {name} is down", service.detail),
                "See the log for the cause",
            )
    return None


def _starting(state: NodeState, now: float, alive: bool) -> Verdict | None:
    started = state.node.time if state.node else now
    last = state.last_round
    if (last is not None and last.time >= started) or state.round_started >= started:
        return None
    failed = _recent_error(state, now)
    if failed is not None:
        return None
    waited = now - started
    if waited <= STARTING_S:
        return Verdict("starting", "The node is starting")
    slow = {n: s for n, s in state.services.items() if s.status == "starting"}
    names = [f"{name} ({s.detail})" if s.detail else name for name, s in slow.items()]
    waits_for = f"waiting for {', '.join(names)}" if names else "the first round has not begun"
    return Verdict(
        "degraded",
        f"The node has been starting for {_duration(waited)}: {waits_for}",
        "See the log; a large model takes minutes to load, a network may be unreachable",
    )


def _stalled(state: NodeState, now: float, alive: bool) -> Verdict | None:
    phase, last = state.phase, state.last_round
    usual = (last.seconds + last.wait_s) if last else 0.0
    patience = max(STALLED_S, 8 * usual)
    if phase.name in ("wait", "paused"):
        if phase.since and now - phase.since > patience:
            return Verdict(
                "degraded",
                _sentence(f"Waiting for {_duration(now - phase.since)}", phase.detail),
                "Check that the coordinator's clock moves: `waggle doctor`",
            )
        return None
    newest = max(state.updated, phase.since)
    if newest and now - newest > patience:
        what = f" in phase {phase.name}" if phase.name else ""
        return Verdict(
            "degraded",
            f"Nothing has happened for {_duration(now - newest)}{what}",
            "See the log; if the machine was asleep, it goes on by itself",
        )
    return None


def _failing(state: NodeState, now: float, alive: bool) -> Verdict | None:
    worst = _recent_error(state, now)
    return None if worst is None else Verdict("degraded", _reason(worst), worst.next_step)


def _service_ill(state: NodeState, now: float, alive: bool) -> Verdict | None:
    for name, service in state.services.items():
        if service.status in ("down", "degraded"):
            return Verdict(
                "degraded",
                _sentence(f"{_service_name(name)} is {service.status}", service.detail),
                _SERVICE_STEPS.get(name, "It is started again by itself; see the log if it is not"),
            )
    return None


def _not_counted(state: NodeState, now: float, alive: bool) -> Verdict | None:
    return _degraded(health_rewards.not_counted(state))


def _counting(state: NodeState, now: float, alive: bool) -> Verdict | None:
    return _degraded(
        health_rewards.obstacle(state, now)
        or health_rewards.gas_low(state)
        or health_rewards.queue(state, now)
        or health_rewards.refused(state, now)
    )


def _degraded(told: health_rewards.Told) -> Verdict | None:
    return None if told is None else Verdict("degraded", *told)


def _no_signal(state: NodeState, now: float, alive: bool) -> Verdict | None:
    if state.skips_in_a_row < NO_SIGNAL_ROUNDS:
        return None
    why = state.last_skip.reason if state.last_skip else ""
    return Verdict(
        "degraded",
        f"No training step for {state.skips_in_a_row} rounds ({why})",
        "All answers earn the same: choose easier or harder tasks, or more generations",
    )


_RULES: tuple[Callable[[NodeState, float, bool], Verdict | None], ...] = (
    _never,
    _ended,
    _paused,
    _service_down,
    _starting,
    _stalled,
    _not_counted,
    _failing,
    _service_ill,
    _counting,
    _no_signal,
)

_SERVICE_STEPS = {
    "chain": "Rewards are kept here until the chain answers; check chain.rpc_url",
    "net": "Training goes on alone; check your connection and net.bootnodes",
    "journal": "Free some disk space",
}


def _healthy(state: NodeState) -> Verdict:
    last = state.last_round
    if last is None:
        return Verdict("healthy", f"Training round {state.round}")
    foreign = f"{last.foreign_groups} group{'s' if last.foreign_groups > 1 else ''}"
    shared = f", trained on {foreign} of others" if last.foreign_groups else ""
    reason = f"Round {last.round} finished in {last.seconds:.1f} s{shared}"
    return Verdict("healthy", reason, _hint(state))


def _hint(state: NodeState) -> str:
    """What would be good to do while all is well."""
    if state.backed_up is None and state.ledger.trained >= WORTH_A_BACKUP:
        return "There is no copy of this node's key yet: waggle identity backup"
    return health_rewards.hint(state)


def _last_error(state: NodeState) -> IncidentLine | None:
    return next((line for line in reversed(state.incidents) if line.level == "error"), None)


def _recent_error(state: NodeState, now: float) -> IncidentLine | None:
    """The newest error that no finished round has outlived."""
    worst = _last_error(state)
    if worst is None or now - worst.last > RECENT_S:
        return None
    started = state.node.time if state.node else 0.0
    finished = state.last_round.time if state.last_round else 0.0
    return worst if worst.last >= max(started, finished) else None


def _reason(line: IncidentLine) -> str:
    times = f" ({line.count} times)" if line.count > 1 else ""
    return _sentence(line.what + times, line.why)


def _sentence(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def _service_name(name: str) -> str:
    names = {"net": "The network", "chain": "The chain", "services": "The swarm's services"}
    return names.get(name, f"The {name}" if not name.startswith("node-") else name.capitalize())


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
