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


def winners(
    own: Sequence[RolloutGroup], foreign: Iterable[RolloutGroup], me: str, seen: int = 0
) -> list[str]:
    """My vote: the one peer whose completions earned the best mean reward, as scored here.

    foreign: the groups that were trained on; a mean, because a node has more groups of its own
    than of anybody else. seen: how many others published in this round. Ties go to another peer
    rather than to oneself, and then to the smaller peer id, so that the vote is deterministic.

    A node votes for itself only where it won: it did better than each of the others, or nobody
    else was there. With nothing of its own and nobody else's there is no vote, and neither is one
    where others were there but nothing of theirs could be judged: nobody wins by default. (The
    original votes for itself whenever it has no scores at all, which is after every round whose
    submission failed.)
    """
    by_peer: dict[str, list[RolloutGroup]] = {me: list(own)} if own else {}
    for group in foreign:
        by_peer.setdefault(group.peer_id, []).append(group)
    if not by_peer or (seen and set(by_peer) == {me}):
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
