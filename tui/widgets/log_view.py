"""The log: follows the end until the person scrolls up, then stands still and counts what is new.

Rows are wrapped once when they arrive and drawn line by line; a redraw costs the height of the
pane, not the length of the log.
"""

from __future__ import annotations

import textwrap
from collections import deque

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.strip import Strip
from textual.widget import Widget

from core.texts import _
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


class LogView(Widget, can_focus=True):
    """Shows a LogBuffer. `pull` takes what is new.

    Not a ScrollView: that lays out and repaints several times for each line that arrives.
    """

    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; }
    """
    BINDINGS = [
        Binding("down,j", "move(1)", _("Down"), show=False),
        Binding("up,k", "move(-1)", _("Up"), show=False),
        Binding("pagedown", "page(1)", _("Page down"), show=False),
        Binding("pageup", "page(-1)", _("Page up"), show=False),
        Binding("home,g", "move(-1000000)", _("Top"), show=False),
        Binding("end,G", "move(1000000)", _("Follow"), show=False),
    ]

    def __init__(self, buffer: LogBuffer, id: str | None = None) -> None:
        super().__init__(id=id)
        self._buffer = buffer
        self._seen = 0
        self._rows: deque[Text] = deque(maxlen=MAX_LINES)
        self._width = 0
        self._back = 0
        """Rows between the bottom of the pane and the end of the log; 0 follows."""
        self.behind = 0
        """Lines that came while the view stood still."""

    @property
    def pen(self) -> Pen:
        return self.app.pen  # type: ignore[attr-defined]

    @property
    def following(self) -> bool:
        return self._back == 0

    def on_resize(self, event: events.Resize) -> None:
        if self.content_size.width != self._width:
            self.redraw()
        self.move(0)

    def redraw(self) -> None:
        """Wrap everything anew: another width, another theme."""
        self._width = self.content_size.width
        self._rows.clear()
        self._seen = self._back = self.behind = 0
        self.pull()
        self.refresh()

    def pull(self) -> bool:
        """Take new lines; whether there were any. Costs no repaint while the view stands still."""
        if self._width <= 0 or self._buffer.total == self._seen:
            return False
        new = self._buffer.since(self._seen)
        self._seen = self._buffer.total
        rows = [row for entry in new for row in rows_of(entry, self._width, self.pen)]
        self._rows.extend(rows)
        if self.following:
            self.refresh()
        else:
            self.behind += len(new)
            self.move(-len(rows), still=True)
        return True

    def move(self, rows: int, still: bool = False) -> None:
        """Scroll down by `rows` (up when negative). still: the same lines stay in sight."""
        most = max(0, len(self._rows) - self.content_size.height)
        back = min(max(self._back - rows, 0), most)
        changed, self._back = back != self._back, back
        if self.following:
            self.behind = 0
        if changed and not still:
            self.refresh()

    def action_move(self, rows: int) -> None:
        self.move(rows)

    def action_page(self, pages: int) -> None:
        self.move(pages * max(1, self.content_size.height - 1))

    def on_mouse_scroll_up(self) -> None:
        self.move(-3)

    def on_mouse_scroll_down(self) -> None:
        self.move(3)

    def render_line(self, y: int) -> Strip:
        width, height, style = self.content_size.width, self.content_size.height, self.rich_style
        row = max(0, len(self._rows) - height - self._back) + y
        if row >= len(self._rows):
            return Strip.blank(width, style)
        segments = Segment.apply_style(self._rows[row].render(self.app.console), style)
        return Strip(segments).adjust_cell_length(width, style)
