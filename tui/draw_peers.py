"""The peers screen drawn: rows of its tables, the line above, gossip. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from core.gate.fates import FATES, NAMES
from core.net.names import animal_name
from core.reports import ago
from core.state import Gossip, NodeState
from core.swarm.gossip import parts
from core.swarm.peer_reports import meaning
from core.texts import _, many
from tui.derive_peers import HeadView, HeldRow, PeerRow
from tui.draw import Pen, bounded, line
from tui.text import clean_lines, duration, middle, whole, wrap
from tui.widgets.table_layout import Cell, Column, isolated
from tui.widgets.table_rows import Piece

NOBODY = _("Nobody else is here: a swarm of one. Nodes that join appear in this list.")
NO_MATCH = _("Nobody here is called that. Esc shows all again.")
NOBODY_HELD = _("Nobody is left alone: what peers sent was clean, or too little of it was not.")
NO_GOSSIP = _("Nothing was heard yet: the first finished round shows what nodes answered.")
NO_REFUSALS = _("No group of another node was refused, spare or missed.")
QUESTION_ROWS, MAX_ROWS = 4, 10
"""Rows of one message: of what was asked, and of the answer."""

PEERS = (
    Column("rank", _("rank"), 5, right=True, fixed=True),
    Column("sign", "", 1, fixed=True, sorts=False),
    Column("name", _("name"), 22, most=31, fixed=True),
    Column("reward", _("reward"), 7, right=True, falling=True),
    Column("last", _("last"), 5, right=True, falling=True),
    Column("votes", _("votes"), 6, right=True, falling=True),
    Column("wins", _("wins"), 5, right=True, falling=True),
    Column("seen", _("seen"), 11, right=True),
    Column("ms", "ms", 5, right=True),
    Column("used", _("used"), 9, right=True, falling=True),
    Column("refused", _("refused"), 7, right=True, falling=True),
    Column("spare", _("spare"), 6, right=True, falling=True),
    Column("missed", _("missed"), 6, right=True, falling=True),
    Column("round", _("round"), 7, right=True, falling=True),
    Column("note", _("note"), 10, most=20, sorts=False),
    Column("id", _("peer id"), 14, most=52),
)
TITLES = {column.key: column.title for column in PEERS}
HELD = (
    Column("name", _("name"), 20, most=24, fixed=True),
    Column("left", _("for"), 8, right=True),
    Column("reason", _("reason"), 11, most=12),
    Column("times", _("time"), 4, right=True),
    Column("why", _("what it means"), 20, most=90),
)


@dataclass(frozen=True)
class PeersSource:
    """Rows of the table of peers. now: Unix seconds, in steps, so that a row rests in between."""

    rows: Sequence[PeerRow]
    state: NodeState
    now: float
    places: dict[str, int]

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, row: int) -> str:
        return self.rows[row].account

    def find(self, key: str) -> int | None:
        return self.places.get(key)

    def cells(self, row: int, pen: Pen) -> Sequence[Cell]:
        return peer_cells(self.rows[row], self.state, self.now, pen)


def peers_source(rows: Sequence[PeerRow], state: NodeState, now: float) -> PeersSource:
    return PeersSource(rows, state, now, {row.account: n for n, row in enumerate(rows)})


def peer_cells(row: PeerRow, state: NodeState, now: float, pen: Pen) -> Sequence[Cell]:
    dim, entry, peer = pen.palette.muted, row.entry, state.peers.get(row.account)
    me = state.node is not None and row.peer_id == state.node.peer_id
    name = pen.safe((peer.name if peer is not None else "") or row.name, 120)
    style = pen.palette.accent if me else ""
    counters: list[Cell] = [("", "")] * 4
    if entry is not None:
        reported = entry.round is not None
        counters = [
            (str(entry.total_reward), ""),
            (str(entry.last_reward) if reported else "-", "" if reported else dim),
            (str(entry.participation), ""),
            (str(entry.wins), ""),
        ]
    met: list[Cell] = [("", "")] * 6
    if peer is not None and not me:
        ago_s = whole(now - peer.last_seen) // 5 * 5
        seen = _("now") if ago_s < 10 else ago(now - ago_s, now)
        away = "-" if peer.latency_ms is None else f"{peer.latency_ms:.0f}"
        fates = peer.fates
        met = [
            (seen, dim if ago_s < 60 else pen.palette.warn if ago_s < 3600 else dim),
            (away, dim),
            (f"{peer.used}/{peer.groups}", "" if peer.used else dim),
            (str(fates.refused), pen.palette.warn if fates.refused else dim),
            (str(fates.spare), dim),
            (str(fates.missed), dim),
        ]
    rank = "-" if row.rank is None else str(row.rank)
    return (
        (rank, dim),
        sign(row, state, me, pen),
        (name, style),
        *counters,
        *met,
        (str(entry.round) if entry is not None and entry.round is not None else "", dim),
        note(row, state, me, pen),
        (middle(pen.safe(row.peer_id, 128), 52, pen.glyphs.ellipsis), dim),
    )


def sign(row: PeerRow, state: NodeState, me: bool, pen: Pen) -> Cell:
    """What `note` says in words, in a cell that is always in sight."""
    if me:
        return pen.glyphs.star, pen.palette.accent
    if row.account in state.quarantine:
        return pen.glyphs.warn, pen.palette.warn
    return ("", "") if row.signed else ("?", pen.palette.warn)


def note(row: PeerRow, state: NodeState, me: bool, pen: Pen) -> Cell:
    """What sets a peer apart, in a word or two."""
    if me:
        return _("you"), pen.palette.accent
    words = [_("quarantine")] if row.account in state.quarantine else []
    words += [] if row.signed else [_("unsigned")]
    return " ".join(words), pen.palette.warn


def head(view: HeadView, width: int, pen: Pen) -> Text:
    """One line: how many there are, how many are shown, in which order. With a rank: whom the
    coordinator has counted something of. Met: whose rollouts were looked for here."""
    parts = []
    if view.find:
        told = many("{n:,} matches {text}", "{n:,} match {text}", view.shown)
        parts.append(told.format(n=view.shown, text=pen.safe(view.find, 40)))
    parts.append(_("{n:,} known").format(n=view.peers))
    if view.ranked is not None:
        parts.append(_("{n:,} ranked").format(n=view.ranked))
    # Translators: peers that are known, have a rank, were met by this node.
    parts.append(_("{n:,} met").format(n=view.met))
    if view.problem:
        parts.append(pen.safe(view.problem, 200))
    if view.column != "rank" or view.falling:
        order = (
            _("by {column}, largest first") if view.falling else _("by {column}, smallest first")
        )
        parts.append(order.format(column=TITLES.get(view.column, view.column)))
    if view.behind:
        left = many("{n:,} block still to be read", "{n:,} blocks still to be read", view.behind)
        parts.append(left.format(n=view.behind))
    if view.missing and not view.problem:
        parts.append(_("{n:,} ranks follow when they are saved").format(n=view.missing))
    text = line()
    text.append(" " + _("Peers") + " ", f"bold {pen.palette.accent}")
    body = f" {pen.glyphs.dot} ".join(parts)
    text.append(" " + pen.fit(body, width - 2 - cell_len(text.plain)), pen.palette.label)
    return text


def foot(view: tuple[str, str], width: int, pen: Pen) -> Text:
    """Where the cursor is, and what is under it, whole."""
    where, what = view
    text = line()
    text.append(f" {where}  ", pen.palette.label)
    text.append(pen.fit(pen.safe(what, 400), width - cell_len(where) - 4))
    return bounded(text, width, pen)


# --- quarantine -------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeldSource:
    rows: Sequence[HeldRow]

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, row: int) -> str:
        return self.rows[row].account

    def find(self, key: str) -> int | None:
        return next((n for n, row in enumerate(self.rows) if row.account == key), None)

    def cells(self, row: int, pen: Pen) -> Sequence[Cell]:
        each = self.rows[row]
        name = pen.safe(each.held.name or animal_name(each.held.peer_id), 120)
        name = name if each.held.signed else _("{name} (unsigned)").format(name=name)
        left = duration(each.left_s) if each.left_s else _("due")
        return (
            (name, ""),
            (left, pen.palette.warn),
            (pen.safe(each.held.reason, 40) or _("strikes"), ""),
            (str(each.held.times), pen.palette.muted),
            (pen.safe(meaning(each.held.reason), 200), pen.palette.label),
        )


def left_out(
    view: tuple[tuple[str, tuple[tuple[str, int], ...]], ...], width: int, pen: Pen
) -> Text:
    """What was not let in from all peers, by what it says of them, and by reason."""
    text = line()
    if not view:
        text.append(pen.fit(NO_REFUSALS, width), pen.palette.muted)
    for name, found in view:
        text.append("\n" if text.plain else "")
        lead = f"{sum(count for _code, count in found):>7,} {NAMES[name]}"
        text.append(lead, f"bold {pen.palette.warn}" if name == "refused" else "bold")
        text.append(pen.fit(f": {FATES[name]}", width - cell_len(lead)), pen.palette.label)
        for reason, count in found:
            text.append(f"\n{count:>9,} ", pen.palette.muted)
            text.append(pen.column(pen.safe(reason, 40), 12))
            text.append(pen.fit(meaning(reason), width - 23), pen.palette.label)
    return bounded(text, width, pen)


# --- gossip -----------------------------------------------------------------------------------


def gossip_foot(frozen: bool, behind: int) -> tuple[str, str]:
    """Whether what is heard is followed, and which key changes that."""
    if not frozen:
        return _("following"), _("f holds it still")
    told = many("+{n} message", "+{n} messages", behind).format(n=behind)
    return told, _("End or f follows again")


def gossip_rows(message: Gossip, width: int, pen: Pen) -> list[list[Piece]]:
    """A message as rows: who and when, what was asked, what it answered, then a gap."""
    who = _("round {round}  {node}").format(round=message.round, node=pen.safe(message.node, 120))
    rows: list[list[Piece]] = [[(" " + pen.fit(who, width - 1), f"bold {pen.palette.accent}")]]
    asked, answer = parts(message)
    sign = f" {pen.glyphs.arrow} "
    lead, room = " " * cell_len(sign), max(8, width - cell_len(sign))
    for told, style, most in ((asked, pen.palette.label, QUESTION_ROWS), (answer, "", MAX_ROWS)):
        lines = [
            part
            for raw in clean_lines(told, 1000, pen.glyphs.ascii)
            for part in wrap(raw, room)
            if part
        ]
        if len(lines) > most:
            lines = [*lines[: most - 1], pen.glyphs.ellipsis]
        for number, each in enumerate(lines):
            first = sign if told is answer and number == 0 else lead
            rows.append([(first, pen.palette.accent), (isolated(pen.fit(each, room)), style)])
    return [*rows, []]
