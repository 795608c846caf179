"""Pages of a timeline as a person wants them: some levels, one log, only matches, repeats folded.

Everything is read when it is asked for and a little of it kept. What was not searched yet is not
guessed: `Unknown` is raised, and the same question can be asked again a moment later.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.logfiles.pattern import Patience, Pattern, TooSlow
from core.logfiles.scan import Bools
from core.logfiles.search import TOO_SLOW, Search
from core.logfiles.timeline import Parsed, Part, Place, Timeline, merged, parse

KEPT_PAGES = 48
KEPT_BYTES = 12 * 2**20
"""Of blocks, as they are in the files; what is needed for one page is kept in any case."""
_STAMP_LENGTH = 23


class Unknown(Exception):
    """This part of the log was not searched yet."""


@dataclass(frozen=True)
class Filter:
    """least: position in LEVELS. stream: "" for all. only: nothing but what matches."""

    least: int = 0
    stream: str = ""
    pattern: Pattern | None = None
    only: bool = False
    fold: bool = True

    @property
    def searched(self) -> Pattern | None:
        return self.pattern if self.pattern and not self.pattern.problem else None


class Group(NamedTuple):
    """Equal entries that follow one another. key: its place in the order of the page.

    until: the time of the last of them.
    """

    key: tuple[int, int, int]
    parsed: Parsed
    stream: int
    entry: int
    repeats: int
    until: int
    hit: bool


class Spot(NamedTuple):
    """A group: number of the page, number within the page."""

    page: int
    number: int


class Pages:
    """For one thread. `timeline`, `filter` and `search` may be replaced at any time."""

    def __init__(self, search: Search) -> None:
        self.timeline = Timeline(())
        self.filter = Filter()
        self.search = search
        self.problem = ""
        """Why the expression was given up."""
        self._patience = Patience()
        self._parsed: OrderedDict[tuple[object, ...], Parsed] = OrderedDict()
        self._hits: OrderedDict[tuple[object, ...], tuple[Parsed, Bools]] = OrderedDict()
        self._groups: OrderedDict[tuple[object, ...], list[Group]] = OrderedDict()

    def forgive(self) -> None:
        """Another expression: what the last one did counts no more."""
        self.problem, self._patience = "", Patience()

    # --- walking ------------------------------------------------------------------------------

    def last(self) -> Spot | None:
        return self._from(self.timeline.pages - 1, -1)

    def first(self) -> Spot | None:
        return self._from(self.timeline.first, 1)

    def after(self, spot: Spot) -> Spot | None:
        if spot.number + 1 < len(self.groups(spot.page)):
            return Spot(spot.page, spot.number + 1)
        return self._from(spot.page + 1, 1)

    def before(self, spot: Spot) -> Spot | None:
        if spot.number > 0:
            return Spot(spot.page, spot.number - 1)
        return self._from(spot.page - 1, -1)

    def _from(self, page: int, step: int, matching: bool = False) -> Spot | None:
        """The first group of the next page that has one, in a direction."""
        while self.timeline.first <= page < self.timeline.pages:
            if self._promising(page, matching):
                groups = self.groups(page)
                order = range(len(groups)) if step > 0 else range(len(groups) - 1, -1, -1)
                for number in order:
                    if groups[number].hit or not matching:
                        return Spot(page, number)
            page += step
        if matching and step < 0 and not self.timeline.complete:
            raise Unknown  # it may stand in what is not indexed yet
        return None

    def match(self, spot: Spot, step: int, itself: bool = False) -> Spot | None:
        """The next group that matches after a spot (before it for -1); perhaps the spot itself."""
        groups = self.groups(spot.page)
        number = spot.number if itself else spot.number + step
        while 0 <= number < len(groups):
            if groups[number].hit:
                return Spot(spot.page, number)
            number += step
        return self._from(spot.page + step, step, matching=True)

    def group(self, spot: Spot) -> Group | None:
        groups = self.groups(spot.page) if 0 <= spot.page < self.timeline.pages else []
        return groups[spot.number] if 0 <= spot.number < len(groups) else None

    # --- places -------------------------------------------------------------------------------

    def place(self, group: Group) -> Place:
        part = group.parsed.part
        offset = part.block.offset + int(group.parsed.scan.starts[group.entry])
        return Place(self.timeline.streams[group.stream], part.segment.number, offset)

    def find(self, place: Place) -> Spot | None:
        """The group with an entry, or the nearest one in sight: before it, if there is one."""
        at = self.timeline.part_of(place)
        if at is None:
            return self.first()
        stream, number = at
        part = self.timeline.parts[stream][number]
        parsed = self._read(part)
        entry = int(np.searchsorted(parsed.scan.starts, place.offset - part.block.offset, "right"))
        entry = max(0, entry - 1)
        time = int(parsed.times[entry]) if len(parsed.times) else part.start
        page = self.timeline.page_of(time, stream, number)
        if page < self.timeline.first:
            return self.first()
        return self._nearest(page, (time, stream, part.block.offset + entry))

    def at(self, stamp: int) -> Spot | None:
        """The first group at or after a time, or the last one of all."""
        page = self.timeline.page_at(stamp)
        while page < self.timeline.pages:
            for number, group in enumerate(self.groups(page)):
                if group.key[0] >= stamp:
                    return Spot(page, number)
            page += 1
        return self.last()

    def _nearest(self, page: int, key: tuple[int, int, int]) -> Spot | None:
        groups = self.groups(page)
        number = sum(group.key <= key for group in groups) - 1
        if number >= 0:
            return Spot(page, number)
        found = self._from(page - 1, -1)
        return found or (Spot(page, 0) if groups else self._from(page + 1, 1))

    # --- a page -------------------------------------------------------------------------------

    def _promising(self, page: int, matching: bool) -> bool:
        """Whether a page may have something to show; certain only when it says no."""
        for stream, number in self.timeline.parts_of(page):
            part = self.timeline.parts[stream][number]
            name = self.timeline.streams[stream]
            wanted = self.filter
            if wanted.stream not in ("", name) or not sum(part.block.counts[wanted.least :]):
                continue
            if wanted.searched is None or not (wanted.only or matching):
                return True
            found = self.search.block(name, part)
            if found is None:
                if self.search.found.problem or self.problem:
                    continue
                raise Unknown
            if sum(found[wanted.least :]):
                return True
        return False

    def groups(self, page: int) -> list[Group]:
        """What is in sight of a page, in order. Unknown when it depends on a search."""
        timeline, wanted = self.timeline, self.filter
        parts = [
            (stream, timeline.parts[stream][number], number)
            for stream, number in timeline.parts_of(page)
            if wanted.stream in ("", timeline.streams[stream])
        ]
        edge = timeline.cuts[page + 1][0] if page + 1 < timeline.pages else 0
        blocks = tuple((stream, _key(part)) for stream, part, _ in parts)
        key = (timeline.cuts[page][0], edge, blocks, wanted, bool(self.problem))
        found = self._groups.get(key)
        if found is None:
            found = self._made(page, parts)
            self._groups[key] = found
            if len(self._groups) > KEPT_PAGES:
                self._groups.popitem(last=False)
        self._groups.move_to_end(key)
        return found

    def _made(self, page: int, parts: list[tuple[int, Part, int]]) -> list[Group]:
        spans, streams = [], []
        for stream, part, number in parts:
            parsed = self._read(part)
            span = self.timeline.span(page, stream, number, parsed)
            if span.stop > span.start:
                spans.append((parsed, span))
                streams.append(stream)
        if not spans:
            return []
        hits = [self._hits_of(parsed) for parsed, _ in spans]
        owners, entries, _ = merged(spans)
        out: list[Group] = []
        for owner, entry in zip(owners.tolist(), entries.tolist(), strict=True):
            parsed, stream, hit = spans[owner][0], streams[owner], bool(hits[owner][entry])
            if parsed.scan.levels[entry] < self.filter.least:
                continue
            if self.filter.only and self.filter.searched and not hit:
                continue
            last = out[-1] if out else None
            if last and self.filter.fold and last.parsed is parsed and _equal(last, entry):
                until = int(parsed.times[entry])
                out[-1] = last._replace(repeats=last.repeats + 1, until=until)
                continue
            key = (int(parsed.times[entry]), stream, parsed.part.block.offset + entry)
            out.append(Group(key, parsed, stream, entry, 1, key[0], hit))
        return out

    def _read(self, part: Part) -> Parsed:
        key = (*_key(part), part.start, part.limit)
        found = self._parsed.get(key)
        if found is None:
            found = self._parsed[key] = parse(part)
            size = sum(len(parsed.data) for parsed in self._parsed.values())
            while size > KEPT_BYTES and len(self._parsed) > len(self.timeline.streams) + 1:
                size -= len(self._parsed.popitem(last=False)[1].data)
        self._parsed.move_to_end(key)
        return found

    def _hits_of(self, parsed: Parsed) -> Bools:
        wanted = self.filter.searched
        if wanted is None or self.problem:
            return np.zeros(len(parsed.times), np.bool_)
        key = (*_key(parsed.part), wanted)
        if key in self._hits and self._hits[key][0] is parsed:
            return self._hits[key][1]
        try:
            found = wanted.found_in(parsed.data, parsed.scan, self._patience)
        except TooSlow:
            self.problem = TOO_SLOW
            return np.zeros(len(parsed.times), np.bool_)
        self._hits[key] = (parsed, found)
        if len(self._hits) > KEPT_PAGES:
            self._hits.popitem(last=False)
        return found


def _equal(group: Group, entry: int) -> bool:
    """Whether two entries of a block say the same at different times."""
    parsed = group.parsed
    one, two = parsed.bounds(group.entry), parsed.bounds(entry)
    if one[1] - one[0] != two[1] - two[0]:
        return False
    levels, stamps = parsed.scan.levels, parsed.scan.stamps
    if levels[group.entry] != levels[entry] or bool(stamps[group.entry]) != bool(stamps[entry]):
        return False
    skip = _STAMP_LENGTH if stamps[entry] else 0
    return parsed.data[one[0] + skip : one[1]] == parsed.data[two[0] + skip : two[1]]


def _key(part: Part) -> tuple[int, int, int]:
    return id(part.segment), part.block.offset, part.block.size
