"""The part of the fold that keeps what was shown of rollouts: bounded, whatever an event says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core import events
from core.bounded import MAX_KEY, cut
from core.state import NodeState

MAX_SHOWN = 240
"""Groups kept: of the last forty rounds and more."""
MAX_REWARDS = 64
MAX_DETAIL = 300
LARGEST = 10**9
"""No reward, no advantage and no length is larger; what is, is nonsense."""
REALS = ("best_reward", "worst_reward", "best_advantage", "worst_advantage")


def shown(state: NodeState, event: events.RolloutShown) -> NodeState:
    numbers: dict[str, Any] = {name: _real(getattr(event, name)) for name in REALS}
    numbers |= {name: _count(getattr(event, name)) for name in ("best_tokens", "worst_tokens")}
    for name in ("completions", "best_chars", "worst_chars"):
        numbers[name] = _count(getattr(event, name)) or 0
    kept = replace(
        event,
        task=cut(event.task, MAX_KEY),
        peer_id=cut(event.peer_id, MAX_KEY),
        name=cut(event.name, 120),
        question=cut(event.question),
        answer=cut(event.answer),
        best=cut(event.best),
        worst=cut(event.worst),
        outcome=cut(event.outcome, 40),
        detail=cut(event.detail, MAX_DETAIL),
        rewards=[value for value in event.rewards[:MAX_REWARDS] if _real(value) is not None],
        **numbers,
    )
    return replace(state, rollouts=(*state.rollouts[-MAX_SHOWN + 1 :], kept))


def _real(value: Any) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if number and -LARGEST < value < LARGEST else None


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < LARGEST else None
