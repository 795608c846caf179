"""The network part's status in words: how connected, why alone, what stands in the way. Pure."""

from __future__ import annotations

from core.net.messages import Bootnode, Status
from core.net.skew import Skew, sentence

OPEN = "To be dialled directly, open net.listen's port in router and firewall: `waggle doctor net`"


def connection(told: Status, now: float) -> tuple[str, str, str]:
    """(status, in words, the same without what counts on): for the line about the network.

    A node that is up but cannot reach a bootnode it was given is `degraded`. now: Unix seconds.
    """
    if told.status != "up":
        return told.status, told.detail, told.detail
    if told.peers:
        others = "1 other node" if told.peers == 1 else f"{told.peers} other nodes"
        return told.status, f"connected to {others}{_how(told)}", f"connected{_how(told)}"
    failed = [b for b in told.bootnodes if b.outcome in ("failed", "invalid")]
    if failed:
        more = f", and {len(failed) - 1} more like it" if len(failed) > 1 else ""
        what = f"alone: {bootnode(failed[0])}{more}"
        return "degraded", f"alone: {bootnode(failed[0], now)}{more}{_how(told)}", what
    if told.bootnodes:
        return told.status, "alone: knocking at the bootnodes", "alone: knocking"
    return told.status, f"alone: no other node is known yet{_how(told)}", "alone"


def bootnode(told: Bootnode, now: float | None = None) -> str:
    """What became of one; with `now`, also how often and when next."""
    name = f"bootnode {told.maddr.partition('/p2p/')[0] or told.maddr}"
    if told.outcome == "connected":
        return f"{name} answered in {told.latency_ms:.0f} ms"
    if told.outcome == "waiting":
        return f"{name} is being tried"
    if told.outcome == "invalid":
        return f"bootnode {told.maddr!r} cannot be used: {told.why}"
    line = f"{name} not reached: {told.why}"
    if now is not None:
        times = "once" if told.tries == 1 else f"{told.tries} times"
        line += f"; tried {times}, next in {max(0.0, told.next_at - now):.0f} s"
    return line


def reach(told: Status) -> str:
    """Whether others can dial this node, in words."""
    if told.reach == "reachable":
        return f"{_peers(told.reach_by)} dialled this node at {told.seen_as}"
    if told.reach == "unreachable":
        through = f"; {_peers(told.relays)} will relay to it" if told.relays else ""
        where = f" at {told.seen_as}" if told.seen_as else ""
        return f"{_peers(told.reach_by)} could not dial this node{where}: {told.reach_why}{through}"
    return "nobody was there to try"


def skew(told: Status) -> tuple[str, str]:
    """What is wrong with the clock and what to do; two empty texts when nothing is."""
    return sentence(Skew(told.skew_s, told.skew_peers))


def _how(told: Status) -> str:
    parts = [told.note, skew(told)[0]]
    if told.relays:
        parts.insert(0, f"reached through {told.relays} relays")
    elif told.reach == "unreachable":
        parts.insert(0, "it dials out, but nobody can dial it")
    return "".join(f"; {part}" for part in parts if part)


def _peers(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"
