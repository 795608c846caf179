"""Does it live: the rules of the verdict about the process, its services and its round loop. Pure.

A rule gives a whole verdict, for here the levels differ, or None when its part is well.
"""

from __future__ import annotations

import statistics

from core.health_words import Verdict, duration, sentence
from core.series import GAP
from core.state import IncidentLine, NodeState
from core.texts import _, many

STARTING_S = 180.0
"""A start that takes longer than this is told as a trouble."""
STALLED_S = 300.0
FIRST_ROUND_S = 1800.0
"""A round loop whose usual pace nobody knows yet may be silent for so long."""
PATIENCE = 8
"""So many usual rounds without a sign of life are too many."""
RECENT_S = 300.0
OFTEN = 3
"""So many times, less than `RECENT_S` apart, an error is one that lasts."""
UNSAVED = "checkpoint_failed"
"""The code of its incident (`core.upkeep`)."""
CRASHES, CRASHES_S = 3, 3600.0
"""So many ends that nobody asked for, in so many seconds, will not mend themselves."""

NEEDED = ("model", "scorer")
"""Services without which nothing is trained."""
SERVICE_STEPS = {
    "chain": _("Rewards are kept here until the chain answers; check chain.rpc_url"),
    "net": _("Training goes on alone; check your connection and net.bootnodes"),
    "journal": _("Free some disk space"),
}
HOSTED = _("Rewards are kept here. It runs on this machine: see the log, or start the node again")
"""What to do about a chain of one's own."""
AGAIN = _("Start it again with ./waggle")
SEE_LOG = _("See the log for the cause: waggle doctor checks this machine")


def never(state: NodeState, now: float, alive: bool) -> Verdict | None:
    if state.node is not None:
        return None
    if alive and state.updated:
        return Verdict("starting", _("The node is starting"), _("It goes on by itself"))
    return Verdict("down", _("No node has run here yet"), _("Start one with ./waggle"))


def ended(state: NodeState, now: float, alive: bool) -> Verdict | None:
    if state.running and alive:
        return None
    if state.running:
        return Verdict(
            "down",
            _("The node ended without a word: it was killed, or the machine went down"),
            _("Start it again with ./waggle; it goes on where it was"),
        )
    if state.stop_reason == "asked":
        return Verdict("down", _("The node was stopped"), AGAIN)
    worst = _last_error(state)
    if worst is None:
        return Verdict("down", _("The node failed"), _("See logs/node.log, then start it again"))
    return Verdict("down", _reason(worst), worst.next_step or AGAIN)


def paused(state: NodeState, now: float, alive: bool) -> Verdict | None:
    told = Verdict("paused", _("Paused at a round boundary"), _("Press p to go on"))
    return told if state.paused else None


def service_down(state: NodeState, now: float, alive: bool) -> Verdict | None:
    for name in NEEDED:
        service = state.services.get(name)
        if service is not None and service.status == "down":
            return Verdict(
                "down", sentence(_("The {name} is down").format(name=name), service.detail), SEE_LOG
            )
    return None


def starting(state: NodeState, now: float, alive: bool) -> Verdict | None:
    started = state.node.time if state.node else now
    last = state.last_round
    if state.phase.name not in ("", "start"):
        return None  # whatever the clock says: it may have been set back meanwhile
    if (last is not None and last.time >= started) or state.round_started >= started:
        return None
    if _recent_error(state, now) is not None:
        return None
    waited = now - started
    slow = {n: s for n, s in state.services.items() if s.status == "starting"}
    names = [f"{name} ({s.detail})" if s.detail else name for name, s in slow.items()]
    if waited <= STARTING_S:
        return Verdict("starting", _("The node is starting"), _("It goes on by itself"))
    told = _("The node has been starting for {time}: the first round has not begun")
    if names:
        told = _("The node has been starting for {time}: waiting for {services}")
    return Verdict(
        "degraded",
        told.format(time=duration(waited), services=", ".join(names)),
        _("See the log; a large model takes minutes to load, a network may be unreachable"),
    )


