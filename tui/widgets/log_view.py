"""The log: follows the end until the person scrolls up, then stands still and counts what is new.

Rows are wrapped once when they arrive and drawn line by line; a redraw costs the height of the
pane, not the length of the log.
"""

from __future__ import annotations

import textwrap
from collections import deque

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.draw import Pen
from tui.log_buffer import MAX_LINES, Entry, LogBuffer
from tui.text import clean

MARKS = {"warning": "warn", "error": "error", "debug": "debug", "info": "info"}


def rows_of(entry: Entry, width: int, pen: Pen) -> list[Text]:
    """A log line as wrapped rows; the level is a word, not only a colour."""
    head = f"{entry.clock} {MARKS.get(entry.level, pen.safe(entry.level, 5)):5s} "
    source = pen.safe(entry.source.removeprefix("core."), 20)
    body = clean(entry.text, 2000, pen.glyphs.ascii)
    body = f"{source}: {body}" if source else body
    room = max(10, width - len(head))
    parts = textwrap.wrap(body, room, break_on_hyphens=False) or [""]
    rows = []
    for number, part in enumerate(parts):
        row = Text(no_wrap=True, end="")
        if number:
            row.append(" " * len(head))
        else:
            row.append(head[:9], pen.palette.muted)
            row.append(head[9:], pen.palette.level(entry.level) or pen.palette.muted)
        row.append(part, pen.palette.muted if entry.level == "debug" else "")
        row.truncate(width)  # wide characters count double, textwrap does not know
        rows.append(row)
    return rows


class LogView(ScrollView, can_focus=True):
    """Shows a LogBuffer. `pull` takes what is new."""

    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; overflow-x: hidden; overflow-y: scroll; }
    """
    BINDINGS = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
    ]

    def __init__(self, buffer: LogBuffer, id: str | None = None) -> None:
        super().__init__(id=id)
        self._buffer = buffer
        self._seen = 0
        self._rows: deque[Text] = deque(maxlen=MAX_LINES)
        self._width = 0
        self.behind = 0
        """Lines that came while the view stood still."""

    @property
    def pen(self) -> Pen:
        return self.app.pen  # type: ignore[attr-defined, no-any-return]

    @property
    def following(self) -> bool:
        return self.scroll_offset.y >= self.max_scroll_y - 1

    def on_resize(self, event: events.Resize) -> None:
        if self.scrollable_content_region.width != self._width:
            self.redraw()

    def redraw(self) -> None:
        """Wrap everything anew: another width, another theme."""
        self._width = self.scrollable_content_region.width
        self._rows.clear()
        self._seen = 0
        self.pull(follow=True)

    def pull(self, follow: bool | None = None) -> bool:
        """Take new lines; whether there were any. Cheap when the pane is hidden."""
        if self._width <= 0 or self._buffer.total == self._seen:
            return False
        follow = self.following if follow is None else follow
        new = self._buffer.since(self._seen)
        self._seen = self._buffer.total
        before = len(self._rows)
        added = 0
        for entry in new:
            rows = rows_of(entry, self._width, self.pen)
            added += len(rows)
            self._rows.extend(rows)
        dropped = before + added - len(self._rows)
        self.virtual_size = Size(self._width, len(self._rows))
        if follow:
            self.behind = 0
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        else:
            self.behind += len(new)
            if dropped:
                self.scroll_to(y=self.scroll_offset.y - dropped, animate=False, immediate=True)
        self.refresh()
        return True

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        if self.behind and self.following:
            self.behind = 0

    def render_line(self, y: int) -> Strip:
        width, style = self.scrollable_content_region.width, self.rich_style
        row = y + self.scroll_offset.y
        if row >= len(self._rows):
            return Strip.blank(width, style)
        segments = Segment.apply_style(self._rows[row].render(self.app.console), style or Style())
        return Strip(segments).adjust_cell_length(width, style)
