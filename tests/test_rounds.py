"""What a round is worth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core import rounds
from core.rollouts import Rollout, RolloutGroup, TaskId


def group(rewards: list[float], peer: str = "me", index: int = 0) -> RolloutGroup:
    rollouts = tuple(Rollout(text=f"{peer}/{i}", reward=r) for i, r in enumerate(rewards))
    return RolloutGroup(TaskId("chain_sum", 1000, index), peer, 7, rollouts)


groups = st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=8).map(group), max_size=5)


@given(groups)
def test_points_and_mean_agree(many: list[RolloutGroup]) -> None:
    count = sum(len(g.rollouts) for g in many)
    assert abs(rounds.points(many) - rounds.mean_reward(many) * count) <= 0.5 + 1e-9


def test_nothing_is_worth_nothing() -> None:
    assert rounds.mean_reward([]) == 0.0
    assert rounds.points([]) == 0
    assert rounds.winners([], [], "me") == []
    assert rounds.most_telling([]) is None


def test_a_node_alone_votes_for_itself() -> None:
    assert rounds.winners([group([0.0, 0.0])], [], "me") == ["me"]


def test_the_best_mean_wins_whoever_it_is() -> None:
    own = [group([1.0, 0.0])]
    assert rounds.winners(own, [group([1.0, 1.0], "b")], "me") == ["b"]
    assert rounds.winners(own, [group([0.0, 0.0], "b")], "me") == ["me"]


def test_ties_go_to_another_and_then_to_the_smaller_id() -> None:
    own = [group([1.0, 0.0], "a")]
    foreign = [group([1.0, 0.0], "c"), group([1.0, 0.0], "b")]
    assert rounds.winners(own, foreign, "a") == ["b"]


def test_the_most_telling_group_has_the_widest_spread() -> None:
    dull, telling = group([1.0, 1.0]), group([0.0, 1.0], index=1)
    assert rounds.most_telling([dull, telling]) is telling
    assert rounds.best_and_worst(telling) == (1, 0)
    assert rounds.best_and_worst(dull) == (0, 0)
