"""One chart as rows of styled text: title with values, plot, axes, cursor. Pure.

A row is a tuple of (text, style name); what a name looks like is decided by `ink.py`.
Texts of a `Panel` are clean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from core.texts import _
from tui.charting.dots import Cell, Signs
from tui.charting.scale import Scale, labels, position, ticks
from tui.text import fit

Row = tuple[tuple[str, str], ...]
AXIS = 8
"""Cells left of the plot: a figure and the axis."""
SMALLEST = (24, 5)


@dataclass(frozen=True)
class Value:
    """A line's entry in the title. mark: "" when it is the only one."""

    mark: str
    label: str
    text: str


@dataclass(frozen=True)
class Panel:
    """All that is written around the plot. cursor, bracket: columns of cells, or None.

    at_cursor: cells (x, y, line) where a line meets the cursor. tag: at the right of the title.
    note: instead of a plot. clipped: (column, above) where a value lies outside the scale.
    """

    title: str
    values: tuple[Value, ...]
    chosen: bool
    scale: Scale
    span: tuple[float, float]
    cursor: int | None = None
    bracket: int | None = None
    at_cursor: tuple[tuple[int, int, int], ...] = ()
    tag: str = ""
    note: str = ""
    clipped: tuple[tuple[int, bool], ...] = ()


def plot_size(width: int, height: int) -> tuple[int, int]:
    """Cells of the plot inside a panel: without title, axis and positions."""
    return max(width - AXIS - 1, 1), max(height - 2, 1)


def panel_rows(
    panel: Panel, grid: Sequence[Sequence[Cell]], width: int, height: int, how: Signs, cut: str
) -> list[Row]:
    """Exactly `height` rows of exactly `width` cells."""
    rows = [_title(panel, width, how, cut)]
    if panel.note or width < SMALLEST[0] or height < SMALLEST[1]:
        text = panel.note or _("Too small for a chart")
        rows += [_padded([(fit("  " + text, width, cut), "muted")], width)]
    else:
        rows += _plot(panel, grid, width, height, how)
    rows += [_padded([], width)] * (height - len(rows))
    return rows[:height]


def _title(panel: Panel, width: int, how: Signs, cut: str) -> Row:
    """Title, values with their marks, and at the right a tag; what does not fit gives way."""
    room = width - 1
    name = fit(panel.title, room - 2, cut)
    style = "chosen" if panel.chosen else "title"
    parts = [(f"{how.chosen} " if panel.chosen else "  ", style), (name, style)]
    left = room - 2 - cell_len(name)
    named = left >= sum(cell_len(f"  {v.mark} {v.label} {v.text}") for v in panel.values if v.mark)
    for number, value in enumerate(panel.values):
        label = f"{value.mark} {value.label}" if named else value.mark
        lead = f"  {label} " if value.mark else "  "
        size = cell_len(lead) + cell_len(value.text)
        if size > left:
            break
        parts += [(lead, f"line {number}" if value.mark else ""), (value.text, "value")]
        left -= size
    if panel.tag and cell_len(panel.tag) + 2 <= left:
        parts.append((" " * (left - cell_len(panel.tag)) + panel.tag, "muted"))
    return _padded(parts, width)


def _plot(
    panel: Panel, grid: Sequence[Sequence[Cell]], width: int, height: int, how: Signs
) -> list[Row]:
    plot_width, plot_height = plot_size(width, height)
    figures = _y_labels(panel.scale, plot_height, how)
    hit = {(x, y): line for x, y, line in panel.at_cursor}
    clipped = dict(panel.clipped)
    out = []
    for y in range(plot_height):
        label = figures.get(y, "")
        parts = [
            (label.rjust(AXIS - 1), "label"),
            (how.tick if label else how.axis, "muted"),
        ]
        row = grid[y] if y < len(grid) else ()
        for x in range(plot_width):
            sign, ink = row[x] if x < len(row) else (" ", None)
            style = "" if ink is None else f"{'faint' if ink.faint else 'line'} {ink.line}"
            if (x, y) in hit:
                sign, style = how.point, f"line {hit[x, y]}"
            elif x == panel.cursor and (ink is None or ink.faint):
                sign, style = how.cursor, "cursor"
            elif x == panel.bracket and ink is None:
                sign, style = how.bracket, "cursor"
            elif ink is None and sign != " ":
                style = "warn"
            elif x in clipped and y == (0 if clipped[x] else plot_height - 1):
                sign, style = (how.over if clipped[x] else how.under), "warn"
            parts.append((sign, style))
        out.append(_padded(parts, width))
    out.append(_x_labels(panel, plot_width, width))
    return out


def _y_labels(scale: Scale, rows: int, how: Signs) -> dict[int, str]:
    values = ticks(scale, max(2, min(5, rows // 2)))
    dots = rows * how.down
    return dict(zip((scale.row(v, dots) // how.down for v in values), labels(values), strict=True))


def _x_labels(panel: Panel, plot_width: int, width: int) -> Row:
    first, last = panel.span
    marks = Scale(first, last)
    most = max(1, plot_width // (cell_len(position(last)) + 4))
    values = [x for x in ticks(marks, most) if x == round(x)]
    text = ""
    for x in values:
        at = AXIS + min(int(marks.share(x) * plot_width), plot_width - 1)
        label = position(x)
        start = min(max(at - cell_len(label) // 2, AXIS), width - cell_len(label))
        if not text or start > len(text):
            text += " " * (start - len(text)) + label
    return _padded([(text, "label")], width)


def _padded(parts: Sequence[tuple[str, str]], width: int) -> Row:
    """Neighbours of one style joined, and spaces up to `width`."""
    out: list[tuple[str, str]] = []
    used = 0
    for text, style in parts:
        used += cell_len(text)
        if out and out[-1][1] == style:
            out[-1] = (out[-1][0] + text, style)
        elif text:
            out.append((text, style))
    if used < width:
        out.append((" " * (width - used), ""))
    return tuple(out)
