"""What the chosen chart says at the cursor, and between the bracket and the cursor. Pure text."""

from __future__ import annotations

import math

from core.series import Columns
from core.texts import _
from tui.charting.catalogue import Chart, definition
from tui.charting.look import Look
from tui.charting.picture import slot_at
from tui.charting.scale import figure, position
from tui.charting.slots import Slot
from tui.charting.sources import Drawing, Source
from tui.charting.studio import Drawn
from tui.text import clean


def reading(chart: Chart, made: Drawn, sources: tuple[Source, ...], look: Look) -> str:
    """Position and values at the cursor, of every line; "" without a cursor."""
    if look.cursor is None:
        return ""
    parts = [
        _("{chart} at {place}").format(
            chart=clean(chart.title, 60), place=place(look.cursor, sources, look)
        )
    ]
    for line, trace in zip(made.lines, made.traces, strict=True):
        slot = slot_at(trace.slots, look.cursor)
        if slot is None:
            continue
        text = mark_of(line, made) + (figure(slot.mean, 9) if slot.n else _("no number"))
        if slot.n > 1 or (slot.n and slot.gaps):
            text += f" ({_range(slot)})"
        if slot.smooth is not None:
            text += " " + _("smooth {value}").format(value=figure(slot.smooth, 9))
        parts.append(text)
    return "  ".join(parts)


def _range(slot: Slot) -> str:
    """What the points of one place reach from and to."""
    low, high = figure(slot.low), figure(slot.high)
    if slot.gaps:
        # Translators: the lowest to the highest of so many points.
        told = _("{low} to {high} in {n}, {gaps} missing")
        return told.format(low=low, high=high, n=slot.n, gaps=slot.gaps)
    # Translators: the lowest to the highest of so many points.
    return _("{low} to {high} in {n}").format(low=low, high=high, n=slot.n)


def definition_of(chart: Chart) -> str:
    """What the chart's first metric is."""
    told = definition(chart.lines[0].name)
    title = clean(chart.title, 80)
    return f"{title}: {told}" if told else title


def bracketed(made: Drawn, sources: tuple[Source, ...], look: Look) -> str:
    """Count, mean, range and slope of each line between bracket and cursor; "" without both."""
    if look.bracket is None or look.cursor is None:
        return ""
    first, last = sorted((look.bracket, look.cursor))
    parts = [_("{first} to {last}:").format(first=position(first), last=position(last))]
    for line in made.lines:
        offset = sources[line.source].offset(look.relative)
        data = line.series.columns
        start, stop = data.inside(first + offset, last + offset)
        if start == stop or not (all_of := data.merged(start, stop)).n:
            continue
        slope = trend(data.part(start, stop))
        text = _("mean {mean} ({low} to {high} in {n})").format(
            mean=figure(all_of.mean, 9),
            low=figure(all_of.low),
            high=figure(all_of.high),
            n=all_of.n,
        )
        if slope is not None:
            text += " " + _("slope {slope} a round").format(slope=figure(slope, 9))
        parts.append(mark_of(line, made) + text)
    return "  ".join(parts)


def place(x: float, sources: tuple[Source, ...], look: Look) -> str:
    """The round, and with an axis that starts at the run, how far into the run."""
    offset = sources[0].offset(look.relative) if sources else 0.0
    told = _("round {round}").format(round=position(x + offset))
    return f"{told} (+{position(x)})" if look.relative else told


def mark_of(line: Drawing, made: Drawn) -> str:
    if len(made.lines) == 1:
        return ""
    return f"{line.mark} {clean(line.label, 30)} "


def trend(data: Columns) -> float | None:
    """Least squares through the buckets, by their counts: change a round; None for one place."""
    total = sum(data.n)
    if not total:
        return None
    xs = [(a + b) / 2 for a, b in zip(data.first, data.last, strict=True)]
    mean_x = math.fsum(x * n for x, n in zip(xs, data.n, strict=True)) / total
    mean_y = math.fsum(y * (n / total) for y, n in zip(data.mean, data.n, strict=True))
    spread = math.fsum(n * (x - mean_x) ** 2 for x, n in zip(xs, data.n, strict=True))
    if not spread:
        return None
    rows = zip(xs, data.mean, data.n, strict=True)
    return math.fsum((n / spread) * (x - mean_x) * (y - mean_y) for x, y, n in rows)
