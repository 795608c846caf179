"""The verdict: which of several troubles is told, what is a hint only, and that it never fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import events, fold
from core.health import NOTHING_TO_DO, verdict
from tests.event_strategies import any_event
from tests.health_support import (
    NOW,
    counted,
    machine,
    moved,
    net,
    service,
    told_doctor,
    trained,
    trouble,
    up,
)
from tests.test_fold import finished, submission
from tests.test_health import CASES as LIFE
from tests.test_health_parts import CASES as PARTS

CASES = [*LIFE, *PARTS]
COMBINED = [
    ("a full disk before a slow one", [machine(free_gb=0.1), net(skew_s=60, skew_peers=2)], "disk"),
    ("an error before a full disk", [machine(free_gb=0.1), trouble(NOW - 1)], "It broke"),
    ("another account before an error", [counted(owner="0xO", account="0xM"), trouble(NOW - 1)],
     "Nothing that this node trains is counted"),
    ("the model before everything", [service("model", "down"), trouble(NOW - 1)], "The model"),
    ("the chain before the clock", [service("chain", "down"), net(skew_s=60, skew_peers=2)],
     "The chain is down"),
    ("the queue before the pace", [submission(5, "pending", time=NOW - 900), *moved(6, 9, 12)],
     "waited up to 15 min"),
    ("the clock before the pace", [*moved(6, 9, 12), net(skew_s=60, skew_peers=2)], "clock"),
    ("a pause before an error", [trouble(NOW - 1), events.Paused(time=NOW)], "Paused"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more", "part"), COMBINED, ids=[c[0] for c in COMBINED])
def test_the_worst_of_several_is_told(name: str, more: list[events.Event], part: str) -> None:
    told = verdict(fold.replay(trained(*more)), NOW)
    assert part in told.reason
    assert told.next_step


def test_what_is_mended_uncovers_what_was_behind_it() -> None:
    history = trained(machine(free_gb=0.1), *moved(6, 9, 12), net(skew_s=60, skew_peers=2))
    seen = []
    for mends in ([], [machine()], [net()], [*moved(13)]):
        history += mends
        seen.append(verdict(fold.replay(history), NOW).reason.split()[:3])
    assert seen == [
        ["The", "disk", "is"],
        ["This", "machine's", "clock"],
        ["Behind", "the", "swarm:"],
        ["Round", "6", "finished"],
    ]


def test_an_account_that_was_never_exported_is_a_hint() -> None:
    well = up(*(finished(n, time=NOW - 5) for n in range(25)))
    backed_up = events.IdentityBackedUp(made=NOW - 90, time=NOW - 1)
    told = verdict(fold.replay([*well, backed_up, machine()]), NOW)
    assert (told.level, "waggle account export" in told.next_step) == ("healthy", True)
    kept = events.MachineRead(
        **{**vars(machine()), "account_kept": NOW - 50, "time": NOW - 1}  # type: ignore[arg-type]
    )
    assert verdict(fold.replay([*well, backed_up, kept]), NOW).next_step == NOTHING_TO_DO


def test_what_the_doctor_would_change_is_a_hint_while_nothing_is_grave() -> None:
    told = verdict(fold.replay(told_doctor(truncated_fraction=0.3)), NOW)
    assert told.level == "healthy"
    assert "sampling.max_new_tokens" in told.next_step


@pytest.mark.parametrize("case", CASES, ids=[c[0] for c in CASES])
def test_an_end_is_told_whatever_was_wrong_before(case: tuple[Any, ...]) -> None:
    state = fold.replay([*case[1], events.NodeStopped(time=NOW)])
    if state.node is not None:
        assert verdict(state, NOW).level == "down"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from([event for case in CASES for event in case[1]]) | any_event()),
    st.floats(0, 2 * NOW) | st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)
def test_any_mixture_of_troubles_has_a_verdict(
    history: list[events.Event], now: float, alive: bool
) -> None:
    told = verdict(fold.replay(history), now, alive)
    assert told.level in ("healthy", "degraded", "down", "starting", "paused")
    assert told.reason.strip()
    assert told.next_step.strip()
