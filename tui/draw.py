"""Views to `rich.text.Text`: every function is pure and keeps within the width it is given."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from tui import views
from tui.glyphs import Glyphs
from tui.palette import Palette
from tui.text import clean, column, count, duration, fit, mebibytes, middle, nearest, number

WORDS = {
    "start": "Starting",
    "sample": "Sampling answers",
    "publish": "Publishing rollouts",
    "gather": "Gathering rollouts",
    "admit": "Checking rollouts",
    "update": "Updating the model",
    "account": "Recording the round",
    "save": "Saving a checkpoint",
    "eval": "Evaluating",
    "wait": "Waiting",
    "paused": "Paused",
}
"""A phase in a person's words."""

BAR_WIDTH = 24


@dataclass(frozen=True)
class Pen:
    """How things are drawn: signs and colours."""

    glyphs: Glyphs
    palette: Palette

    def safe(self, text: object, limit: int = 500) -> str:
        return clean(text, limit, self.glyphs.ascii)

    def fit(self, text: str, width: int) -> str:
        return fit(text, width, self.glyphs.ellipsis)

    def column(self, text: str, width: int, right: bool = False) -> str:
        return column(text, width, self.glyphs.ellipsis, right)


def line() -> Text:
    return Text(no_wrap=True, overflow="crop", end="")


def bounded(text: Text, width: int, pen: Pen) -> Text:
    """Every row within `width`; a row that is too long ends in an ellipsis."""
    rows = text.split("\n", allow_blank=True)
    cut = pen.glyphs.ellipsis
    for row in rows:
        if cell_len(row.plain) > width:
            row.truncate(max(0, width - len(cut)))
            row.append(cut[:width])
    out = Text("\n", no_wrap=True, end="").join(rows)
    out.no_wrap, out.overflow, out.end = True, "crop", ""
    return out


def headline(view: views.Headline, width: int, pen: Pen) -> Text:
    """Two lines: the verdict with its reason, and what to do next."""
    text = line()
    style = pen.palette.level(view.level) or pen.palette.accent
    word = f" {pen.glyphs.status(view.level)} {view.level.upper()}  "
    text.append(word, f"bold {style}")
    text.append(pen.fit(pen.safe(view.reason), width - cell_len(word)), "bold")
    text.append("\n")
    if view.next_step:
        lead = f" {pen.glyphs.arrow} "
        text.append(lead + pen.fit(pen.safe(view.next_step), width - cell_len(lead)))
    return text


def bar(fraction: float | None, width: int, pen: Pen) -> Text:
    text = line()
    filled = 0 if fraction is None else min(width, nearest(width * fraction))
    text.append(pen.glyphs.full * filled, pen.palette.accent)
    text.append(pen.glyphs.empty * (width - filled), pen.palette.muted)
    return text


def round_line(view: views.RoundView, width: int, pen: Pen) -> Text:
    """Two lines: the round with its phase and progress; the figures that matter."""
    dim, text = pen.palette.label, line()
    head = f" Round {view.round}" if view.round is not None else " No round yet"
    text.append(head, "bold")
    if view.round is not None:
        text.append(f" stage {view.stage}", dim)
    phase = "Paused" if view.paused else WORDS.get(view.phase, pen.safe(view.phase, 30))
    times = _times(view)
    text.append("  ")
    text.append(pen.column(phase, 19), pen.palette.accent)
    bar_width = min(BAR_WIDTH, width - cell_len(text.plain) - cell_len(times) - 4)
    if bar_width >= 6 and view.phase not in ("", "wait", "start") and not view.paused:
        text.append(" ")
        text.append_text(bar(view.fraction, bar_width, pen))
    text.append("  ")
    text.append(times, dim)
    if view.detail and (left := width - cell_len(text.plain) - 3) > 8:
        text.append(" " + pen.fit(pen.safe(view.detail), left), dim)
    text.append("\n")
    text.append_text(figures(view, width, pen))
    return bounded(text, width, pen)


def _times(view: views.RoundView) -> str:
    if view.paused or not view.phase:
        return ""
    if view.phase == "wait":
        return f"for {duration(view.elapsed_s)}"
    told = duration(view.elapsed_s)
    if view.expected_s and view.expected_s >= 0.5:
        told += f" of about {duration(view.expected_s)}"
    if view.total:
        told = f"{100 * min(view.done, view.total) // view.total:3d} %  {told}"
    return told


