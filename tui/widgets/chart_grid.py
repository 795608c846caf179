"""Several charts side by side; sends only the rows of a chart that changed. Each is a mouse target.

One widget for all: a page of charts changes with every filter and every resize, and mounting
widgets costs more than drawing them.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.charting.panel import Row

WIDTH, HEIGHT = 40, 10
"""Cells that a chart should have; two rows less are enough where that makes room for a row."""
MOST_COLUMNS = 4


@dataclass(frozen=True)
class Shape:
    """columns x rows charts; at: where each stands and how large it is, row by row."""

    columns: int
    rows: int
    at: tuple[Region, ...]


def shape(charts: int, width: int, height: int) -> Shape:
    """As many charts as can be read, and no room wasted when there are few. Pure."""
    columns = max(1, min(MOST_COLUMNS, width // WIDTH))
    rows = max(1, (height + 2) // HEIGHT)
    columns = min(columns, max(1, charts))
    rows = min(rows, max(1, -(-charts // columns)))
    at = []
    for y in range(rows):
        top, bottom = height * y // rows, height * (y + 1) // rows
        for x in range(columns):
            left, right = width * x // columns, width * (x + 1) // columns
            at.append(Region(left, top, right - left, bottom - top))
    return Shape(columns, rows, tuple(at))


class ChartGrid(Widget):
    """`show` takes the drawn charts, in the order of the shape."""

    DEFAULT_CSS = """
    ChartGrid { height: 1fr; width: 1fr; }
    """

    @dataclass
    class Pointed(Message):
        """A click: on which chart of the page, and on which cell of it."""

        chart: int
        x: int

    @dataclass
    class Rolled(Message):
        """The wheel: towards the reader is -1. aside: with Shift, or a wheel to the side."""

        steps: int
        aside: bool

    class Resized(Message):
        """What was shown has another size now."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._shape = Shape(1, 1, ())
        self._drawn: list[list[Row]] = []
        self._styles: dict[str, Style] = {}

    def show(self, made: Shape, drawn: list[list[Row]], styles: dict[str, Style]) -> int:
        """Draw these; how many rows of charts had to be sent to the terminal."""
        everything = made != self._shape or styles is not self._styles
        old, self._drawn = self._drawn, drawn
        self._shape, self._styles = made, styles
        if everything or len(old) != len(drawn):
            self.refresh()
            return sum(len(rows) for rows in drawn)
        regions = [
            Region(place.x, place.y + y, place.width, 1)
            for place, before, after in zip(made.at, old, drawn, strict=False)
            for y, (a, b) in enumerate(zip(before, after, strict=False))
            if a != b
        ]
        if regions:
            self.refresh(*regions)
        return len(regions)

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized())

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        segments = []
        for place, rows in zip(self._shape.at, self._drawn, strict=False):
            if place.y <= y < place.bottom:
                for text, style in rows[y - place.y]:
                    segments.append(Segment(text, base + self._styles[style]))
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def on_click(self, event: events.Click) -> None:
        for number, place in enumerate(self._shape.at[: len(self._drawn)]):
            if place.contains(event.x, event.y):
                self.post_message(self.Pointed(number, event.x - place.x))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._roll(event, 1, event.shift)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._roll(event, -1, event.shift)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        self._roll(event, -1, True)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        self._roll(event, 1, True)

    def _roll(self, event: events.MouseEvent, steps: int, aside: bool) -> None:
        event.stop()
        self.post_message(self.Rolled(steps, aside))
