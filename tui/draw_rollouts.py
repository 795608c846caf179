"""The rollouts screen drawn: the doctor's lines, the rows, two answers side by side or stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from core.texts import _
from tui import derive_rollouts as derive
from tui.derive_rollouts import Head, Row
from tui.draw import Pen, bounded, line
from tui.text import clean_lines, number, wrap
from tui.widgets.table_layout import Cell, Column, isolated

COLUMNS = (
    Column("round", _("round"), 7, right=True, fixed=True, sorts=False),
    Column("outcome", _("outcome"), 12, most=16, fixed=True, sorts=False),
    Column("best", _("best"), 5, right=True, sorts=False),
    Column("worst", _("worst"), 5, right=True, sorts=False),
    Column("spread", _("advantage"), 11, right=True, sorts=False),
    Column("from", _("from"), 14, most=26, sorts=False),
    Column("task", _("task"), 16, most=60, sorts=False),
    Column("tokens", _("tokens"), 9, right=True, sorts=False),
)
BESIDE = 100
"""Columns from which two answers stand side by side."""
GAP = 3
LEAD = 10
MAX_QUESTION, NARROW_QUESTION = 8, 4
"""Rows of a question, at most; Enter shows all of it."""


def head(view: Head, width: int, pen: Pen) -> Text:
    """Two lines or three: the figures of the last rounds, as many as have room, and what the doctor
    would change."""
    text = line()
    sign, room = pen.glyphs.status(view.level), max(20, width - 4)
    style = pen.palette.level(view.level)
    figures = pen.safe(view.sentence, 600).split(", ")
    while len(figures) > 1 and cell_len(", ".join(figures)) > room:
        figures.pop()
    text.append(f" {sign}  ", f"bold {style}")
    text.append(pen.fit(", ".join(figures), room), "bold")
    if view.advice:
        parts = wrap(pen.safe(view.advice, 600), room)
        for place, part in enumerate(parts[:2]):
            more = pen.glyphs.ellipsis if place == 1 and len(parts) > 2 else ""
            text.append(f"\n {pen.glyphs.arrow.ljust(3) if place == 0 else '   '}")
            text.append(part + more)
    return bounded(text, width, pen)


@dataclass(frozen=True)
class RowSource:
    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, row: int) -> Any:
        return self.rows[row].key

    def find(self, key: Any) -> int | None:
        return next((n for n, row in enumerate(self.rows) if row.key == key), None)

    def cells(self, row: int, pen: Pen) -> Sequence[Cell]:
        each = self.rows[row]
        told, dim = each.event, pen.palette.muted
        spread = "-"
        if told.best_advantage is not None and told.worst_advantage is not None:
            spread = f"{told.best_advantage:+.1f} {told.worst_advantage:+.1f}"
        tokens = f"{told.best_tokens or '-'} {told.worst_tokens or '-'}"
        return (
            ("-" if told.round is None else str(told.round), ""),
            (f"{sign(each, pen)} {pen.safe(each.words, 40)}", pen.palette.level(each.level)),
            (number(told.best_reward, 2), ""),
            (number(told.worst_reward, 2), ""),
            (spread, dim),
            (pen.safe(each.peer, 120), "" if each.mine else pen.palette.second),
            (pen.safe(told.task, 128), dim),
            (tokens, dim),
        )


def sign(row: Row, pen: Pen) -> str:
    """What became of it, without a colour."""
    if row.refused:
        return "x"
    return pen.glyphs.done if row.outcome == "trained" else pen.glyphs.dot


def group(view: Row | str, width: int, pen: Pen) -> Text:
    """The group under the cursor: its task, what became of it, and its two answers."""
    text = line()
    if isinstance(view, str):
        return text
    told, label, narrow = view.event, pen.palette.label, width < BESIDE
    if not narrow or view.outcome != "trained":
        _block(text, _("outcome"), view.meaning, width, pen, pen.palette.level(view.level), 3)
    if told.question:
        most = NARROW_QUESTION if narrow else MAX_QUESTION
        _block(text, _("task"), told.question, width, pen, "", most)
        _block(text, _("solution"), told.answer, width, pen, "", 3)
    _block(text, _("rewards"), derive.rewards(view), width, pen, label, 2)
    titles = derive.titles(view)
    heads = [f"{title}  {derive.measures(view, not n)}" for n, title in enumerate(titles)]
    good = derive.has_best(told)
    styles = (pen.palette.good, pen.palette.warn) if good else (pen.palette.accent,) * 2
    bodies = (told.best, told.worst)
    if not narrow:
        _side_by_side(text, heads, bodies, styles, width, pen)
    else:
        for title, body, style in zip(heads, bodies, styles, strict=True):
            text.append("\n" + pen.fit(title, width), f"bold {style}")
            for part in _rows(body, width - 2, pen):
                text.append(f"\n  {part}")
    return bounded(text, width, pen)


def _side_by_side(
    text: Text,
    heads: Sequence[str],
    bodies: Sequence[str],
    styles: Sequence[str],
    width: int,
    pen: Pen,
) -> None:
    half = (width - GAP) // 2
    left, right = (_rows(body, half, pen) for body in bodies)
    text.append("\n")
    for place, (title, style) in enumerate(zip(heads, styles, strict=True)):
        text.append(" " * GAP if place else "")
        text.append(pen.column(title, half), f"bold {style}")
    for number_ in range(max(len(left), len(right))):
        one = left[number_] if number_ < len(left) else ""
        other = right[number_] if number_ < len(right) else ""
        text.append(f"\n{pen.column(isolated(one), half)}{' ' * GAP}{other}")


def _block(text: Text, label: str, body: str, width: int, pen: Pen, style: str, most: int) -> None:
    """A label and an indented text of at most `most` rows, its beginning and its end."""
    rows = [row for row in _rows(body, max(12, width - LEAD), pen) if row]
    if len(rows) > most:
        head = (most - 1) // 2
        told = _("{n} rows between").format(n=len(rows) - most + 1)
        between = f"{pen.glyphs.ellipsis} {told}"
        rows = [*rows[:head], between, *rows[len(rows) - most + head + 1 :]]
    for place, row in enumerate(rows):
        text.append("\n" if text.plain else "")
        text.append((label if place == 0 else "").ljust(LEAD), pen.palette.label)
        text.append(row, style)


def _rows(body: str, width: int, pen: Pen) -> list[str]:
    lines = clean_lines(body.strip("\n"), 4000, pen.glyphs.ascii)
    rows = [part for each in lines for part in wrap(each, max(8, width)) or [""]]
    return rows if any(rows) else [_("(empty)")]
