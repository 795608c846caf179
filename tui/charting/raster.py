"""Slots and a scale to cells: the lines of a chart, their range behind them, marks and holes. Pure.

Behind a line stand the raw values: from the least to the greatest of every column. In front stands
the mean of the column, or the smoothed line. A line breaks where numbers are missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tui.charting.dots import Cell, Ink, Layer, Signs, cells
from tui.charting.scale import Scale
from tui.charting.slots import Slot

MARK_EVERY = 16
"""Cells between two marks of a line."""
ALONE = 6
"""Cells between two points, on average, from which on each of them gets a sign of its own."""
LONG = 8.0
"""A pause of more than so many usual steps between two points breaks the line."""


@dataclass(frozen=True)
class Trace:
    """One line to draw. mark: "" when it is alone. step: usual distance of two points."""

    slots: tuple[Slot, ...]
    mark: str = ""
    step: float = 1.0


def raster(
    traces: Sequence[Trace],
    scale: Scale,
    span: tuple[float, float],
    size: tuple[int, int],
    how: Signs,
) -> list[list[Cell]]:
    """size: (width, height) in cells. The first trace is drawn last, over the others."""
    width, height = size
    columns, rows = width * how.across, height * how.down
    ordered = list(enumerate(traces))[::-1]
    layers = [_range(i, trace, scale, span, columns, rows) for i, trace in ordered]
    layers += [_line(i, trace, scale, columns, rows) for i, trace in ordered]
    grid = cells(layers, width, height, how)
    _holes(grid, traces, how)
    for i, trace in ordered:
        _points(grid, trace, i, scale, how)
    if len(traces) > 1:
        for number, (i, trace) in enumerate(ordered):
            _marks(grid, trace, i, number, scale, how)
    return grid


def runs(trace: Trace, log: bool) -> Iterator[list[Slot]]:
    """The pieces of a line between its holes."""
    piece: list[Slot] = []
    for slot in trace.slots:
        hole = not slot.n or (log and drawn(slot) <= 0)
        far = piece and slot.first - piece[-1].last > LONG * trace.step
        if piece and (hole or far):
            yield piece
            piece = []
        if not hole:
            piece.append(slot)
    if piece:
        yield piece


def drawn(slot: Slot) -> float:
    """The value of the line in front."""
    return slot.mean if slot.smooth is None else slot.smooth


def _range(
    i: int, trace: Trace, scale: Scale, span: tuple[float, float], columns: int, rows: int
) -> Layer:
    layer = Layer(Ink(i, True), columns, rows)
    step = (span[1] - span[0]) / columns
    for slot in trace.slots:
        if not slot.n or (scale.log and slot.high <= 0):
            continue
        low, high = scale.row(slot.low, rows), scale.row(slot.high, rows)
        # A coarse bucket covers several columns.
        start = (
            max(int((slot.first - span[0]) / step), 0) if slot.last > slot.first else slot.column
        )
        for column in range(min(start, slot.column), slot.column + 1):
            layer.stroke(column, low, high)
    for piece in runs(trace, scale.log):
        for before, after in itertools.pairwise(piece):
            if before.n == after.n == 1:  # single points: the range is a line as well
                y0, y1 = scale.row(before.mean, rows), scale.row(after.mean, rows)
                layer.line(before.column, y0, after.column, y1)
    return layer


def _line(i: int, trace: Trace, scale: Scale, columns: int, rows: int) -> Layer:
    layer = Layer(Ink(i), columns, rows, trace.mark if i else "")
    for piece in runs(trace, scale.log):
        before = piece[0]
        layer.stroke(before.column, *[scale.row(drawn(before), rows)] * 2)
        for slot in piece[1:]:
            y0, y1 = scale.row(drawn(before), rows), scale.row(drawn(slot), rows)
            layer.line(before.column, y0, slot.column, y1)
            before = slot
    return layer


def _holes(grid: list[list[Cell]], traces: Sequence[Trace], how: Signs) -> None:
    """A sign at the foot of every column in which there was a point and no number."""
    foot = grid[-1]
    for trace in traces[:1]:
        for slot in trace.slots:
            x = slot.column // how.across
            if not slot.n and slot.gaps and foot[x][0] == " ":
                foot[x] = (how.hole, None)


def alone(trace: Trace, scale: Scale, cells: int) -> Iterator[Slot]:
    """Points that would drown: those between two holes, and all of a line that has only a few."""
    few = sum(1 for slot in trace.slots if slot.n) * ALONE <= cells
    for piece in runs(trace, scale.log):
        if few or len(piece) == 1:
            yield from piece


def _points(grid: list[list[Cell]], trace: Trace, i: int, scale: Scale, how: Signs) -> None:
    for slot in alone(trace, scale, len(grid[0])):
        y = scale.row(drawn(slot), len(grid) * how.down) // how.down
        grid[y][slot.column // how.across] = (trace.mark or how.dot, Ink(i))


def _marks(
    grid: list[list[Cell]], trace: Trace, i: int, number: int, scale: Scale, how: Signs
) -> None:
    """The mark of a line on the line, every few cells, and at its end."""
    found = {slot.column // how.across: slot for piece in runs(trace, scale.log) for slot in piece}
    if not found:
        return
    offset = number * MARK_EVERY // 3 % MARK_EVERY
    for x in {*(x for x in found if x % MARK_EVERY == offset), max(found)}:
        y = scale.row(drawn(found[x]), len(grid) * how.down) // how.down
        grid[y][x] = (trace.mark, Ink(i))
