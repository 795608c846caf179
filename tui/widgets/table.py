"""A table of any length: only the rows in sight are asked for and drawn.

It knows columns, a cursor and a place; what a row says comes from its `Source`, which may answer
that a row is still being read. Textual's own table measures and keeps every cell: clearing and
filling five thousand rows takes it two seconds (consoles.md §4, pitfall 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.message import Message

from tui.draw import Pen
from tui.widgets.table_layout import Cell, Column, Layout, isolated, layout
from tui.widgets.table_rows import Piece, RowsWidget

MARGIN = 2
"""Cells left of the first column: the sign of the cursor."""


class Source(Protocol):
    """Rows by number, from 0."""

    def __len__(self) -> int: ...

    def key(self, row: int) -> Any:
        """What the row is, whatever its number; None while it is being read."""

    def find(self, key: Any) -> int | None:
        """The number of that row now; None when it is gone."""

    def cells(self, row: int, pen: Pen) -> Sequence[Cell] | None:
        """In the order of the columns; None while it is being read."""


class Table(RowsWidget):
    """Rows below a head. The screen moves it; a click does too."""

    DEFAULT_CSS = """
    Table > .table--cursor { background: $panel; text-style: bold; }
    """
    COMPONENT_CLASSES = {"table--cursor"}

    @dataclass
    class Moved(Message):
        """The cursor is on another row, or other rows are in sight."""

        table: Table

    @dataclass
    class Chosen(Message):
        """A double click on the row of the cursor."""

        table: Table

    @dataclass
    class Headed(Message):
        """A click on the title of a column."""

        table: Table
        column: str

    def __init__(self, columns: Sequence[Column], id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.source: Source | None = None
        self.cursor = 0
        self.top = 0
        self.sorted: tuple[str, bool] | None = None
        """By which column, and whether the largest comes first."""
        self.note = ""
        """What is said where there are no rows."""
        self.active = False
        self._aside = 0
        self._layout = Layout(())

    # --- what it shows ------------------------------------------------------------------------

    def show(self, source: Source, cursor: int | None = None, top: int | None = None) -> None:
        """Other rows. The cursor stays on its row, unless it is told where to go."""
        old, self.source = self.source, source
        if cursor is not None:
            self.cursor, self.top = cursor, self.top if top is None else top
        elif old is not None and self.cursor and self.cursor < len(old):
            # On the first row it stays on the first row: who looks at the head of a list wants
            # the head.
            key = old.key(self.cursor)
            found = source.find(key) if key is not None else None
            if found is not None:
                self.top += found - self.cursor
                self.cursor = found
        self.fitted()
        self.repaint()

    @property
    def rows(self) -> int:
        """Rows in sight at most."""
        return max(1, self.height - 1)

    @property
    def length(self) -> int:
        return 0 if self.source is None else len(self.source)

    @property
    def in_sight(self) -> range:
        return range(self.top, min(self.top + self.rows, self.length))

    @property
    def key(self) -> Any:
        """Of the row under the cursor; None when there is none."""
        if self.source is None or not self.cursor < len(self.source):
            return None
        return self.source.key(self.cursor)

    # --- moving -------------------------------------------------------------------------------

    def move(self, rows: int) -> None:
        self.go(self.cursor + rows)

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self.rows - 1))

    def home(self) -> None:
        self.go(0)

    def end(self) -> None:
        self.go(self.length - 1)

    def go(self, row: int) -> None:
        """Put the cursor on a row, and the row in sight."""
        self.cursor = row
        self.fitted()
        self.repaint()
        self.post_message(self.Moved(self))

    def scroll(self, rows: int) -> None:
        """Move what is in sight; the cursor comes along only as far as it must."""
        self.top = max(0, min(self.top + rows, self.length - self.rows))
        self.cursor = max(self.top, min(self.cursor, self.top + self.rows - 1))
        self.fitted()
        self.repaint()
        self.post_message(self.Moved(self))

    def sideways(self, columns: int) -> None:
        """Bring other columns into sight, where not all have room."""
        if columns < 0 or self._layout.more[1] > 0:
            self._aside = max(0, self._aside + columns)
            self.fitted()
            self.repaint()

    def reveal(self, key: str) -> None:
        """Bring a column into sight."""
        others = [column.key for column in self.columns if not column.fixed]
        if key in others:
            here = others.index(key)
            for aside in (self._aside, *range(min(self._aside, here), here + 1)):
                seen = layout(self.columns, self._room, aside).columns
                if any(self.columns[number].key == key for number, _ in seen):
                    self._aside = aside
                    break
        self.fitted()
        self.repaint()

    def fitted(self) -> None:
        last = max(0, self.length - 1)
        self.cursor = max(0, min(self.cursor, last))
        self.top = max(0, min(self.top, self.length - self.rows))
        if self.cursor < self.top:
            self.top = self.cursor
        elif self.cursor >= self.top + self.rows:
            self.top = self.cursor - self.rows + 1
        self._layout = layout(self.columns, self._room, self._aside)

    @property
    def _room(self) -> int:
        return self.width - MARGIN - 2

    # --- drawing ------------------------------------------------------------------------------

    def pieces(self, y: int) -> Sequence[Piece]:
        pen = self.pen
        if y == 0:
            return self._head(pen)
        row = self.top + y - 1
        if self.source is None or row >= len(self.source):
            note = pen.fit(pen.safe(self.note, 400), self.width - MARGIN)
            return [(" " * MARGIN + note, pen.palette.muted)] if y == 1 else []
        cells = self.source.cells(row, pen)
        here = row == self.cursor
        out: list[Piece] = [((">" if here else " ").ljust(MARGIN), pen.palette.accent)]
        if cells is None:
            out.append((pen.glyphs.ellipsis.ljust(self._room), pen.palette.muted))
        else:
            for place, (number, size) in enumerate(self._layout.columns):
                text, style = cells[number]
                shown = pen.column(isolated(text), size, self.columns[number].right)
                out.append((f" {shown}" if place else shown, style))
        return self._marked(out, y) if here and self.active else self._ended(out, y)

    def _head(self, pen: Pen) -> list[Piece]:
        left, right = self._layout.more
        out: list[Piece] = [("<".ljust(MARGIN) if left else " " * MARGIN, pen.palette.muted)]
        for place, (number, size) in enumerate(self._layout.columns):
            column = self.columns[number]
            title, style = column.title, pen.palette.label
            if self.sorted is not None and self.sorted[0] == column.key:
                sign = pen.glyphs.fall if self.sorted[1] else pen.glyphs.up
                title, style = f"{title}{sign}", f"bold {pen.palette.accent}"
            out.append((f"{' ' if place else ''}{pen.column(title, size, column.right)}", style))
        if right:
            used = sum(cell_len(text) for text, _ in out)
            out += [(" " * (self.width - 1 - used), ""), (">", pen.palette.muted)]
        return out

    def _marked(self, out: list[Piece], y: int) -> list[Piece]:
        """The row of the cursor, over the whole width."""
        cursor = self.get_component_rich_style("table--cursor", partial=True)
        used = sum(cell_len(text) for text, _ in out)
        out.append((" " * (self.width - 1 - used), ""))
        drawn: list[Piece] = [
            (text, (Style.parse(style) if isinstance(style, str) else style) + cursor)
            for text, style in out
        ]
        return self._ended(drawn, y)

    def _ended(self, out: list[Piece], y: int) -> list[Piece]:
        """With the sign at the right edge that says which part of all rows this is."""
        if self.length > self.rows:
            size = max(1, self.rows * self.rows // self.length)
            at = round((self.rows - size) * self.top / max(1, self.length - self.rows))
            if at <= y - 1 < at + size:
                used = sum(cell_len(text) for text, _ in out)
                sign = "#" if self.pen.glyphs.ascii else "▐"
                out += [(" " * (self.width - 1 - used), ""), (sign, self.pen.palette.muted)]
        return out

    # --- mouse --------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            if (column := self._column_at(offset.x)) is not None:
                self.post_message(self.Headed(self, column.key))
        elif offset.x >= self.width - 1 and self.length > self.rows:
            self.go((offset.y - 1) * (self.length - 1) // max(1, self.rows - 1))
        elif self.top + offset.y - 1 < self.length:
            self.go(self.top + offset.y - 1)
            if event.chain == 2:
                self.post_message(self.Chosen(self))

    def _column_at(self, x: int) -> Column | None:
        start = MARGIN
        for number, size in self._layout.columns:
            if start <= x <= start + size:
                return self.columns[number]
            start += size + 1
        return None

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll(3)
