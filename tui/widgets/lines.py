"""A block of lines drawn from a view; only the rows that changed are sent to the terminal.

Textual has no cell diff: an update of a whole pane costs kilobytes even when it looks the same
(consoles.md §4, pitfall 8). Over a slow link that is the difference between calm and stutter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tui.draw import Pen

Drawer = Callable[[Any, int, Pen], Text]


class Lines(Widget):
    """Draws `show`n views with `drawer(view, width, pen)`. Equal views cost nothing."""

    DEFAULT_CSS = """
    Lines { height: auto; width: 1fr; }
    """

    def __init__(self, drawer: Drawer, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawer = drawer
        self._view: Any = None
        self._strips: list[Strip] = []
        self._drawn_width = 0

    @property
    def pen(self) -> Pen:
        return self.app.pen  # type: ignore[attr-defined]

    @property
    def view(self) -> Any:
        return self._view

    def show(self, view: Any) -> bool:
        """Draw another view; whether anything had to be drawn."""
        if view == self._view:
            return False
        self._view = view
        self.redraw()
        return True

    def redraw(self) -> None:
        """Draw the present view anew: another width, another theme."""
        width = self.content_size.width
        if self._view is None or width <= 0:
            return
        self._drawn_width = width
        self._set(self.draw(width))

    def draw(self, width: int) -> Text:
        return self._drawer(self._view, width, self.pen)

    def _set(self, text: Text) -> None:
        old, self._strips = self._strips, self._rows(text)
        strips = self._strips
        if len(old) != len(strips):
            self.refresh(layout=True)
            return
        for y, (before, after) in enumerate(zip(old, strips, strict=True)):
            if before != after:
                self.refresh(Region(0, y, self.size.width, 1))

    def _rows(self, text: Text) -> list[Strip]:
        console, width = self.app.console, self._drawn_width
        rows = text.split("\n", allow_blank=True) if text.no_wrap else text.wrap(console, width)
        return [Strip(row.render(console)).simplify() for row in rows]

    def _fit(self, width: int) -> None:
        """Within a layout or a frame: draw for this width at once, not in a frame of its own."""
        if self._view is not None and 0 < width != self._drawn_width:
            self._drawn_width = width
            self._strips = self._rows(self.draw(width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._fit(width)
        return max(1, len(self._strips))

    def on_resize(self, event: events.Resize) -> None:
        if self.content_size.width != self._drawn_width:
            self.redraw()

    def render_line(self, y: int) -> Strip:
        width, style = self.content_size.width, self.rich_style
        self._fit(width)
        if y >= len(self._strips):
            return Strip.blank(width, style)
        segments = Segment.apply_style(self._strips[y]._segments, style)
        return Strip(segments).adjust_cell_length(width, style)
