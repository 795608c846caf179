"""What stopping at this moment would cost, in words: for who is about to quit. Pure.

The round is what counts: a clean stop saves the weights, and the outbox keeps what it has. How long
the round still takes is told by how long rounds took lately, and by the phase's own pace where it
can be counted and is the slower one; never as a figure where it is a moment.
"""

from __future__ import annotations

import statistics

from core.grpo_figures import tail
from core.state import NodeState, Phase
from core.texts import _
from tui.text import duration, whole

NOT_RUNNING = _("The node is not running: nothing is lost.")
STARTING = _("The node is still starting: nothing is lost.")
DONE = _("Round {round} is done: nothing is lost.")
MOMENT = _("Round {round} ends in a moment; wait for it?")
LEFT = _("Round {round} is {done} % done; wait {left}?")
OVERDUE = _("Round {round} has taken {spent}, longer than its usual {usual}.")
UNKNOWN = _("Round {round} is under way, for {spent} so far.")
GIVEN_UP = " " + _("Stopping now gives it up.")
HOSTED = _("The swarm's chain and clock run here: the others wait for them.")
QUEUED = _("Submissions on their way ({queue}) are kept, and sent at the next start.")

MOMENT_S = 3.0
"""Less than this is over before the question is read."""
RECENT = 20
"""So many rounds say what is usual."""
HERE_S = 300.0
"""A peer of which something came within this time is still there."""


def stopping_cost(state: NodeState, now: float) -> str:
    """The round first; then who else depends on this node, and what waits."""
    if not state.running:
        return NOT_RUNNING
    told = [_round(state, now)]
    own = state.node.peer_id if state.node is not None else ""
    near = (now - peer.last_seen < HERE_S for peer in state.peers.values() if peer.peer_id != own)
    if "services" in state.services and any(near):
        told.append(HOSTED)
    if state.ledger.pending:
        told.append(QUEUED.format(queue=len(state.ledger.pending)))
    return "\n".join(told)


def _round(state: NodeState, now: float) -> str:
    phase, last, number = state.phase, state.last_round, state.round
    if number is None or phase.name in ("", "start"):
        return STARTING
    finished = last is not None and last.round == number and last.time >= state.round_started
    if finished or phase.name in ("wait", "paused"):
        return DONE.format(round=number)
    spent = max(0.0, now - state.round_started) if state.round_started else 0.0
    usual = tail(state.series_of("seconds"), RECENT)
    if not usual:
        return UNKNOWN.format(round=number, spent=duration(spent)) + GIVEN_UP
    expected = statistics.median(usual)
    left = max(expected - spent, _left_of(phase, now))
    if left >= MOMENT_S:
        done = min(99, whole(100 * spent / (spent + left)))
        return LEFT.format(round=number, done=done, left=duration(left)) + GIVEN_UP
    if spent - expected < MOMENT_S:
        return MOMENT.format(round=number) + GIVEN_UP
    overdue = OVERDUE.format(round=number, spent=duration(spent), usual=duration(expected))
    return overdue + GIVEN_UP


def _left_of(phase: Phase, now: float) -> float:
    """Seconds that the phase still takes at the pace it had so far; 0 where nobody counts."""
    if not 0 < phase.done <= phase.total or not phase.since:
        return 0.0
    return max(0.0, now - phase.since) * (phase.total - phase.done) / phase.done
