"""Which rows of the log are in sight, and what moving does to that. No widget, no thread, no disk
of its own: it asks `Pages`.

Places, not numbers, are kept between two calls: so lines that are added, indexed or deleted
elsewhere move nothing under a reader's eyes.
"""

from __future__ import annotations

from collections import OrderedDict

from core.logfiles.entry import MAX_LINE, Entry, entry_of
from core.logfiles.pages import Filter, Group, Pages, Spot, Unknown
from core.logfiles.timeline import Place
from tui.screens.logs.rows import Look, Row, rows_of

KEPT_ENTRIES = 2_000
HINT_EVERY = 10
"""Entries after which the same cause is told again."""
MAX_OPENED = 1_000
MAX_STREAM_CELLS = 12
Line = tuple[Spot, int, Row]
"""An entry, the number of a row of it, that row."""


class Window:
    """`following` the end until somebody goes elsewhere; `cursor` is the chosen entry."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.size = (0, 0)
        """Columns and rows; nothing is in sight before they are known."""
        self.ascii = False
        self.pan = 0
        self.following = True
        self.cursor: Place | None = None
        self.opened: set[Place] = set()
        self._top: Place | None = None
        self._skip = 0
        self._at_start = False
        self._moment = 0
        self._lines: list[Line] = []
        self._entries: OrderedDict[tuple[Place, int, int, bool], Entry] = OrderedDict()
        self._behind: dict[str, tuple[int, int, tuple[int, ...]]] = {}

    # --- what is in sight ---------------------------------------------------------------------

    @property
    def look(self) -> Look:
        timeline = self.pages.timeline
        named = zip(timeline.streams, timeline.parts, strict=True)
        names = [name for name, parts in named if parts]
        longest = max((len(name) for name in names), default=0)
        cells = min(longest, MAX_STREAM_CELLS) + 1 if len(names) > 1 else 0
        return Look(self.size[0], cells, self.ascii, self.pan, self.pages.filter.searched)

    def entry(self, group: Group) -> Entry:
        place = self.pages.place(group)
        key = (place, group.repeats, group.parsed.bounds(group.entry)[1], group.hit)
        found = self._entries.get(key)
        if found is None:
            found = self._entries[key] = entry_of(group, place)
            if len(self._entries) > KEPT_ENTRIES:
                self._entries.popitem(last=False)
        return found

    @property
    def spot(self) -> Spot | None:
        """Where the cursor is now; at the end before anything was drawn."""
        return self.spot_at(self.cursor) or self.pages.last()

    def spot_at(self, place: Place | None) -> Spot | None:
        """Of an entry; where its file has gone, what was written at the time of the cursor."""
        if place is None:
            return None
        gone = self._moment and self.pages.timeline.part_of(place) is None
        return self.pages.at(self._moment) if gone else self.pages.find(place)

    def chosen(self) -> Group | None:
        spot = self.spot_at(self.cursor)
        return self.pages.group(spot) if spot else None

    def lines(self) -> list[Row]:
        """The rows in sight, at most as many as there is room for. May raise Unknown."""
        height = self.size[1]
        if self.following:
            last = self.pages.last()
            self.cursor = self._place(last) or self.cursor
            self._lines = self._up_to(last, height)
        else:
            self.cursor = self._place(self.spot) or self.cursor
            top = self.pages.first() if self._at_start else self.spot_at(self._top)
            if self._at_start:
                self.cursor, self._skip = self._place(top) or self.cursor, 0
            elif top is not None and self._place(top) != self._top:
                self._skip = 0
            self._lines = self._down_from(top, self._skip, height)
            if len(self._lines) < height:
                self._lines = self._up_to(self.pages.last(), height)
            self._keep_top()
        if (chosen := self.chosen()) is not None:
            self._moment = chosen.key[0]
        return [row for _, _, row in self._lines]

    def _keep_top(self) -> None:
        """What is in sight now; where nothing is, it stays for when there is something again."""
        if self._lines:
            self._top = self._place(self._lines[0][0])
            self._skip = self._lines[0][1]

    def _rows(self, spot: Spot) -> list[Row]:
        group = self.pages.group(spot)
        if group is None:
            return []
        entry = self.entry(group)
        opened, chosen = entry.place in self.opened, entry.place == self.cursor
        return rows_of(entry, self.look, opened, chosen, self._hinted(spot, entry))

    def _hinted(self, spot: Spot, entry: Entry) -> bool:
        """A cause is told once for errors that are close to one another."""
        if entry.hint is None:
            return False
        for _ in range(HINT_EVERY):
            try:
                before = self.pages.before(spot)
            except Unknown:
                return True
            group = self.pages.group(before) if before else None
            if before is None or group is None:
                return True
            if self.entry(group).hint == entry.hint:
                return False
            spot = before
        return True

    def _up_to(self, spot: Spot | None, height: int) -> list[Line]:
        """The rows that end with those of an entry."""
        out: list[Line] = []
        while spot is not None and len(out) < height:
            at = spot
            out[:0] = [(at, n, row) for n, row in enumerate(self._rows(at))]
            spot = self.pages.before(spot)
        return out[-height:] if height else []

    def _down_from(self, spot: Spot | None, skip: int, height: int) -> list[Line]:
        out: list[Line] = []
        while spot is not None and len(out) < height + skip:
            at = spot
            out += [(at, n, row) for n, row in enumerate(self._rows(at))]
            spot = self.pages.after(spot)
        return out[skip : skip + height]

    def _place(self, spot: Spot | None) -> Place | None:
        group = self.pages.group(spot) if spot else None
        return self.pages.place(group) if group else None

    # --- moving -------------------------------------------------------------------------------

    def follow(self) -> None:
        self.following, self._at_start = True, False

    def to_start(self) -> None:
        self.hold()
        self._at_start = True

    def move(self, entries: int) -> None:
        """The cursor; past the end it follows again."""
        self.hold()
        spot = self.spot_at(self.cursor) or self.pages.last()
        step = self.pages.after if entries > 0 else self.pages.before
        for _ in range(abs(entries)):
            if spot is None:
                return
            if (next_one := step(spot)) is None:
                if entries > 0:
                    self.follow()
                break
            spot = next_one
        self.go(spot)

    def go(self, spot: Spot | None, middle: bool = False) -> None:
        """Choose an entry and bring it into sight; in the middle if it was not."""
        if spot is None or self.following:
            return
        self.cursor = self._place(spot) or self.cursor
        height = self.size[1]
        if not height:
            self._top, self._skip = self.cursor, 0
            return
        lines = self._down_from(self.spot_at(self._top), self._skip, height)
        mine = [number for number, line in enumerate(lines) if line[0] == spot]
        whole = len(self._rows(spot))
        if len(mine) >= min(whole, height):
            return
        above = bool(lines) and spot <= lines[0][0]
        if middle and not mine:
            lines = self._up_to(spot, max(whole, height // 2))
        elif above or whole >= height:
            self._top, self._skip = self.cursor, 0
            return
        else:
            lines = self._up_to(spot, height)
        self._lines = lines
        self._keep_top()

    def scroll(self, rows: int) -> None:
        """The view; the cursor stays where it is while that is in sight. Follows at the end."""
        self.hold()
        height, top = self.size[1], self.spot_at(self._top)
        if top is None:
            return
        if rows < 0:
            above = self._up_to(self.pages.before(top), -rows) if self._skip < -rows else []
            here = self._down_from(top, 0, height + self._skip)
            self._lines = [*above, *here][max(0, len(above) + self._skip + rows) :][:height]
        else:
            lines = self._down_from(top, self._skip, height + rows)
            if len(lines) < height + rows:
                self.follow()
                return
            self._lines = lines[rows:]
        self._keep_top()
        self._bring_cursor()

    def page(self, pages: int) -> None:
        """A screen on; the cursor goes to the edge, so that the next page follows."""
        self.scroll(pages * max(1, self.size[1] - 1))
        if not self.following and self._lines:
            self.cursor = self._place(self._lines[-1 if pages > 0 else 0][0])

    def _bring_cursor(self) -> None:
        seen = [line[0] for line in self._lines]
        spot = self.spot_at(self.cursor)
        if seen and (spot is None or spot not in seen):
            self.cursor = self._place(seen[0] if spot is None or spot < seen[0] else seen[-1])

    def click(self, row: int) -> None:
        """Choose the entry on a row in sight; the chosen one opens, or folds."""
        if not 0 <= row < len(self._lines):
            return
        place = self._place(self._lines[row][0])
        if place == self.cursor:
            self.toggle()
        else:
            self.hold()
            self.cursor = place

    def pan_by(self, characters: int) -> None:
        self.pan = max(0, min(self.pan + characters, MAX_LINE))

    def toggle(self) -> None:
        """Open the chosen entry, or fold it again."""
        if self.cursor is None:
            return
        self.hold()
        if self.cursor in self.opened:
            self.opened.discard(self.cursor)
        elif len(self.opened) < MAX_OPENED:
            self.opened.add(self.cursor)
        self.go(self.spot_at(self.cursor))

    def hold(self) -> None:
        """Stand still from now on."""
        self._at_start = False
        if not self.following:
            return
        self.following = False
        self._keep_top()
        timeline = self.pages.timeline
        self._behind = {
            name: (parts[-1].segment.number, parts[-1].block.offset, parts[-1].block.counts)
            for name, parts in zip(timeline.streams, timeline.parts, strict=True)
            if parts
        }

    def narrow(self, wanted: Filter) -> None:
        """Another filter; the cursor goes to what is nearest to it."""
        self.pages.filter = wanted
        self.go(self.spot_at(self.cursor), middle=True)

    def behind(self) -> int:
        """Lines in sight of the filter that came since the view stands still."""
        if self.following:
            return 0
        timeline, wanted, total = self.pages.timeline, self.pages.filter, 0
        for name, parts in zip(timeline.streams, timeline.parts, strict=True):
            if wanted.stream not in ("", name):
                continue
            seen = self._behind.get(name)
            for part in reversed(parts):
                here = (part.segment.number, part.block.offset)
                if seen is not None and here < seen[:2]:
                    break
                total += sum(part.block.counts[wanted.least :])
                if seen is not None and here == seen[:2]:
                    total -= sum(seen[2][wanted.least :])
        return max(0, total)
