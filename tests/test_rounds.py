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


def test_nobody_wins_by_default() -> None:
    """Others were there and nothing of theirs could be judged: a vote for oneself would say that
    one did better than they did."""
    assert rounds.winners([group([1.0, 1.0])], [], "me", seen=2) == []
    assert rounds.winners([], [], "me", seen=2) == []
    assert rounds.winners([], [group([0.0], "b")], "me", seen=2) == ["b"]


scores = st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=1, max_size=4)


@given(scores, st.dictionaries(st.sampled_from("abc"), scores, max_size=3))
def test_a_vote_for_oneself_was_won(
    own: list[list[float]], theirs: dict[str, list[list[float]]]
) -> None:
    """More groups of one's own do not help: it is the mean that counts, and it must be better."""
    mine = [group(each) for each in own]
    foreign = [group(each, peer) for peer, many in theirs.items() for each in many]
    (vote,) = rounds.winners(mine, foreign, "me", seen=len(theirs))
    by_peer = {
        peer: rounds.mean_reward([g for g in foreign if g.peer_id == peer]) for peer in theirs
    }
    if vote == "me":
        assert all(rounds.mean_reward(mine) > each for each in by_peer.values())
    else:
        assert by_peer[vote] == max([rounds.mean_reward(mine), *by_peer.values()])


def test_the_most_telling_group_has_the_widest_spread() -> None:
    dull, telling = group([1.0, 1.0]), group([0.0, 1.0], index=1)
    assert rounds.most_telling([dull, telling]) is telling
    assert rounds.best_and_worst(telling) == (1, 0)
    assert rounds.best_and_worst(dull) == (0, 0)
