"""The panes of the dashboard that are tables: peers and rewards. Views in, Text out; pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from core.rewards_words import NAMES
from core.texts import _
from tui import views
from tui.draw import Pen, bounded, line, note
from tui.text import duration, middle, number


def table(
    heads: tuple[tuple[str, int, bool], ...],
    rows: Sequence[Sequence[tuple[str, str]]],
    width: int,
    pen: Pen,
) -> Text:
    """Columns of (title, width, right-aligned); a width of 0 takes what is left. Cells are clean.

    Columns that do not fit are left out from the right, whole.
    """
    columns, keep = _columns(heads, width)
    text = line()
    text.append(
        pen.fit(" ".join(pen.column(t, w, r) for t, w, r in columns), width), pen.palette.label
    )
    for row in rows:
        text.append("\n")
        cells = [row[index] for index in keep]
        for position, ((value, style), (_title, size, right)) in enumerate(
            zip(cells, columns, strict=True)
        ):
            text.append(" " if position else "")
            text.append(pen.column(value, size, right), style)
    return text


def _columns(
    heads: tuple[tuple[str, int, bool], ...], width: int
) -> tuple[list[tuple[str, int, bool]], list[int]]:
    """The columns that fit and their positions; the flexible one never gets less than 8 cells."""
    keep = list(range(len(heads)))
    while len(keep) > 1:
        fixed = sum(max(heads[i][1], 0) + 1 for i in keep) - 1
        spare = width - fixed
        if spare >= (8 if any(heads[i][1] == 0 for i in keep) else 0):
            break
        keep.pop()
    spare = width - sum(heads[i][1] + 1 for i in keep) + 1
    return [(t, w or max(spare, 1), r) for t, w, r in (heads[i] for i in keep)], keep


def peers(view: views.PeersView, width: int, pen: Pen) -> Text:
    if not view.enabled:
        return note(_("This node trains alone: net.enabled is false."), width, pen)
    if len(view.rows) <= 1 and not any(not row.me for row in view.rows):
        return note(
            _("Nobody else is here: a swarm of one. Nodes that join appear in this list."),
            width,
            pen,
        )
    heads = (
        (_("name"), 0, False),
        (_("reward"), 6, True),
        (_("used"), 7, True),
        (_("seen"), 8, True),
        ("ms", 4, True),
        (_("peer id"), 9, False),
    )
    dim = pen.palette.muted
    rows = []
    for row in view.rows:
        name = pen.safe(row.name, 80) or middle(pen.safe(row.peer_id), 14, pen.glyphs.ellipsis)
        name = _("{name} (you)").format(name=name) if row.me else name
        used = "-" if row.me else f"{row.used}/{row.groups}"
        seen = _("now") if row.seen_s < 10 else duration(row.seen_s) + " ago"
        rows.append(
            (
                (name, pen.palette.accent if row.me else ""),
                (number(row.reward), ""),
                (used, "" if row.used else dim),
                (seen, dim if row.seen_s < 60 else pen.palette.warn),
                ("-" if row.latency_ms is None else str(row.latency_ms), dim),
                (middle(pen.safe(row.peer_id), 9, pen.glyphs.ellipsis), dim),
            )
        )
    text = table(heads, rows, width, pen)
    if view.hidden:
        text.append("\n" + _("+{n} more").format(n=view.hidden), dim)
    return bounded(text, width, pen)


def ledger(view: views.LedgerView, width: int, pen: Pen) -> Text:
    if not view.enabled:
        return note(_("Nothing is recorded: chain.enabled is false."), width, pen)
    text = line()
    pieces = [
        (_("trained"), view.trained, ""),
        (_("submitted"), view.submitted, ""),
        (_("confirmed"), view.confirmed, pen.palette.good if view.confirmed else ""),
        (_("queue"), view.queue, pen.palette.warn if view.queue > 5 else ""),
    ]
    _pairs(text, pieces, width, pen)
    text.append("\n")
    coordinator = [
        (_("participation"), view.participation, ""),
        (_("reward"), view.total_reward, ""),
        (_("wins"), view.wins, ""),
    ]
    if view.participation is None:
        text.append(
            pen.fit(_("The coordinator's own figures are not read yet."), width), pen.palette.muted
        )
    else:
        _pairs(text, coordinator, width, pen, lead=_("coordinator:") + " ")
    if view.error:
        text.append("\n" + pen.fit(f"{pen.glyphs.warn} {pen.safe(view.error)}", width))
    text.append("\n\n")
    heads = (
        (_("round"), 7, True),
        (_("value"), 7, True),
        (_("reward"), 10, False),
        (_("vote"), 10, False),
        (_("transaction"), 0, False),
    )
    rows = [
        (
            (str(row.round), ""),
            (pen.safe(row.value, 20), ""),
            (_status(row.reward, pen), pen.palette.level(row.reward)),
            (_status(row.winner, pen), pen.palette.level(row.winner)),
            (_receipt(row, pen), pen.palette.muted),
        )
        for row in view.rows
    ]
    if rows:
        text.append_text(table(heads, rows, width, pen))
    else:
        text.append(pen.fit(_("No round is finished yet."), width), pen.palette.muted)
    return bounded(text, width, pen)


def _status(code: str, pen: Pen) -> str:
    return NAMES.get(code) or pen.safe(code, 20) or "-"


def _receipt(row: views.LedgerRow, pen: Pen) -> str:
    return (
        pen.safe(row.error) if row.error else middle(pen.safe(row.tx_hash), 16, pen.glyphs.ellipsis)
    )


def _pairs(
    text: Text, pairs: Sequence[tuple[str, int | None, str]], width: int, pen: Pen, lead: str = ""
) -> None:
    used = cell_len(lead)
    text.append(lead, pen.palette.label)
    for position, (label, value, style) in enumerate(pairs):
        piece = f"{'  ' if position else ''}{label} "
        shown = "-" if value is None else str(value)
        used += cell_len(piece) + cell_len(shown)
        if used > width:
            return
        text.append(piece, pen.palette.label)
        text.append(shown, f"bold {style}".strip())
