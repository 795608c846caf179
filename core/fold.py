"""The pure fold that turns what happened into what is: events in, NodeState out.

`fold` never raises and keeps every part of the state bounded, whatever the events say: names and
texts come from peers and from old journals. A month of events folds into the same state as
watching them live did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from core import events, fold_rewards, fold_rollouts, fold_series, fold_swarm
from core.bounded import MAX_TEXT, cut, put
from core.state import Behind, IncidentLine, NodeState, Phase, Service

MAX_INCIDENTS = 100
MAX_LOG_LINES = 400
MAX_CRASHES = 10
MAX_NAMES = 64
"""Services and kinds of submissions kept."""


def fold(state: NodeState, event: events.Event) -> NodeState:
    """The state after `event`. Never raises; an event without a handler changes only `updated`."""
    handler = _HANDLERS.get(type(event))
    changed = handler(state, event) if handler else state
    worked = max(state.worked, event.time) if type(event) in _ROUND_LOOP else state.worked
    return replace(changed, updated=max(state.updated, event.time), worked=worked)


def replay(history: Iterable[events.Event], state: NodeState | None = None) -> NodeState:
    """Fold a whole history, such as `Journal.events()`."""
    state = NodeState() if state is None else state
    for event in history:
        state = fold(state, event)
    return state


# --- life -------------------------------------------------------------------------------------


def _node_started(state: NodeState, event: events.NodeStarted) -> NodeState:
    crashed = state.running or state.stop_reason == "failed"
    return replace(
        state,
        node=event,
        model=None,
        running=True,
        backed_up=event.backed_up,
        stop_reason="",
        paused=False,
        crashes=(*state.crashes, event.time)[-MAX_CRASHES:] if crashed else state.crashes,
        behind=Behind(),
        machine=None,
        services={},
        net=None,
        phase=Phase("start", since=event.time),
        deadline=None,
    )


def _node_stopped(state: NodeState, event: events.NodeStopped) -> NodeState:
    return replace(
        state, running=False, stop_reason=cut(event.reason), phase=Phase(since=event.time)
    )


def _service_changed(state: NodeState, event: events.ServiceChanged) -> NodeState:
    service = Service(cut(event.status, 20), cut(event.detail), event.time)
    return replace(state, services=put(state.services, event.service, service, MAX_NAMES))


def _net_changed(state: NodeState, event: events.NetChanged) -> NodeState:
    kept = replace(
        event,
        maddrs=[cut(maddr, 400) for maddr in event.maddrs[:16]],
        bootnodes=[row for row in event.bootnodes[:16] if len(str(row)) <= MAX_TEXT],
        status=cut(event.status, 20),
        reach=cut(event.reach, 20),
        reach_words=cut(event.reach_words),
        note=cut(event.note),
    )
    return replace(state, net=kept)


def _incident(state: NodeState, event: events.Incident) -> NodeState:
    line = IncidentLine(
        cut(event.code, 80),
        cut(event.what),
        cut(event.why),
        cut(event.next_step),
        cut(event.level, 20),
        event.time,
        event.time,
        1,
        event.round,
    )
    kept = []
    for old in state.incidents:
        if (old.code, old.what) == (line.code, line.what):
            line = replace(line, first=old.first, count=old.count + 1)
        else:
            kept.append(old)
    behind = Behind() if line.code == "clock_unreachable" else state.behind
    return replace(state, incidents=(*kept[-MAX_INCIDENTS + 1 :], line), behind=behind)


def _log_line(state: NodeState, event: events.LogLine) -> NodeState:
    line = replace(event, text=cut(event.text)) if len(event.text) > MAX_TEXT else event
    return replace(state, log=(*state.log[-MAX_LOG_LINES + 1 :], line))


# --- a round ----------------------------------------------------------------------------------


def _clock_moved(state: NodeState, event: events.ClockMoved) -> NodeState:
    before, now = state.behind.round, event.round
    behind = Behind(now)
    if before is not None and now is not None and now - before > 1:
        missed = state.behind.missed + now - before - 1
        behind = Behind(now, state.behind.moves + 1, missed)
    return replace(state, round=now, stage=event.stage, deadline=event.deadline, behind=behind)


def _round_started(state: NodeState, event: events.RoundStarted) -> NodeState:
    return replace(
        state,
        round=event.round,
        stage=event.stage,
        deadline=event.deadline,
        round_started=event.time,
        tasks=len(event.tasks),
    )


def _phase_changed(state: NodeState, event: events.PhaseChanged) -> NodeState:
    phase = Phase(cut(event.phase, 40), cut(event.detail), event.time, event.expected_s)
    return replace(state, phase=phase)


def _phase_progress(state: NodeState, event: events.PhaseProgress) -> NodeState:
    if event.phase != state.phase.name:
        return state
    return replace(state, phase=replace(state.phase, done=event.done, total=event.total))


def _groups_sampled(state: NodeState, event: events.GroupsSampled) -> NodeState:
    series = fold_series.grow(state.series, event.round, {"truncated": event.truncated})
    return replace(state, series=series)


def _step_trained(state: NodeState, event: events.StepTrained) -> NodeState:
    series = state.series
    if "grad_norm" not in event.metrics:  # else the finished round brings it
        series = fold_series.grow(series, event.round, {"grad_norm": event.grad_norm})
    return replace(state, series=series, step=event.step, skips_in_a_row=0)


def _step_skipped(state: NodeState, event: events.StepSkipped) -> NodeState:
    return replace(state, last_skip=event, skips_in_a_row=state.skips_in_a_row + 1)


def _round_finished(state: NodeState, event: events.RoundFinished) -> NodeState:
    ledger = replace(state.ledger, trained=state.ledger.trained + 1)
    series = fold_series.round_finished(state.series, event)
    return replace(state, last_round=event, series=series, ledger=ledger)


def _evaluated(state: NodeState, event: events.Evaluated) -> NodeState:
    values = {"eval/pass_at_1": event.pass_at_1, "eval/greedy_pass_at_1": event.greedy_pass_at_1}
    return replace(
        state, evaluation=event, series=fold_series.grow(state.series, event.round, values)
    )


# --- the journal ------------------------------------------------------------------------------


def _history_thinned(state: NodeState, event: events.HistoryThinned) -> NodeState:
    """Its counts are cumulative, and it stands in front of all that is left of the journal."""
    totals: dict[str, dict[str, int]] = {"confirmed": {}, "failed": {}}
    trained = 0
    for name, count in list(event.counts.items())[:MAX_NAMES]:
        kind, _, status = str(name).partition("/")
        if not isinstance(count, int):
            continue
        if name == "rounds":
            trained = count
        elif status in totals:
            totals[status][cut(kind, 40)] = count
    ledger = replace(
        state.ledger, trained=trained, confirmed=totals["confirmed"], failed=totals["failed"]
    )
    return fold_swarm.thinned(replace(state, ledger=ledger), event)


_HANDLERS: dict[type[events.Event], Callable[[NodeState, Any], NodeState]] = {
    events.NodeStarted: _node_started,
    events.IdentityBackedUp: lambda state, event: replace(state, backed_up=event.made),
    events.NodeStopped: _node_stopped,
    events.ServiceChanged: _service_changed,
    events.NetChanged: _net_changed,
    events.MachineRead: lambda state, event: replace(
        state, machine=replace(event, account=cut(event.account, 80))
    ),
    events.ModelLoaded: fold_series.model_loaded,
    events.Paused: lambda state, event: replace(state, paused=True),
    events.Resumed: lambda state, event: replace(state, paused=False, behind=Behind()),
    events.Incident: _incident,
    events.LogLine: _log_line,
    events.RoundStarted: _round_started,
    events.PhaseChanged: _phase_changed,
    events.PhaseProgress: _phase_progress,
    events.GroupsSampled: _groups_sampled,
    events.RolloutShown: fold_rollouts.shown,
    events.StepTrained: _step_trained,
    events.StepSkipped: _step_skipped,
    events.RoundFinished: _round_finished,
    events.Evaluated: _evaluated,
    events.CheckpointSaved: lambda state, event: replace(state, checkpoint=event),
    events.ClockMoved: _clock_moved,
    events.HistoryThinned: _history_thinned,
    events.RoundsMerged: lambda state, event: replace(
        state, series=fold_series.rounds_merged(state.series, event)
    ),
    **fold_rewards.HANDLERS,
    **fold_swarm.HANDLERS,
}

_ROUND_LOOP = frozenset(
    {
        *(events.NodeStarted, events.ModelLoaded, events.Paused, events.Resumed),
        *(events.ClockMoved, events.RoundStarted, events.PhaseChanged, events.PhaseProgress),
        *(events.GroupsSampled, events.RolloutShown, events.StepTrained, events.StepSkipped),
        *(events.Evaluated, events.CheckpointSaved, events.RoundFinished),
    }
)
"""What only a round loop that is alive tells; the network and the outbox go on without it."""
