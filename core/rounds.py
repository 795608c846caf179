"""What a round is worth: points, votes and figures, computed from scored groups. Pure.

The reward that a node reports to the coordinator is self-declared by the protocol of RL-Swarm;
here it is the number of points that its own completions earned, rounded to an integer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.rollouts import RolloutGroup


def mean_reward(groups: Sequence[RolloutGroup]) -> float:
    """Mean over all completions; 0.0 for none."""
    rewards = [reward for group in groups for reward in group.rewards]
    return sum(rewards) / len(rewards) if rewards else 0.0


def points(groups: Sequence[RolloutGroup]) -> int:
    """The integer reward for the coordinator: the sum over my completions, rounded to nearest."""
    return round(sum(reward for group in groups for reward in group.rewards))


def winners(own: Sequence[RolloutGroup], foreign: Iterable[RolloutGroup], me: str) -> list[str]:
    """My vote: the one peer whose groups earned the best mean reward, as scored here.

    Own groups take part, so a node alone votes for itself, on purpose. Ties go to another peer
    rather than to oneself, and then to the smaller peer id, so that the vote is deterministic.
    """
    by_peer: dict[str, list[RolloutGroup]] = {me: list(own)} if own else {}
    for group in foreign:
        by_peer.setdefault(group.peer_id, []).append(group)
    if not by_peer:
        return []
    return [min(by_peer, key=lambda peer: (-mean_reward(by_peer[peer]), peer == me, peer))]


def best_and_worst(group: RolloutGroup) -> tuple[int, int]:
    """Indices of the rollouts with the highest and the lowest reward; the first of equals."""
    rewards = group.rewards
    order = range(len(rewards))
    return max(order, key=lambda i: (rewards[i], -i)), min(order, key=lambda i: (rewards[i], i))


def most_telling(groups: Sequence[RolloutGroup]) -> RolloutGroup | None:
    """The group to show: one that carries signal, with the widest spread of rewards."""
    if not groups:
        return None
    return max(groups, key=lambda group: max(group.rewards) - min(group.rewards))
