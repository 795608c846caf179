"""Short histories of a node, for the tables of the verdict: a part that is ill or well."""

from __future__ import annotations

from typing import Any

from core import events
from tests.test_fold import finished, started

NOW = 10_000.0


def up(*more: events.Event, at: float = NOW - 500) -> list[events.Event]:
    return [started(time=at), events.RoundStarted(round=6, time=NOW - 20), *more]


def trained(*more: events.Event) -> list[events.Event]:
    return up(finished(6, time=NOW - 5), *more)


def service(name: str, status: str) -> events.ServiceChanged:
    return events.ServiceChanged(service=name, status=status, detail="because", time=NOW - 1)


def trouble(at: float, level: str = "error") -> events.Incident:
    return events.Incident(
        code="x", what="It broke", why="rust", next_step="Oil it", level=level, time=at
    )


def counted(**changes: Any) -> events.RewardsCounted:
    return events.RewardsCounted(time=NOW - 1, **{"swarm": "1:0xnew", **changes})


def money(balance_wei: int, cost_wei: int) -> events.CountersRead:
    return events.CountersRead(
        time=NOW - 1,
        **{"participation": 6, "wins": 0, "total_reward": 9},
        balance_wei=balance_wei,
        round_cost_wei=cost_wei,
    )


def rounds(many: int, first: int = 1, **changes: Any) -> list[events.Event]:
    """Finished rounds, the newest a moment ago."""
    last = first + many - 1
    return [finished(n, time=NOW - 5 - 2 * (last - n), **changes) for n in range(first, last + 1)]


def told_doctor(**metrics: float) -> list[events.Event]:
    well = {"frac_reward_zero_std": 0.3, "solved_none": 0.2, "solved_all": 0.1, "entropy": 0.8}
    return [*up(), *rounds(10, metrics={**well, **metrics})]


def moved(*numbers: int) -> list[events.Event]:
    return [events.ClockMoved(round=n, time=NOW - 6) for n in numbers]


def machine(free_gb: float = 50.0, memory: float = 800.0, limit: float = 9000.0) -> events.Event:
    return events.MachineRead(
        disk_free_bytes=int(free_gb * 1e9),
        memory_mib=memory,
        memory_limit_mib=limit,
        account="0xMe",
        time=NOW - 2,
    )


def net(**changes: Any) -> events.NetChanged:
    return events.NetChanged(status="up", time=NOW - 3, **changes)


def crash(at: float) -> list[events.Event]:
    return [trouble(at - 1), started(time=at)]
