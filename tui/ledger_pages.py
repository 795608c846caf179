"""The ledger page by page: what a screen has of a hundred thousand rounds, and how it is read.

`LedgerReader` is used in a thread of its own; `LedgerRows` by the table, on the screen's thread.
Memory holds the pages around what is looked at, never the ledger.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.home import Home
from tui import draw_rewards
from tui.draw import Pen
from tui.widgets.table_layout import Cell

if TYPE_CHECKING:
    from core.chain.ledger import LedgerStore
    from core.chain.ledger_pages import Round

PAGE = 100
KEPT = 12
"""Pages in memory."""

Place = tuple[int, int]
"""Round and stage: what a row is, whatever its number."""


@dataclass(frozen=True)
class Look:
    """What is wanted: the rows in sight around a place, or a page.

    mine: swarm and peer id. at: the round that the cursor is on, None for the newest; above: so
    many rows before it are in sight, of `rows`. cursor: its number when this was asked; None when
    the cursor is to go there. page: instead, just this page.
    """

    mine: tuple[str, str]
    failed: bool = False
    at: Place | None = None
    above: int = 0
    rows: int = PAGE
    cursor: int | None = None
    page: int | None = None


@dataclass(frozen=True)
class Found:
    """The answer: how many rounds there are, where the wanted one is among them, and pages."""

    look: Look
    total: int
    place: int
    pages: dict[int, list[Round]] = field(default_factory=dict)


class LedgerReader:
    """Reads `node.db`, which a node may be writing. Nothing is changed, and none is made."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._store: LedgerStore | None = None

    def read(self, look: Look) -> Found:
        """StorageError."""
        from core.chain import ledger_pages as pages

        if self._store is None:
            if not self._home.db.exists():
                return Found(look, 0, 0)
            from core.chain.ledger import LedgerStore

            self._store = LedgerStore(self._home.db)
        store, mine, failed = self._store, look.mine, look.failed
        total, place = store.ask(pages.count, *mine, failed), 0
        if look.page is not None:
            wanted = range(look.page, look.page + 1)
        else:
            if look.at is not None:
                place = store.ask(pages.place, *mine, *look.at, failed)
            first = max(0, place - look.above)
            wanted = range(first // PAGE, (first + look.rows) // PAGE + 1)
        found = {
            n: store.ask(pages.newest, *mine, PAGE, failed, n * PAGE)
            for n in wanted
            if n * PAGE < total
        }
        return Found(look, total, min(place, max(0, total - 1)), found)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()


class LedgerRows:
    """Rows for a table. `missing` collects the pages that were asked for in vain."""

    def __init__(self, total: int = 0, pages: dict[int, list[Round]] | None = None) -> None:
        self._total = total
        self._pages: OrderedDict[int, list[Round]] = OrderedDict(pages or {})
        self.missing: list[int] = []

    def __len__(self) -> int:
        return self._total

    def add(self, pages: dict[int, list[Round]]) -> None:
        """More of the same ledger; the pages longest unused make room."""
        self._pages.update(pages)
        while len(self._pages) > KEPT:
            self._pages.popitem(last=False)

    def round(self, row: int) -> Round | None:
        """None while it is being read."""
        number, place = divmod(row, PAGE)
        page = self._pages.get(number)
        if page is None:
            if number not in self.missing:
                self.missing.append(number)
            return None
        self._pages.move_to_end(number)
        return page[place] if place < len(page) else None

    def key(self, row: int) -> Place | None:
        found = self.round(row)
        return None if found is None else (found.row.round, found.row.stage)

    def find(self, key: Place) -> int | None:
        """Among the pages in memory; newest first, so rows fall."""
        for number, page in self._pages.items():
            for place, each in enumerate(page):
                if (each.row.round, each.row.stage) == key:
                    return number * PAGE + place
        return None

    def cells(self, row: int, pen: Pen) -> Sequence[Cell] | None:
        found = self.round(row)
        return None if found is None else draw_rewards.cells(found, pen)
