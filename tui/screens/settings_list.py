"""The list of settings under the headings of their sections, with a cursor that skips headings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from textual import events
from textual.message import Message

from core.texts import _
from tui.derive_settings import Heading, Line, Row
from tui.widgets.table_rows import Piece, RowsWidget

NAME = 24
ORIGIN = 12
WAITS = _("at restart")
WINS = _("wins")


class SettingsList(RowsWidget):
    """Draws only the rows in sight."""

    DEFAULT_CSS = """
    SettingsList > .settings--cursor { background: $panel; text-style: bold; }
    """
    COMPONENT_CLASSES = {"settings--cursor"}

    @dataclass
    class Moved(Message):
        """Another setting is chosen."""

    @dataclass
    class Chosen(Message):
        """A double click on the chosen one."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: tuple[Line, ...] = ()
        self.cursor = 0
        self.top = 0

    # --- what it shows ------------------------------------------------------------------------

    def show(self, lines: tuple[Line, ...], key: str = "") -> None:
        """Other lines; the cursor stays on its setting, or goes to `key`."""
        wanted = key or (self.row.key if self.row else "")
        self.lines = lines
        at = [n for n, each in enumerate(lines) if isinstance(each, Row) and each.key == wanted]
        self.cursor = at[0] if at else 1
        self.fitted()
        self.repaint()

    @property
    def row(self) -> Row | None:
        """The chosen setting; None when there is none."""
        if not 0 <= self.cursor < len(self.lines):
            return None
        found = self.lines[self.cursor]
        return found if isinstance(found, Row) else None

    # --- moving -------------------------------------------------------------------------------

    def move(self, step: int) -> None:
        """By so many settings."""
        rows = self._rows()
        if rows:
            here = rows.index(self.cursor) if self.cursor in rows else 0
            self._go(rows[max(0, min(here + step, len(rows) - 1))])

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self.height - 2))

    def home(self) -> None:
        self.move(-len(self.lines))

    def end(self) -> None:
        self.move(len(self.lines))

    def section(self, step: int) -> None:
        """To the first setting of the next section, or of this one and the one before."""
        starts = [n + 1 for n, each in enumerate(self.lines) if isinstance(each, Heading)]
        if step > 0:
            self._go(next((n for n in starts if n > self.cursor), self.cursor))
        elif starts:
            self._go(next((n for n in reversed(starts) if n < self.cursor), starts[0]))

    def _rows(self) -> list[int]:
        return [n for n, each in enumerate(self.lines) if isinstance(each, Row)]

    def _go(self, line: int) -> None:
        self.cursor = line
        self.fitted()
        self.repaint()
        self.post_message(self.Moved())

    def fitted(self) -> None:
        self.cursor = max(0, min(self.cursor, len(self.lines) - 1))
        if self.height <= 0:
            return
        # With a heading directly above it: one sees where one is.
        headed = self.cursor > 0 and self._is_heading(self.cursor - 1)
        self.top = min(self.top, self.cursor - headed)
        self.top = max(self.top, self.cursor - self.height + 1, 0)
        self.top = max(0, min(self.top, len(self.lines) - self.height))

    def _is_heading(self, line: int) -> bool:
        return isinstance(self.lines[line], Heading)

    # --- drawing ------------------------------------------------------------------------------

    def pieces(self, y: int) -> Sequence[Piece]:
        pen, number = self.pen, self.top + y
        if number >= len(self.lines):
            return []
        each = self.lines[number]
        if isinstance(each, Heading):
            room = self.width - len(each.section) - 4
            return [
                (f" {each.section}", f"bold {pen.palette.accent}"),
                (f"  {pen.fit(each.about, room)}", pen.palette.muted),
            ]
        return self._row(each, number == self.cursor)

    def _row(self, row: Row, here: bool) -> Sequence[Piece]:
        pen = self.pen
        note = WAITS if row.pending is not None else WINS if row.overridden else ""
        room = max(8, self.width - NAME - ORIGIN - 2 - len(WAITS) - 4)
        changed = row.layer != "default"
        out: list[Piece] = [
            ("> " if here else "  ", pen.palette.accent),
            (pen.column(row.name, NAME) + " ", "" if changed else pen.palette.label),
            (pen.column(pen.safe(row.shown), room) + " ", "bold" if changed else ""),
            (pen.column(row.origin, ORIGIN) + " ", "" if changed else pen.palette.muted),
            (pen.column(note, len(WAITS)), pen.palette.warn),
        ]
        if not here:
            return out
        cursor = self.get_component_rich_style("settings--cursor", partial=True)
        return [
            (text, (Style.parse(style) if isinstance(style, str) else style) + cursor)
            for text, style in out
        ]

    # --- mouse --------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not self.top + offset.y < len(self.lines):
            return
        if not self._is_heading(self.top + offset.y):
            self._go(self.top + offset.y)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(3)