def figures(view: views.RoundView, width: int, pen: Pen) -> Text:
    parts: list[tuple[str, str]] = []
    if view.stopping:
        parts.append(("stopping", "after this round"))
    parts.append(("reward", number(view.reward)))
    if view.swarm_reward is not None:
        parts.append(("swarm", number(view.swarm_reward)))
    parts.append(("loss", number(view.loss, 4)))
    parts.append(("confirmed", f"{view.confirmed}/{view.trained}"))
    if view.next_in_s is not None:
        parts.append(("next within", duration(view.next_in_s)))
    text = line()
    for label, value in parts:
        piece = f" {label} {value} "
        if cell_len(text.plain) + cell_len(piece) > width:
            break
        text.append(f" {label} ", pen.palette.label)
        text.append(f"{value} ")
    return text


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
        for position, ((value, style), (_, size, right)) in enumerate(
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
        return note("This node trains alone: net.enabled is false.", width, pen)
    if len(view.rows) <= 1 and not any(not row.me for row in view.rows):
        return note(
            "Nobody else is here: a swarm of one. Nodes that join appear in this list.", width, pen
        )
    heads = (
        ("name", 0, False),
        ("reward", 6, True),
        ("used", 7, True),
        ("seen", 8, True),
        ("ms", 4, True),
        ("peer id", 9, False),
    )
    dim = pen.palette.muted
    rows = []
    for row in view.rows:
        name = pen.safe(row.name, 80) or middle(pen.safe(row.peer_id), 14, pen.glyphs.ellipsis)
        name = f"{name} (you)" if row.me else name
        used = "-" if row.me else f"{row.used}/{row.groups}"
        seen = "now" if row.seen_s < 10 else duration(row.seen_s) + " ago"
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
        text.append(f"\n+{view.hidden} more", dim)
    return bounded(text, width, pen)


def ledger(view: views.LedgerView, width: int, pen: Pen) -> Text:
    if not view.enabled:
        return note("Nothing is recorded: chain.enabled is false.", width, pen)
    text = line()
    pieces = [
        ("trained", view.trained, ""),
        ("submitted", view.submitted, ""),
        ("confirmed", view.confirmed, pen.palette.good if view.confirmed else ""),
        ("queue", view.queue, pen.palette.warn if view.queue > 5 else ""),
    ]
    _pairs(text, pieces, width, pen)
    text.append("\n")
    coordinator = [
        ("participation", view.participation, ""),
        ("reward", view.total_reward, ""),
        ("wins", view.wins, ""),
    ]
    if view.participation is None:
        text.append(pen.fit("The coordinator's own figures are not read yet.", width), "dim")
    else:
        _pairs(text, coordinator, width, pen, lead="coordinator: ")
    if view.error:
        text.append("\n" + pen.fit(f"{pen.glyphs.warn} {pen.safe(view.error)}", width))
    text.append("\n\n")
    heads = (
        ("round", 7, True),
        ("value", 7, True),
        ("reward", 10, False),
        ("vote", 10, False),
        ("transaction", 0, False),
    )
    rows = [
        (
            (str(row.round), ""),
            (pen.safe(row.value, 20), ""),
            (pen.safe(row.reward, 20) or "-", pen.palette.level(row.reward)),
            (pen.safe(row.winner, 20) or "-", pen.palette.level(row.winner)),
            (_receipt(row, pen), pen.palette.muted),
        )
        for row in view.rows
    ]
    if rows:
        text.append_text(table(heads, rows, width, pen))
    else:
        text.append(pen.fit("No round is finished yet.", width), pen.palette.muted)
    return bounded(text, width, pen)


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


def note(sentence: str, width: int, pen: Pen) -> Text:
    """A sentence where there is nothing to list; wrapped to `width`."""
    rows = textwrap.wrap(pen.safe(sentence), max(width, 8))
    return Text("\n".join(rows), pen.palette.muted, no_wrap=True, end="")


def status(view: views.StatusView, width: int, pen: Pen) -> Text:
    """The bottom line; what is least needed goes first when it is narrow."""
    speed = "-" if view.tokens_per_s is None else f"{count(view.tokens_per_s)} tok/s"
    memory = "-" if view.rss_mib is None else mebibytes(view.rss_mib)
    parts = [
        pen.safe(view.model.rstrip("/").rsplit("/", 1)[-1], 40),
        pen.safe(view.name, 40),
        speed,
        memory,
        middle(pen.safe(view.account), 9, pen.glyphs.ellipsis) if view.account else "no account",
        f"queue {view.queue}",
    ]
    if view.console_kb_s is not None:
        parts.append(
            f"{view.console_kb_s:.0f} KB/s"
            if view.console_kb_s >= 10
            else f"{view.console_kb_s:.1f} KB/s"
        )
    if view.backup:
        parts.append(view.backup)
    between = f" {pen.glyphs.dot} "
    if cell_len(between.join(parts)) + 2 > width:
        between = "  "
    while len(parts) > 2 and cell_len(between.join(parts)) + 2 > width:
        parts.pop()
    return Text(
        " " + pen.fit(between.join(parts), width - 2), pen.palette.label, no_wrap=True, end=""
    )
