"""Charts as one SVG picture, for a report. Pure text.

Standalone: no script, no font of its own, no reference to anything outside. On white, in colours
that colour-blind eyes tell apart; every line also has its own dashes and its name at the side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from tui.charting.catalogue import Chart
from tui.charting.look import Look
from tui.charting.raster import Trace, alone, drawn, runs
from tui.charting.scale import Scale, fitted, labels, position, ticks
from tui.charting.slots import Slot, slots, smoothed, usual_step
from tui.charting.sources import Drawing, Source, extent, lines_of
from tui.charting.window import Extent
from tui.text import clean

MAX_CHARTS = 60
WIDTH, HEIGHT = 480, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 42, 24
POINTS = 600
"""Columns that a series is reduced to."""
PER_CELL = 4
"""Of these columns, in what would be a cell of a terminal."""
COLORS = ("#b07800", "#1f6fa8", "#007a5a", "#a04a80", "#b84a00", "#5d6400")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 2", "12 4")


def picture(charts: Sequence[Chart], sources: Sequence[Source], look: Look, title: str) -> str:
    """At most `MAX_CHARTS` of the charts, two a row, in the window and with the scale of `look`."""
    shown = list(charts[:MAX_CHARTS])
    columns = min(2, max(1, len(shown)))
    width = columns * WIDTH
    height = 34 + -(-len(shown) // columns) * HEIGHT
    span = look.window.resolve(extent(sources, look.relative))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="22" font-size="14" font-weight="bold">{_text(title)}</text>',
    ]
    for number, chart in enumerate(shown):
        x, y = number % columns * WIDTH, 34 + number // columns * HEIGHT
        parts.append(f'<g transform="translate({x} {y})">')
        parts += _chart(chart, sources, look, span)
        parts.append("</g>")
    parts.append("</svg>\n")
    return "\n".join(parts)


def _chart(chart: Chart, sources: Sequence[Source], look: Look, span: Extent) -> Iterator[str]:
    lines = lines_of(chart, sources)
    traces = [
        _trace(line, sources[line.source].offset(look.relative), look, span) for line in lines
    ]
    scale = fitted([trace.slots for trace in traces], look.log, look.clip)
    log = " (log)" if scale.log else ""
    yield f'<text x="{LEFT}" y="14" font-weight="bold">{_text(chart.title)}{log}</text>'
    yield from _axes(scale, span)
    for number, (line, trace) in enumerate(zip(lines, traces, strict=True)):
        color, dashes = COLORS[number % len(COLORS)], DASHES[number % len(DASHES)]
        yield from _line(trace, scale, color, dashes)
        x = LEFT + number * 100
        style = f'stroke="{color}" stroke-width="2" stroke-dasharray="{dashes}"'
        yield f'<path d="M{x} 27h22" {style}/>'
        yield f'<text x="{x + 26}" y="31">{_text(line.label, 14)}</text>'


def _trace(line: Drawing, offset: float, look: Look, span: Extent) -> Trace:
    smooth = smoothed(line.series, look.weight) if look.weight else ()
    found = slots(line.series.columns, span[0] + offset, span[1] + offset, POINTS, smooth)
    moved = tuple(s._replace(first=s.first - offset, last=s.last - offset) for s in found)
    return Trace(moved, line.mark, usual_step(line.series))


def _axes(scale: Scale, span: Extent) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    yield f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888"/>'
    values = ticks(scale, 5)
    for value, label in zip(values, labels(values), strict=True):
        y = _y(value, scale)
        yield f'<path d="M{LEFT} {y}H{right}" stroke="#e4e4e4"/>'
        yield f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{label}</text>'
    marks = Scale(*span)
    for x in (x for x in ticks(marks, 5) if x == round(x)):
        at = _number(LEFT + marks.share(x) * (right - LEFT))
        yield f'<text x="{at}" y="{bottom + 15}" text-anchor="middle">{position(x)}</text>'


def _line(trace: Trace, scale: Scale, color: str, dashes: str) -> Iterator[str]:
    for slot in alone(trace, scale, POINTS // PER_CELL):
        yield f'<circle cx="{_x(slot)}" cy="{_y(drawn(slot), scale)}" r="2.5" fill="{color}"/>'
    for piece in runs(trace, scale.log):
        xs = [_x(slot) for slot in piece]
        highs = [f"{x} {_y(s.high, scale)}" for x, s in zip(xs, piece, strict=True)]
        lows = [f"{x} {_y(s.low, scale)}" for x, s in zip(xs, piece, strict=True)]
        behind = "L".join([*highs, *reversed(lows)])
        yield f'<path d="M{behind}Z" fill="{color}" fill-opacity="0.18" stroke="none"/>'
        front = "L".join(f"{x} {_y(drawn(s), scale)}" for x, s in zip(xs, piece, strict=True))
        yield (
            f'<path d="M{front}h.01" fill="none" stroke="{color}" stroke-width="1.6" '
            f'stroke-linecap="round" stroke-dasharray="{dashes}"/>'
        )


def _x(slot: Slot) -> str:
    return _number(LEFT + (slot.column + 0.5) / POINTS * (WIDTH - RIGHT - LEFT))


def _y(value: float, scale: Scale) -> str:
    return _number(TOP + (1 - scale.share(value)) * (HEIGHT - BOTTOM - TOP))


def _number(value: float) -> str:
    return f"{value:.1f}"


def _text(text: str, limit: int = 100) -> str:
    return escape(clean(text, limit))
