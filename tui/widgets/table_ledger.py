"""The table of rounds: says which rows it needs, and takes them when they have been read.

The ledger is read elsewhere (`tui.ledger_pages.LedgerReader`) and grows at its head meanwhile: the
cursor stays on its round, on the same row of the screen, however many keys were pressed since.
"""

from __future__ import annotations

from tui import draw_rewards
from tui.ledger_pages import Found, LedgerRows, Look, Place
from tui.widgets.table import Table

AHEAD = 40
"""Rows beyond the edge that are read before somebody gets there."""

Mine = tuple[str, str]


class LedgerTable(Table):
    """Wishes are made one at a time: a page is only asked for while nothing else is awaited."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(draw_rewards.LEDGER, id)
        self.ledger = LedgerRows()
        self.failed = False
        """Whether only rounds in trouble are shown."""
        self._awaited: Look | None = None

    def here(self, mine: Mine) -> Look | None:
        """The rows in sight anew; on the first row, the newest. None while a jump is awaited."""
        if self._awaited is not None and self._awaited.cursor is None:
            return None
        at, above = self.key if self.cursor else None, self.cursor - self.top
        self._awaited = Look(mine, self.failed, at, above, self.rows + AHEAD, self.cursor)
        return self._awaited

    def jump(self, mine: Mine, at: Place | None) -> Look:
        """To a round, in the middle of what is seen; None: to the newest."""
        self._awaited = Look(mine, self.failed, at, self.rows // 2, self.rows + AHEAD)
        return self._awaited

    def ahead(self, mine: Mine) -> Look | None:
        """A page that is in sight, or soon will be, and is not here."""
        if self._awaited is not None or not len(self.ledger):
            return None
        seen = self.in_sight
        first, last = max(0, seen.start - AHEAD), min(len(self.ledger), seen.stop + AHEAD) - 1
        self.ledger.missing.clear()
        for row in (*seen[:: max(1, len(seen) - 1)], first, max(first, last)):
            self.ledger.round(row)
        missing = self.ledger.missing
        return Look(mine, self.failed, page=missing[0]) if missing else None

    def take(self, found: Found) -> bool:
        """Show what was read; False when it must be asked for anew, because the ledger grew."""
        asked = found.look
        if asked.page is None and asked is self._awaited:
            self._awaited = None
        if asked.failed != self.failed:
            return True  # of a list that is no longer looked at
        if asked.page is not None:
            if found.total != len(self.ledger):
                return False
            self.ledger.add(found.pages)
            self.repaint()
            return True
        above = asked.above if asked.cursor is None else self.cursor - self.top
        moved = 0 if asked.cursor is None else self.cursor - asked.cursor
        cursor = found.place + moved
        self.ledger = LedgerRows(found.total, found.pages)
        self.show(self.ledger, cursor, max(0, cursor - above))
        return True

    def give_up(self) -> None:
        """What was awaited will not come."""
        self._awaited = None
