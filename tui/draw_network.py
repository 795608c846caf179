"""How this node stands in the network: can it be dialled, what became of the bootnodes. Pure."""

from __future__ import annotations

import textwrap
from typing import Any

from rich.text import Text

from core import events
from core.net.messages import Bootnode
from core.net.skew import Skew, sentence
from core.net.telling import OPEN, bootnode
from core.state import NodeState, Service
from tui.draw import Pen, bounded, line

ALONE = "This node trains alone: net.enabled is false."
SILENT = "The network part has not said anything yet."
REACH = {
    "reachable": ("yes", "up"),
    "unreachable": ("no", "degraded"),
    "unknown": ("not known yet", "starting"),
}
OUTCOMES = {
    "connected": "up",
    "failed": "degraded",
    "invalid": "down",
    "waiting": "starting",
}
MAX_ADDRESSES = 6


def view(
    state: NodeState, now: float, enabled: bool
) -> tuple[events.NetChanged | None, Service | None, float, bool]:
    """What `network` draws. The time goes in steps, so that a pane rests in between."""
    net = state.net if enabled else None
    counts_down = net is not None and any(row.get("next_at") for row in net.bootnodes)
    return net, state.services.get("net"), now // 5 * 5 if counts_down else 0.0, enabled


def network(
    view: tuple[events.NetChanged | None, Service | None, float, bool], width: int, pen: Pen
) -> Text:
    net, service, now, enabled = view
    text = line()
    if not enabled or net is None:
        return Text(pen.fit(ALONE if not enabled else SILENT, width), pen.palette.muted)
    words = (service.detail if service is not None else "") or net.status
    _entry(text, "network", words, net.status, width, pen)
    word, level = REACH.get(net.reach, REACH["unknown"])
    words = f"{word}: {net.reach_words}" if net.reach_words else word
    _entry(text, "reachable", words, level, width, pen)
    if net.reach == "unreachable":
        _plain(text, "", OPEN, width, pen)
    if net.relays:
        _plain(text, "relays", f"{net.relays} nodes relay to this one", width, pen)
    company = f"{net.peers} connected, {net.lan} of them found on the local network"
    _plain(text, "others", company if net.lan else f"{net.peers} connected", width, pen)
    what, step = sentence(Skew(net.skew_s, net.skew_peers))
    if what:
        _entry(text, "clock", f"{what}. {step}", "degraded", width, pen)
    if net.note:
        _entry(text, "note", net.note, "degraded", width, pen)
    if net.restarts:
        _plain(text, "restarts", f"{net.restarts} of the network part", width, pen)
    text.append("\n")
    for row in net.bootnodes:
        if (told := _bootnode(row)) is not None:
            _entry(text, "bootnode", _words(told, now), OUTCOMES.get(told.outcome, ""), width, pen)
    if not net.bootnodes:
        _plain(text, "bootnodes", "none: this node is found by those who know it", width, pen)
    text.append("\n")
    for number, maddr in enumerate(net.maddrs[:MAX_ADDRESSES]):
        # Without the peer id behind it, which is the same in all and stands on another screen.
        _plain(
            text, "" if number else "addresses", maddr.rpartition("/p2p/")[0] or maddr, width, pen
        )
    if len(net.maddrs) > MAX_ADDRESSES:
        _plain(text, "", f"and {len(net.maddrs) - MAX_ADDRESSES} more", width, pen)
    return bounded(text, width, pen)


def _words(told: Bootnode, now: float) -> str:
    return bootnode(told, now).removeprefix("bootnode ")


def _bootnode(row: Any) -> Bootnode | None:
    """From an event's JSON; None when it makes no sense, as an old journal's may not."""
    try:
        told = Bootnode(**row)
        bootnode(told, 0.0)
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
    rows = textwrap.wrap(pen.safe(words, 600), max(12, width - lead), break_on_hyphens=False)
    for number, row in enumerate(rows or [""]):
        text.append(" " if number else sign, style or pen.palette.label)
        text.append(" " + pen.column("" if number else name, lead - 2), pen.palette.label)
        text.append(row + "\n")
