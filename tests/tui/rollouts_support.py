"""Rounds whose rollouts are of every kind, for the rollouts screen: a recorded-like history."""

from __future__ import annotations

from typing import Any

from core import events
from tests.tui.support import ME, OTHERS, START, begin, round_events

STRANGER = "QmXyzLPppuBtQSGwKDZT2M73ULpjvfd3aZ6ha4oFGL1KrGM"
OTHER = next(iter(OTHERS))
LEGS = (
    "Your task is to count how many legs there are in total when given a list of animals.\n\n"
    "Now, how many legs are there in total if you have 3 tigers, 5 horses?\n"
)
ALONG = (
    "Tigers have 4 legs each, so 3 tigers have 12. Horses have 4 legs each, so 5 horses have 20.\n"
    "12 + 20 = 32, and there is nothing else on the list that has legs.\n<answer>32</answer>"
)
SHORT = "24 + 20 <answer>44</answer>"
METRICS = {
    "frac_reward_zero_std": 0.44,
    "solved_none": 0.31,
    "solved_all": 0.13,
    "reward_mean": 0.4,
    "entropy": 0.83,
    "approx_kl": 2e-4,
    "clip_ratio_low": 0.0,
    "clip_ratio_high": 0.0,
    "truncated_fraction": 0.31,
    "logprob_gap_mean": 0.014,
    "importance_weight_max": 1.4,
}
SETTINGS: dict[str, float | str] = {
    "game.generations": 8,
    "game.foreign_groups": 8,
    "sampling.max_new_tokens": 32,
    "sampling.temperature": 1.0,
    "sampling.rollout_format": "int8",
    "training.iterations": 1,
    "training.learning_rate": 2e-4,
}


def shown(number: int, time: float, **changes: Any) -> events.RolloutShown:
    values: dict[str, Any] = {
        "time": time,
        "round": number,
        "task": f"leg_counting/{1000 + number}/{number}",
        "peer_id": ME,
        "question": LEGS,
        "answer": "32",
        "best": ALONG,
        "best_reward": 1.0,
        "worst": SHORT,
        "worst_reward": 0.0,
        "outcome": "trained",
        "rewards": [1.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.0, 0.0],
        "completions": 8,
        "best_advantage": 1.41,
        "worst_advantage": -0.71,
        "best_chars": len(ALONG),
        "worst_chars": len(SHORT),
        "best_tokens": 58,
        "worst_tokens": 12,
    }
    return events.RolloutShown(**{**values, **changes})


def of_round(number: int, time: float) -> list[events.Event]:
    """Own with and without a signal, one of another that was accepted, two that were refused."""
    none: dict[str, Any] = {
        "best_reward": 0.0,
        "rewards": [0.0] * 8,
        "best_advantage": None,
        "worst_advantage": None,
        "best": "<answer>7</answer>",
        "best_chars": 18,
    }
    theirs: dict[str, Any] = {"best_tokens": None, "worst_tokens": None, "peer_id": OTHER}
    out: list[events.Event] = [
        shown(number, time),
        shown(number, time, task=f"spell_backward/9/{number}", outcome="no_signal", **none),
        shown(number, time, task=f"chain_sum/4/{number}", name=OTHERS[OTHER], **theirs),
    ]
    if number % 2:
        refused = {**theirs, **none, "name": OTHERS[OTHER], "outcome": "no_signal"}
        told = {**refused, "detail": "every reward is 0"}
        out.append(shown(number, time, task=f"letter_counting/2/{number}", **told))
    if number % 3 == 0:
        never = {**theirs, "best_reward": None, "worst_reward": None, "rewards": [], "question": ""}
        never |= {"best_advantage": None, "worst_advantage": None}
        never |= {"peer_id": STRANGER, "name": "odd iron newt", "outcome": "schedule"}
        out.append(shown(number, time, task=f"chain_sum/666/{number}", answer="", **never))
    return out


def history(rounds: int, metrics: dict[str, float] | None = None) -> list[events.Event]:
    """As `tests.tui.support.history`, its rollouts replaced."""
    head, *rest = begin()
    assert isinstance(head, events.NodeStarted)
    out: list[events.Event] = [events.NodeStarted(**{**vars(head), "settings": SETTINGS}), *rest]
    for number in range(1, rounds + 1):
        time = START + 4 * number
        for event in round_events(number, time):
            if isinstance(event, events.RolloutShown):
                out += of_round(number, time + 3)
            elif isinstance(event, events.RoundFinished):
                told = {**METRICS, **(metrics or {})}
                out.append(events.RoundFinished(**{**vars(event), "metrics": told}))
            else:
                out.append(event)
    return out


def now_of(rounds: int) -> float:
    return START + 4 * (rounds + 1) + 1
