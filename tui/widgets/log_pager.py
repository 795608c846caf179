"""Rows of the log, drawn as they are handed over; only rows that changed go to the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.draw import Pen
from tui.draw_logs import row_text
from tui.screens.logs.rows import Row


class LogPager(Widget):
    """Knows nothing of files: keys, wheel and clicks go to the screen."""

    DEFAULT_CSS = """
    LogPager { height: 1fr; width: 1fr; }
    """

    @dataclass
    class Resized(Message):
        width: int
        height: int

    @dataclass
    class Rolled(Message):
        """The wheel, in rows; positive is down."""

        rows: int

    @dataclass
    class Pointed(Message):
        """A click on a row."""

        row: int

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[Row, ...] = ()
        self._drawn: tuple[object, ...] = ()
        self._strips: list[Strip] = []
        self._empty = ""

    @property
    def pen(self) -> Pen:
        return self.app.pen  # type: ignore[attr-defined]

    def show(self, rows: tuple[Row, ...], stream_cells: int, empty: str) -> None:
        """empty: what to say instead of no rows."""
        how = (self.size.width, stream_cells, self.pen)
        old_rows = self._rows if how == self._drawn else ()
        old = self._strips if how == self._drawn else []
        strips = [
            old[y]
            if y < len(old_rows) and y < len(old) and old_rows[y] == row
            else self._strip(row, stream_cells)
            for y, row in enumerate(rows)
        ]
        changed = [y for y, strip in enumerate(strips) if y >= len(old) or strip is not old[y]]
        changed += range(len(strips), len(old))
        again = how != self._drawn or (not rows and empty != self._empty)
        self._rows, self._drawn, self._strips, self._empty = rows, how, strips, empty
        if again:
            self.refresh()
        else:
            for y in changed:
                self.refresh(Region(0, y, self.size.width, 1))

    def _strip(self, row: Row, stream_cells: int) -> Strip:
        text = row_text(row, self.size.width, stream_cells, self.pen)
        return Strip(text.render(self.app.console)).simplify()

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized(*event.size))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.post_message(self.Rolled(-3))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.post_message(self.Rolled(3))

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Pointed(event.y))

    def render_line(self, y: int) -> Strip:
        width, style = self.size.width, self.rich_style
        if y < len(self._strips):
            segments = Segment.apply_style(self._strips[y]._segments, style)
            return Strip(segments).adjust_cell_length(width, style)
        if y == 1 and not self._strips and self._empty:
            text = self.pen.fit(f"  {self._empty}", width)
            return Strip([Segment(text, style)]).adjust_cell_length(width, style)
        return Strip.blank(width, style)
