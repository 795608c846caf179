"""When rounds are submitted: every N rounds, every T minutes, whichever is first; and the bonus."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chain.ledger import LedgerStore
from core.chain.ledger_rows import LedgerRow
from core.chain.policy import Policy, policy_of
from core.errors import ConfigError
from core.schema import ChainSection

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("policy", "waiting", "age_s", "due"),
    [
        (Policy(), 1, 0, True),
        (Policy(), 0, 10**6, False),
        (Policy(5), 4, 10**6, False),
        (Policy(5), 5, 0, True),
        (Policy(0, 60), 99, 59, False),
        (Policy(0, 60), 1, 60, True),
        (Policy(5, 60), 5, 1, True),
        (Policy(5, 60), 1, 61, True),
        (Policy(5, 60), 1, 59, False),
        (Policy(0, 60), 1, -30, True),  # the clock was set back
    ],
)
def test_what_is_due(policy: Policy, waiting: int, age_s: float, due: bool) -> None:
    assert policy.is_due(waiting, NOW - age_s, NOW) is due


@given(st.integers(-(2**40), 2**40), st.integers(0, 1000))
def test_only_a_round_that_earned_something_has_a_bonus(reward: int, bonus: int) -> None:
    assert Policy(bonus=bonus).bonus_for(reward) == (bonus if reward > 0 else 0)


def test_settings_become_a_policy_in_words() -> None:
    assert policy_of(ChainSection()).told() == "every round"
    original = ChainSection(submit_every_rounds=0, submit_every_minutes=180, participation_bonus=1)
    assert policy_of(original).told() == "every 3 hours, +1 for a round that earned something"
    both = ChainSection(submit_every_rounds=10, submit_every_minutes=30)
    assert policy_of(both).told() == "every 10 rounds or every 30 minutes, whichever comes first"
    with pytest.raises(ConfigError, match="Nothing would ever be submitted"):
        policy_of(ChainSection(submit_every_rounds=0))


def record(store: LedgerStore, number: int, reward: int, policy: Policy, winner: str = "w") -> int:
    row = LedgerRow("s", "p", number, 0, reward, 0.5, [winner] if winner else [])
    return len(store.record_round(row, policy))


def test_rounds_add_up_to_one_submission_on_the_newest(tmp_path: Path) -> None:
    store, policy = LedgerStore(tmp_path / "node.db"), Policy(3, 0, 1)
    assert [record(store, n, n - 1, policy) for n in range(7)] == [0, 0, 2, 0, 0, 2, 0]
    rewards = [row for row in store.rows() if row.kind == "reward"]
    # Rewards -1, 0, 1 and 2, 3, 4; a bonus for each that is above zero.
    assert [(row.round, row.value) for row in rewards] == [(5, "12"), (2, "1")]
    votes = [row for row in store.rows() if row.kind == "winner"]
    assert [(row.round, row.winners) for row in votes] == [(5, ["w"]), (2, ["w"])]
    carried = {row.round: row.submission for row in store.ledger()}
    assert carried[0] == carried[1] == carried[2] == rewards[1].id
    assert carried[3] == carried[5] == rewards[0].id
    assert carried[6] is None
    totals = store.totals("s", "p")
    assert (totals.reward, totals.bonus, totals.waiting, totals.waiting_reward) == (19, 5, 1, 6)
    store.close()


def test_the_vote_is_for_the_newest_round_in_which_somebody_won(tmp_path: Path) -> None:
    store, policy = LedgerStore(tmp_path / "node.db"), Policy(3)
    for number, winner in enumerate(["a", "b", ""]):
        record(store, number, 1, policy, winner)
    reward, vote = sorted(store.rows(), key=lambda row: row.kind)
    assert (reward.round, reward.value) == (2, "3")
    assert (vote.round, vote.winners) == (1, ["b"])
    store.close()


def test_the_time_of_the_last_submission_survives_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original counts from the start of its process: one that restarts never submits."""
    policy, clock = Policy(0, 3600), [NOW]
    monkeypatch.setattr("core.chain.ledger.time.time", lambda: clock[0])

    def in_a_new_process(at: float, number: int | None = None) -> list[tuple[str, int, str]]:
        clock[0] = NOW + at
        store = LedgerStore(tmp_path / "node.db")
        if number is None:
            made = store.gather("s", "p", policy)
        else:
            row = LedgerRow("s", "p", number, 0, 1, 0.5, ["w"], clock[0])
            made = store.record_round(row, policy)
        store.close()
        return [(row.kind, row.round, row.value) for row in made]

    for number in range(4):
        assert in_a_new_process(number * 600.0, number) == []
    assert in_a_new_process(3590) == []
    assert in_a_new_process(3601) == [("reward", 3, "4"), ("winner", 3, "w")]
    assert in_a_new_process(9000) == [], "nothing waits any more"
    assert in_a_new_process(3700, 4) == []
    assert in_a_new_process(3601 + 3590) == [], "counted from the last one"
    assert in_a_new_process(3601 + 3601) == [("reward", 4, "1"), ("winner", 4, "w")]