def stalled(state: NodeState, now: float, alive: bool) -> Verdict | None:
    """The round loop gives no sign of life. What the network or the outbox tell is none."""
    phase, patience = state.phase, _patience(state)
    if phase.name in ("wait", "paused"):
        if phase.since and now - phase.since > patience:
            return Verdict(
                "degraded",
                sentence(
                    _("Waiting for {time}").format(time=duration(now - phase.since)), phase.detail
                ),
                _("Check that the coordinator's clock moves: `waggle doctor`"),
            )
        return None
    if phase.name == "eval":  # nobody counts in it, and it may take many rounds' time
        patience = max(patience, FIRST_ROUND_S)
    newest = max(state.worked, phase.since)
    if newest and now - newest > patience:
        told = _("Nothing has happened for {time}")
        if phase.name:
            told = _("Nothing has happened for {time} in phase {phase}")
        return Verdict(
            "degraded",
            told.format(time=duration(now - newest), phase=phase.name),
            _("See the log; if the machine was asleep, it goes on by itself, else start it again"),
        )
    return None


def _patience(state: NodeState) -> float:
    last, seconds = state.last_round, state.series_of("seconds").y[-20:]
    known = [value for value in seconds if value != GAP]
    if last is None or not known:
        return FIRST_ROUND_S
    usual = max(last.seconds + last.wait_s, statistics.median(known))
    return max(STALLED_S, PATIENCE * usual)


def restarting(state: NodeState, now: float, alive: bool) -> Verdict | None:
    recent = [at for at in state.crashes if now - at <= CRASHES_S]
    if len(recent) < CRASHES:
        return None
    worst = _last_error(state)
    why = _reason(worst) if worst is not None and worst.last >= recent[0] - CRASHES_S else ""
    span = duration(max(0.0, now - recent[0]))
    told = many(
        "The node ended {n} time within {time} unasked",
        "The node ended {n} times within {time} unasked",
        len(recent),
    )
    return Verdict(
        "degraded",
        sentence(told.format(n=len(recent), time=span), why),
        (worst.next_step if why and worst is not None else "") or SEE_LOG,
    )


def failing(state: NodeState, now: float, alive: bool) -> Verdict | None:
    worst = _recent_error(state, now)
    return (
        None if worst is None else Verdict("degraded", _reason(worst), worst.next_step or SEE_LOG)
    )


def unsaved(state: NodeState, now: float, alive: bool) -> Verdict | None:
    """A checkpoint that could not be written is an illness until one is, however rounds go on."""
    line = next((each for each in reversed(state.incidents) if each.code == UNSAVED), None)
    started = state.node.time if state.node else 0.0
    saved = state.checkpoint.time if state.checkpoint else 0.0
    if line is None or line.last < max(started, saved):
        return None
    return Verdict("degraded", _reason(line), line.next_step or SEE_LOG)


def service_ill(state: NodeState, now: float, alive: bool) -> Verdict | None:
    for name, service in state.services.items():
        if service.status in ("down", "degraded"):
            step = _("It is started again by itself; see the log if it is not")
            if name == "chain" and "services" in state.services:
                step = HOSTED
            else:
                step = SERVICE_STEPS.get(name, step)
            told = _("{service} is degraded")
            if service.status == "down":
                told = _("{service} is down")
            return Verdict(
                "degraded",
                sentence(told.format(service=_service_name(name)), service.detail),
                step,
            )
    return None


def _last_error(state: NodeState, but: str = "") -> IncidentLine | None:
    errors = (line for line in reversed(state.incidents) if line.level == "error")
    return next((line for line in errors if line.code != but), None)


def _recent_error(state: NodeState, now: float) -> IncidentLine | None:
    """The newest error that no finished round has outlived.

    One that comes back is outlived by quiet alone: else the verdict would flip with every round.
    """
    worst = _last_error(state, but=UNSAVED)  # which has a rule of its own
    started = state.node.time if state.node else 0.0
    if worst is None or now - worst.last > RECENT_S or worst.last < started:
        return None
    lasts = worst.count >= OFTEN and worst.last - worst.first < RECENT_S * (worst.count - 1)
    finished = state.last_round.time if state.last_round else 0.0
    return worst if lasts or worst.last >= finished else None


def _reason(line: IncidentLine) -> str:
    what = line.what or line.code or _("Something failed")
    if line.count > 1:
        what = _("{what} ({n} times)").format(what=what, n=line.count)
    return sentence(what, line.why)


def _service_name(name: str) -> str:
    names = {
        "net": _("The network"),
        "chain": _("The chain"),
        "services": _("The swarm's host process"),
    }
    if name.startswith("node-"):
        return name.capitalize()
    return names.get(name) or _("The {name}").format(name=name)
