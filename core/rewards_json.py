"""`waggle rewards --json`: one object, the same figures as the text, nothing rounded."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.errors import WaggleError
from core.rewards_check import Checked
from core.rewards_figures import Figures
from core.rewards_words import (
    COUNTERS,
    STAGES,
    differs,
    reward_difference,
    rounds_left,
    vote_difference,
)

if TYPE_CHECKING:
    from core.chain.ledger_pages import Round


def data(figures: Figures, checked: Checked | None, error: WaggleError | None) -> dict[str, Any]:
    """checked: what the coordinator said just now; error: why it could not be asked."""
    totals, read, counted, line = figures.totals, figures.counters, figures.counted, figures.line
    owner = checked.owner if checked is not None else figures.owner
    return {
        "swarm": figures.swarm,
        "peer_id": figures.peer_id,
        "account": figures.account,
        "identity": {
            "owner": owner,
            "ok": None if owner is None else not differs(figures.account, owner),
            "registration": asdict(figures.registration) if figures.registration else None,
        },
        "policy": counted.policy if counted else None,
        "trained": totals.rounds,
        "reward": totals.reward,
        "bonus": totals.bonus,
        "stages": {
            "waiting": {"rounds": totals.waiting, "value": totals.waiting_reward},
            **{
                stage: {
                    "rewards": totals.count(stage, kind="reward"),
                    "votes": totals.count(stage, kind="winner"),
                    "value": totals.value.get(stage, 0),
                }
                for stage in STAGES[1:]
            },
        },
        "elsewhere": totals.elsewhere,
        "coordinator": asdict(read) if read else None,
        "difference": {
            "reward": _steps(reward_difference(totals, read)) if read else None,
            "participation": _steps(vote_difference(totals, read)) if read else None,
        },
        "gas": {
            "gas_used": totals.gas_used,
            "spent_wei": totals.fee_wei,
            "balance_wei": read.balance_wei if read else None,
            "round_cost_wei": read.round_cost_wei if read else None,
            "rounds_left": rounds_left(read),
        },
        "next_try": None if totals.next_try is None else max(totals.next_try, line.next_try),
        "next_submission": counted.next_submission if counted else None,
        "obstacle": None if line.is_open() else asdict(line),
        "counters": COUNTERS,
        "other_swarms": [asdict(each) for each in figures.elsewhere],
        "rounds": [_round(each) for each in figures.rounds],
        "check": _check(checked, error),
    }


def _check(checked: Checked | None, error: WaggleError | None) -> dict[str, Any] | None:
    if error is not None:
        return {"error": str(error)}
    if checked is None:
        return None
    there = [{"kind": kind, "round": number} for kind, number in checked.there]
    return {
        "round": checked.round,
        "stage": checked.stage,
        "open_asked": checked.asked,
        "open_there": there,
    }


def _steps(parts: list[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"amount": amount, "why": why} for amount, why in parts]


def _round(each: Round) -> dict[str, Any]:
    row = each.row
    return {
        "round": row.round,
        "stage": row.stage,
        "time": row.time,
        "signal": row.reward,
        "bonus": row.bonus,
        "reward_mean": row.reward_mean,
        "winners": row.winners,
        "status": each.status,
        "submission": asdict(each.reward) if each.reward else None,
        "vote": asdict(each.vote) if each.vote else None,
    }
