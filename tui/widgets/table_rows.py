"""The base of widgets that draw line by line and send only the rows that changed.

Textual has no cell diff: a refresh of a whole pane costs kilobytes even when it looks the same
(consoles.md §4, pitfall 8).
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tui.draw import Pen

Piece = tuple[str, str | Style]


class RowsWidget(Widget):
    """`pieces(y)` gives a row in sight; `repaint` draws what is not as it was."""

    DEFAULT_CSS = """
    RowsWidget { height: 1fr; width: 1fr; }
    """

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: list[Sequence[Piece]] = []
        self._pen: Pen | None = None
        self._drawn_size = Size(0, 0)

    @property
    def pen(self) -> Pen:
        return self.app.pen  # type: ignore[attr-defined]

    @property
    def height(self) -> int:
        return self.content_size.height

    @property
    def width(self) -> int:
        return self.content_size.width

    def pieces(self, y: int) -> Sequence[Piece]:
        raise NotImplementedError

    def repaint(self) -> int:
        """How many rows had to be sent to the terminal."""
        if self.width <= 0 or self.height <= 0:
            return 0
        self._pen, self._drawn_size = self.pen, self.content_size
        before, self._shown = self._shown, [self.pieces(y) for y in range(self.height)]
        if len(before) != len(self._shown):
            self.refresh()
            return len(self._shown)
        place, width = self.content_region.offset - self.region.offset, self.width
        changed = [y for y, (a, b) in enumerate(zip(before, self._shown, strict=True)) if a != b]
        if changed:
            self.refresh(*(Region(place.x, place.y + y, width, 1) for y in changed))
        return len(changed)

    def catch_up(self) -> None:
        """Draw anew when the theme is another one."""
        if self._pen is not self.pen:
            self._shown = []
            self.repaint()

    def on_resize(self, event: events.Resize) -> None:
        if self.content_size != self._drawn_size:
            self._shown = []
            self.fitted()
            self.repaint()

    def fitted(self) -> None:
        """The size is another one."""

    def render_line(self, y: int) -> Strip:
        if self.content_size != self._drawn_size:
            # The frame of a new size comes before the news of it: it has its rows all the same.
            self._drawn_size = self.content_size
            self.fitted()
            self._shown = [self.pieces(row) for row in range(self.height)]
        base = self.rich_style
        if y >= len(self._shown):
            return Strip.blank(self.width, base)
        segments = [
            Segment(text, base + (Style.parse(style) if isinstance(style, str) else style))
            for text, style in self._shown[y]
        ]
        return Strip(segments).adjust_cell_length(self.width, base)
