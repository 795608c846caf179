"""Is it where the swarm is: the rules of the verdict about rounds, company and clocks. Pure."""

from __future__ import annotations

from core.health_words import Told, duration
from core.net.skew import Skew
from core.net.skew import sentence as skew_sentence
from core.state import NodeState
from core.texts import _, many

MOVES, MISSED = 2, 4
"""One long round happens to everybody; to miss so many rounds in so many moves is a habit."""
OVERDUE_S = 60.0
ALONE_S = 300.0
ALONE_ROUNDS = 3
TRAINING = ("sample", "publish", "gather", "admit", "update")
FASTER = _(
    "Train less in a round: lower game.groups or sampling.max_new_tokens, or take a smaller model"
)


def behind(state: NodeState, now: float) -> Told:
    """The swarm goes on without this node."""
    told = state.behind
    if told.moves >= MOVES and told.missed >= MISSED:
        played = told.moves + told.missed
        return (
            many(
                "Behind the swarm: it played {n} round while this node trained {trained}",
                "Behind the swarm: it played {n} rounds while this node trained {trained}",
                played,
            ).format(n=played, trained=told.moves),
            FASTER,
        )
    late = now - state.deadline if state.deadline is not None else 0.0
    if late > OVERDUE_S and state.phase.name in TRAINING and state.round is not None:
        return (
            _(
                "Behind the swarm: round {round} was over {time} ago, and this node still trains it"
            ).format(round=state.round, time=duration(late)),
            FASTER,
        )
    return None


def alone(state: NodeState, now: float) -> Told:
    """Nobody shares, where others are known or were given. A swarm of one is no illness."""
    net, node, last = state.net, state.node, state.last_round
    if net is None or node is None or not node.settings.get("game.foreign_groups", 1):
        return None
    met = max((peer.last_seen for peer in state.peers.values()), default=0.0)
    if not (met or net.peers or net.bootnodes):
        return None
    round_s = last.seconds + last.wait_s if last is not None else 0.0
    lonely_s = now - max(node.time, met)
    if lonely_s <= max(ALONE_S, ALONE_ROUNDS * round_s):
        return None
    if net.peers:
        return (
            many(
                "No other node has shared rollouts for {time}, though {n} node is connected:"
                " this node learns from its own answers only",
                "No other node has shared rollouts for {time}, though {n} nodes are connected:"
                " this node learns from its own answers only",
                net.peers,
            ).format(time=duration(lonely_s), n=net.peers),
            _("See who is there: waggle peers. They may be in another round, or be bootnodes only"),
        )
    return (
        _(
            "No peers: no other node has been there for {time}, this node learns from"
            " its own answers only"
        ).format(time=duration(lonely_s)),
        _("See which bootnodes answer: waggle doctor net; or ask for a fresh invite"),
    )


def clock_skew(state: NodeState, now: float) -> Told:
    """This machine's clock differs from the others': their records look stale, and mine to them."""
    net = state.net
    if net is None or net.skew_peers < 1:
        return None
    what, step = skew_sentence(Skew(net.skew_s, net.skew_peers))
    return (what[0].upper() + what[1:], step) if what else None
