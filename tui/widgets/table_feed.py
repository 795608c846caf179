"""A list of wrapped messages: follows the newest until somebody reads further up, then it stands
still and counts what is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from textual import events

from tui.draw import Pen
from tui.widgets.table_rows import Piece, RowsWidget

Wrap = Callable[[Any, int, Pen], list[list[Piece]]]


class Feed(RowsWidget):
    """`wrap(message, width, pen)` gives a message's rows. Messages have an `id`, newest last."""

    def __init__(self, wrap: Wrap, id: str | None = None) -> None:
        super().__init__(id=id)
        self._wrap = wrap
        self._messages: Sequence[Any] = ()
        self._newest: Sequence[Any] = ()
        self._rows: list[list[Piece]] = []
        self._back = 0
        """Rows between the bottom and the end; 0 follows."""
        self.frozen = False
        self.note = ""

    @property
    def behind(self) -> int:
        """Messages that came while it stood still."""
        if not self.frozen:
            return 0
        known = {message.id for message in self._messages}
        return sum(message.id not in known for message in self._newest)

    def show(self, messages: Sequence[Any]) -> None:
        """All of them, newest last; drawn at once only while it follows."""
        if messages is self._newest:
            return
        self._newest = messages
        if not self.frozen:
            self._take()

    def _take(self) -> None:
        self._messages = self._newest
        self.fitted()
        self.repaint()

    def freeze(self, frozen: bool) -> None:
        """Stand still, or follow again from the end."""
        self.frozen = frozen
        if not frozen:
            self._back = 0
            self._take()

    def fitted(self) -> None:
        self._rows = []
        for message in self._messages:
            self._rows += self._wrap(message, max(8, self.width - 1), self.pen)
        self._back = max(0, min(self._back, len(self._rows) - self.height))

    def catch_up(self) -> None:
        if self._pen is not self.pen:
            self.fitted()
        super().catch_up()

    # --- moving -------------------------------------------------------------------------------

    def move(self, rows: int) -> None:
        most = max(0, len(self._rows) - self.height)
        back = max(0, min(self._back - rows, most))
        if back > 0:
            self.frozen = True
        elif self._back > 0:
            self.freeze(False)
        self._back = back
        self.repaint()

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self.height - 1))

    def home(self) -> None:
        self.move(-len(self._rows))

    def end(self) -> None:
        self.freeze(False)

    def sideways(self, columns: int) -> None:
        """Wrapped rows have nothing beside them."""

    def pieces(self, y: int) -> Sequence[Piece]:
        if not self._rows:
            note = self.pen.fit(self.pen.safe(self.note, 400), self.width - 1)
            return [(f" {note}", self.pen.palette.muted)] if y == 0 else []
        row = max(0, len(self._rows) - self.height - self._back) + y
        return self._rows[row] if row < len(self._rows) else []

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(3)
