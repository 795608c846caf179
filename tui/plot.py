"""Charts by plotext: views in, Rich text out. plotext is imported with the first chart."""

from __future__ import annotations

import math

from rich.text import Text

from tui.draw import Pen
from tui.glyphs import LINUX
from tui.views import ChartView

_TO_ASCII = str.maketrans("─│┌┐└┘├┤┬┴┼━┃", "-|++++++++++|")
MIN_WIDTH, MIN_HEIGHT = 16, 5
ALONE = 6
"""Columns between two points, on average, from which on each of them gets a sign of its own."""


def plot(view: ChartView, width: int, height: int, pen: Pen, color: bool = True) -> Text:
    """`width` x `height` cells. Costs about 20 ms for 100 points: draw on new data only."""
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return Text("")
    from textual_plotext import Plot

    figure = Plot()
    figure.clear_figure()
    figure.clear_color()
    figure.plotsize(width, height)
    markers = _markers(pen)
    for line, rgb, marker in reversed(
        list(zip(view.lines, pen.palette.series, markers, strict=False))
    ):
        first = line is view.lines[0]
        # One point alone draws nothing as a line, and one dot of braille is hardly there.
        if len(line.x) > 1 or not first:
            draw = figure.plot if first else figure.scatter
            draw(list(line.x), list(line.y), marker=marker, color=rgb)
        if first and len(line.x) * ALONE <= width:
            figure.scatter(list(line.x), list(line.y), marker=markers[2], color=rgb)
    ticks = _ticks(view, width)
    if ticks:
        figure.xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    low, high = bounds(view)
    figure.ylim(low, high)
    marks = [low + (high - low) * i / _rows(height) for i in range(_rows(height) + 1)]
    figure.yticks(marks, [f"{mark:.{_digits(low, high)}f}" for mark in marks])
    figure.xaxes(True, False)
    figure.yaxes(True, False)
    drawn = figure.build().rstrip("\n")
    if pen.glyphs.ascii:
        drawn = drawn.translate(_TO_ASCII)
    return coloured(Text.from_ansi(drawn).plain, view, pen, markers[1], color)


def _markers(pen: Pen) -> tuple[str, str, str]:
    """The first line, the second one, and a point of the first that would drown.

    The second line differs by shape, so that it can be told apart without colour.
    """
    if pen.glyphs.ascii:
        return "*", ".", "*"
    return ("█", "•", "█") if pen.glyphs is LINUX else ("braille", "•", "◆")


def coloured(plain: str, view: ChartView, pen: Pen, second: str, color: bool) -> Text:
    """The axes muted, the plot in one colour but for the signs of the second line.

    plotext colours every run of signs by itself: three times the bytes on a terminal's wire.
    """
    text = Text(plain, no_wrap=True, end="")
    if not color:
        return text
    text.stylize(pen.palette.muted)
    first, other = (f"rgb({r},{g},{b})" for r, g, b in pen.palette.series)
    start = 0
    for row in plain.split("\n"):
        axis = max(row.find(sign) for sign in "┤│|+") if "└" not in row else -1
        if axis >= 0 and "└" not in row and not row.lstrip().startswith("++"):
            text.stylize(first, start + axis + 1, start + len(row))
            if len(view.lines) > 1:
                for place, char in enumerate(row[axis + 1 :], start + axis + 1):
                    if char == second:
                        text.stylize(other, place, place + 1)
        start += len(row) + 1
    return text


def bounds(view: ChartView) -> tuple[float, float]:
    """A little room above and below; a flat line stands in the middle."""
    values = [y for line in view.lines for y in line.y]
    low, high = min(values), max(values)
    pad = (high - low) * 0.06 or max(abs(high) * 0.1, 0.05)
    return low - pad, high + pad


def _rows(height: int) -> int:
    return 2 if height < 10 else 4


def _digits(low: float, high: float) -> int:
    span = high - low
    return 4 if span < 0.01 else 3 if span < 0.1 else 2 if span < 50 else 0


def _ticks(view: ChartView, width: int) -> list[float]:
    """Whole rounds, few enough that their labels do not touch."""
    xs = [x for line in view.lines for x in line.x]
    if not xs:
        return []
    first, last = min(xs), max(xs)
    most = max(1, min(4, width // 14))
    if last - first <= 3 * most and first.is_integer():  # else 0 1 3 4
        step = max(1, math.ceil((last - first) / most))
        return [first + step * i for i in range(int(last - first) // step + 1)]
    ticks = {round(first + (last - first) * i / most) for i in range(most + 1)}
    return sorted(float(tick) for tick in ticks)
