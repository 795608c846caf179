"""From a drawn chart and the cursor to what is written around it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from core.texts import _
from tui.charting.catalogue import Chart
from tui.charting.dots import Signs
from tui.charting.look import Look
from tui.charting.panel import Panel, Value
from tui.charting.raster import drawn
from tui.charting.scale import figure
from tui.charting.slots import Slot
from tui.charting.studio import Drawn
from tui.charting.window import Extent
from tui.text import clean


def panel_of(
    chart: Chart,
    made: Drawn,
    look: Look,
    chosen: bool,
    size: tuple[int, int],
    how: Signs,
    ascii_only: bool,
) -> Panel:
    """size: of the plot in cells."""
    width, height = size
    cursor = None if look.cursor is None else cell_of(look.cursor, made.span, width)
    hits, values = [], []
    for number, (line, trace) in enumerate(zip(made.lines, made.traces, strict=True)):
        slot = slot_at(trace.slots, look.cursor)
        number_there = slot is not None and slot.n > 0
        text = figure(slot.mean, 9) if slot is not None and number_there else "-"
        values.append(Value(trace.mark, clean(line.label, 40, ascii_only), text))
        if slot is not None and number_there and slot.column // how.across == cursor:
            row = made.scale.row(drawn(slot), height * how.down) // how.down
            hits.append((slot.column // how.across, row, number))
    tag = (
        (_("linear: nothing above 0") if made.unscaled else _("log", "a scale")) if look.log else ""
    )
    return Panel(
        title=clean(chart.title, 80, ascii_only),
        values=tuple(values),
        chosen=chosen,
        scale=made.scale,
        span=made.span,
        cursor=cursor,
        bracket=None if look.bracket is None else cell_of(look.bracket, made.span, width),
        at_cursor=tuple(reversed(hits)),
        tag=tag or clean(chart.group, 20, ascii_only),
        note=_("No number in this part of the run.") if made.empty else "",
        clipped=clipped(made, how) if look.clip else (),
    )


def cell_of(x: float, span: Extent, width: int) -> int | None:
    """The column of a position, or None when it is out of sight."""
    if not span[0] <= x <= span[1]:
        return None
    return min(int((x - span[0]) / (span[1] - span[0]) * width), width - 1)


def clipped(made: Drawn, how: Signs) -> tuple[tuple[int, bool], ...]:
    """Columns of cells in which a value lies outside the scale, and whether above it."""
    return tuple(
        (slot.column // how.across, slot.high > made.scale.high)
        for trace in made.traces
        for slot in trace.slots
        if slot.n and (slot.high > made.scale.high or slot.low < made.scale.low)
    )


def slot_at(found: Sequence[Slot], x: float | None) -> Slot | None:
    """The slot that holds `x`, else the last one before it; without x, the newest number."""
    if x is None:
        return next((slot for slot in reversed(found) if slot.n), None)
    best = None
    for slot in found:
        if slot.first > x:
            break
        best = slot
    return best


def stepped(found: Sequence[Slot], x: float | None, steps: int) -> float | None:
    """The end of the slot `steps` to the right of `x`, to the left when negative.

    Without x: from the newest end. None when there is no slot.
    """
    ends = [slot.last for slot in found]
    if not ends:
        return None
    if x is None:
        return ends[max(len(ends) - 1 + min(steps, 0), 0)]
    if steps > 0:
        later = [end for end in ends if end > x]
        return later[min(steps, len(later)) - 1] if later else ends[-1]
    earlier = [end for end in ends if end < x]
    return earlier[max(steps, -len(earlier))] if earlier else ends[0]
