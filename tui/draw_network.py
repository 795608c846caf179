"""How this node stands in the network: can it be dialled, what became of the bootnodes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.text import Text

from core import events
from core.net.messages import Bootnode
from core.net.reach import is_loopback
from core.net.skew import Skew, sentence
from core.net.telling import OPEN, fate
from core.state import NodeState, Service
from core.texts import _, many
from tui.draw import Pen, bounded, line
from tui.text import wrap

ALONE = _("This node trains alone: net.enabled is false.")
SILENT = _("The network part has not said anything yet.")
REACH = {
    "reachable": (_("yes"), "up"),
    "unreachable": (_("no"), "degraded"),
    "unknown": (_("not known yet"), "starting"),
}
OUTCOMES = {
    "connected": "up",
    "failed": "degraded",
    "invalid": "down",
    "waiting": "starting",
}
HERE = _("yes, from this machine")
"""Where only loopback addresses are told: the word for all of `reachable` would promise more."""
FOUNDER = _("none needed: this swarm begins at this node")
NO_BOOTNODES = _("none given: others find this node by its address")
MAX_ADDRESSES = 6


@dataclass(frozen=True)
class View:
    """What `network` draws. now: in steps, so that a pane rests in between. hosts: whether the
    swarm's services run beside this node, which is then the first that others know."""

    net: events.NetChanged | None
    service: Service | None
    now: float
    enabled: bool
    hosts: bool


def view(state: NodeState, now: float, enabled: bool) -> View:
    net = state.net if enabled else None
    counts_down = net is not None and any(row.get("next_at") for row in net.bootnodes)
    then = now // 5 * 5 if counts_down else 0.0
    return View(net, state.services.get("net"), then, enabled, "services" in state.services)


def network(view: View, width: int, pen: Pen) -> Text:
    net, service, now = view.net, view.service, view.now
    text = line()
    if not view.enabled or net is None:
        return Text(pen.fit(SILENT if view.enabled else ALONE, width), pen.palette.muted)
    words = (service.detail if service is not None else "") or net.status
    if service is not None and service.detail and net.status == "up" and net.peers:
        # How many, and what is odd about it, stands below, and is newer: two counts would differ.
        words = _("connected")
    _entry(text, _("network"), words, net.status, width, pen)
    word, level = REACH.get(net.reach, REACH["unknown"])
    if net.reach == "reachable" and net.maddrs and all(map(_loopback, net.maddrs)):
        word = HERE
    words = f"{word}: {net.reach_words}" if net.reach_words else word
    _entry(text, _("reachable"), words, level, width, pen)
    if net.reach == "unreachable":
        _plain(text, "", OPEN, width, pen)
    if net.relays:
        _plain(
            text,
            _("relays"),
            many("{n} node relays to this one", "{n} nodes relay to this one", net.relays).format(
                n=net.relays
            ),
            width,
            pen,
        )
    company = (
        _("{n} connected, {lan} of them found on the local network")
        if net.lan
        else _("{n} connected")
    )
    _plain(text, _("others"), company.format(n=net.peers, lan=net.lan), width, pen)
    what, step = sentence(Skew(net.skew_s, net.skew_peers))
    if what:
        _entry(text, _("clock"), f"{what}. {step}", "degraded", width, pen)
    if net.note:
        _entry(text, _("note"), net.note, "degraded", width, pen)
    if net.restarts:
        restarted = _("{n} of the network part").format(n=net.restarts)
        _plain(text, _("restarts"), restarted, width, pen)
    text.append("\n")
    for row in net.bootnodes:
        if (told := _bootnode(row)) is not None:
            _entry(text, _("bootnode"), fate(told, now), OUTCOMES.get(told.outcome, ""), width, pen)
    if not net.bootnodes:
        _plain(text, _("bootnodes"), FOUNDER if view.hosts else NO_BOOTNODES, width, pen)
    text.append("\n")
    for number, maddr in enumerate(net.maddrs[:MAX_ADDRESSES]):
        # Without the peer id behind it, which is the same in all and stands on another screen.
        head = "" if number else _("addresses")
        _plain(text, head, maddr.rpartition("/p2p/")[0] or maddr, width, pen)
    if len(net.maddrs) > MAX_ADDRESSES:
        rest = _("and {n} more").format(n=len(net.maddrs) - MAX_ADDRESSES)
        _plain(text, "", rest, width, pen)
    return bounded(text, width, pen)


def _loopback(maddr: str) -> bool:
    """Whether only this machine can dial it."""
    return is_loopback(maddr.removeprefix("/").partition("/")[2].partition("/")[0])


def _bootnode(row: Any) -> Bootnode | None:
    """From an event's JSON; None when it makes no sense, as an old journal's may not."""
    try:
        told = Bootnode(**row)
        fate(told, 0.0)
    except (TypeError, ValueError, AttributeError):
        return None
    return told


def _entry(text: Text, name: str, words: str, level: str, width: int, pen: Pen) -> None:
    """A line with the sign of its level: a sign and words, never a colour alone."""
    _told(text, name, words, width, pen, pen.glyphs.status(level), pen.palette.level(level))


def _plain(text: Text, name: str, words: str, width: int, pen: Pen) -> None:
    _told(text, name, words, width, pen, " ", "")


def _told(text: Text, name: str, words: str, width: int, pen: Pen, sign: str, style: str) -> None:
    lead = 13
    for number, row in enumerate(wrap(pen.safe(words, 600), max(12, width - lead))):
        text.append(" " if number else sign, style or pen.palette.label)
        text.append(" " + pen.column("" if number else name, lead - 2), pen.palette.label)
        text.append(row + "\n")
