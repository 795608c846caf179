"""The network part's status in words: how connected, why alone, what stands in the way. Pure."""

from __future__ import annotations

from core.net.messages import Bootnode, Status
from core.net.skew import Skew, sentence
from core.texts import _, many

OPEN = _(
    "To be dialled directly, open net.listen's port in router and firewall: `waggle doctor net`"
)


def connection(told: Status, now: float) -> tuple[str, str, str]:
    """(status, in words, the same without what counts on): for the line about the network.

    A node that is up but cannot reach a bootnode it was given is `degraded`. now: Unix seconds.
    """
    if told.status != "up":
        return told.status, told.detail, told.detail
    if n := told.peers:
        words = many("connected to {n} other node", "connected to {n} other nodes", n).format(n=n)
        return told.status, words + _how(told), _("connected") + _how(told)
    failed = [b for b in told.bootnodes if b.outcome in ("failed", "invalid")]
    if failed:
        alone = _("alone: {why}")
        if len(failed) > 1:
            alone = _("alone: {why}, and {n} more like it")
        n = len(failed) - 1
        words = alone.format(why=bootnode(failed[0], now), n=n) + _how(told)
        return "degraded", words, alone.format(why=bootnode(failed[0]), n=n)
    if told.bootnodes:
        return told.status, _("alone: knocking at the bootnodes"), _("alone: knocking")
    return told.status, _("alone: no other node is known yet") + _how(told), _("alone")


def bootnode(told: Bootnode, now: float | None = None) -> str:
    """What became of one; with `now`, also how often and when next."""
    return _("bootnode {fate}").format(fate=fate(told, now))


def fate(told: Bootnode, now: float | None = None) -> str:
    """As `bootnode`, for a place that says already what it is about."""
    address = told.maddr.partition("/p2p/")[0] or told.maddr
    if told.outcome == "connected":
        line = _("{address} answered in {ms:.0f} ms")
        return line.format(address=address, ms=told.latency_ms)
    if told.outcome == "waiting":
        return _("{address} is being tried").format(address=address)
    if told.outcome == "invalid":
        return _("{address!r} cannot be used: {why}").format(address=told.maddr, why=told.why)
    if now is None:
        return _("{address} not reached: {why}").format(address=address, why=told.why)
    return many(
        "{address} not reached: {why}; tried once, next in {seconds:.0f} s",
        "{address} not reached: {why}; tried {n} times, next in {seconds:.0f} s",
        told.tries,
    ).format(address=address, why=told.why, n=told.tries, seconds=max(0.0, told.next_at - now))


def reach(told: Status) -> str:
    """Whether others can dial this node, in words."""
    if told.reach == "reachable":
        return _("{nodes} dialled this node at {address}").format(
            nodes=_peers(told.reach_by), address=told.seen_as
        )
    if told.reach != "unreachable":
        return _("nobody was there to try")
    line = _("{nodes} could not dial this node: {why}")
    if told.seen_as:
        line = _("{nodes} could not dial this node at {address}: {why}")
    line = line.format(nodes=_peers(told.reach_by), address=told.seen_as, why=told.reach_why)
    if told.relays:
        line += "; " + _("{nodes} will relay to it").format(nodes=_peers(told.relays))
    return line


def skew(told: Status) -> tuple[str, str]:
    """What is wrong with the clock and what to do; two empty texts when nothing is."""
    return sentence(Skew(told.skew_s, told.skew_peers))


def _how(told: Status) -> str:
    parts = [told.note, skew(told)[0]]
    if told.relays:
        parts.insert(0, _("reached through {n} relays").format(n=told.relays))
    elif told.reach == "unreachable":
        parts.insert(0, _("it dials out, but nobody can dial it"))
    return "".join(f"; {part}" for part in parts if part)


def _peers(count: int) -> str:
    return many("{n} node", "{n} nodes", count).format(n=count)
