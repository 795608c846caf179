"""What was shown of rollouts: bounded in the state, and the newest stay in a thinned journal."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from core import events, fold
from core.bounded import MAX_TEXT
from core.fold_rollouts import LARGEST, MAX_SHOWN
from core.journal import Journal
from core.thinning import Limits, thin
from tests.test_fold import finished
from tests.test_journal import written


def shown(round: int, **changes: Any) -> events.RolloutShown:
    values: dict[str, Any] = {
        "round": round,
        "task": "chain_sum/1/2",
        "peer_id": "Qm1",
        "question": "q",
        "answer": "a",
        "best": "b",
        "best_reward": 1.0,
        "worst": "w",
        "worst_reward": 0.0,
    }
    return events.RolloutShown(**{**values, **changes})


def machine(free_bytes: int) -> events.MachineRead:
    return events.MachineRead(
        disk_free_bytes=free_bytes, memory_mib=700.0, memory_limit_mib=9000.0, account="0x1"
    )


def test_the_newest_groups_are_kept() -> None:
    state = fold.replay(shown(n) for n in range(MAX_SHOWN + 40))
    assert len(state.rollouts) == MAX_SHOWN
    assert state.rollouts[-1].round == MAX_SHOWN + 39


def test_what_makes_no_sense_is_left_out() -> None:
    odd = shown(
        1,
        best="x" * 9000,
        rewards=[1.0, float("nan"), None, "1", True, 10**400, 0.5],
        best_reward=float("inf"),
        best_advantage=float("nan"),
        best_tokens=-1,
        worst_tokens=LARGEST + 1,
        best_chars=10**400,
        completions=-4,
    )
    (kept,) = fold.replay([odd]).rollouts
    assert (len(kept.best), kept.rewards) == (MAX_TEXT, [1.0, 0.5])
    assert (kept.best_reward, kept.best_advantage) == (None, None)
    assert (kept.best_tokens, kept.worst_tokens, kept.best_chars, kept.completions) == (
        *(None, None),
        *(0, 0),
    )


def test_a_thinned_journal_has_the_newest_groups_and_one_look_at_the_machine(
    tmp_path: Path,
) -> None:
    path = tmp_path / "node.db"
    written(path, [e for n in range(900) for e in (shown(n), machine(n), finished(n))])
    before = fold.replay(Journal(path).events())
    with sqlite3.connect(path) as connection:
        assert thin(connection, Limits(max_rows=2000, keep_rounds=50))
    after = fold.replay(Journal(path).events())
    assert after.rollouts == before.rollouts
    assert len(Journal(path).read(names=["rollout_shown"])) == MAX_SHOWN
    assert len(Journal(path).read(names=["machine_read"])) == 1
    assert after.machine == before.machine
