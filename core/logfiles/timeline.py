"""What is known of all log files at one moment, in one time order, cut into pages. Immutable.

Each file is in its own order; a line is never placed before one that stands above it in its file,
whatever its clock said. Between files the time decides. The start of every block of every file is
a cut; between two cuts lies a page, for which at most one block of each file must be read. So any
place among hundreds of millions of lines is reached by reading a few hundred kilobytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from core.logfiles.scan import Ints, Scan, scan
from core.logfiles.segment import Block, Segment, latest
from core.logfiles.stream import Stream

MAX_STAMP = 10**17


class Place(NamedTuple):
    """An entry, however much is indexed: stream, number of its segment, byte offset there."""

    stream: str
    segment: int
    offset: int


class Part(NamedTuple):
    """A block where it lies. start: its effective time."""

    segment: Segment
    block: Block
    start: int
    limit: int
    """The effective time of the next block."""


class Parsed(NamedTuple):
    """A block that was read. times: the effective time of each entry."""

    part: Part
    data: bytes
    scan: Scan
    times: Ints

    def bounds(self, entry: int) -> tuple[int, int]:
        starts = self.scan.starts
        end = starts[entry + 1] if entry + 1 < len(starts) else len(self.data)
        return int(starts[entry]), int(end)


class Timeline:
    """streams: names, in the order that breaks ties of time. parts: the blocks of each.

    complete: nothing older is missing. `pages` are numbered from 0; before `first` lies what
    cannot be put in order yet, because a file is not indexed that far back.
    """

    def __init__(self, streams: Sequence[Stream], looked: bool = True) -> None:
        """looked: whether anybody looked for files yet."""
        self.streams = tuple(stream.name for stream in streams)
        self.parts = tuple(_parts(stream) for stream in streams)
        self.complete = looked and all(stream.incomplete() is None for stream in streams)
        self.cuts = sorted(
            (part.start, stream, number)
            for stream, parts in enumerate(self.parts)
            for number, part in enumerate(parts)
        )
        owners = np.array([cut[1] for cut in self.cuts], np.int64)
        self._current = [np.cumsum(owners == stream) - 1 for stream in range(len(self.parts))]
        self.pages = len(self.cuts)
        self._ranges = [_ranges(parts) for parts in self.parts]
        self.first = self._first(streams)
        self.lines = sum(part.block.lines for parts in self.parts for part in parts)
        self.size_bytes = sum(part.block.size for parts in self.parts for part in parts)

    def _first(self, streams: Sequence[Stream]) -> int:
        known = [
            parts[0].start if parts else MAX_STAMP
            for parts, stream in zip(self.parts, streams, strict=True)
            if stream.incomplete() is not None
        ]
        return bisect_left(self.cuts, (max(known), 0, 0)) if known else 0

    def parts_of(self, page: int) -> list[tuple[int, int]]:
        """(stream, number of its part) of the blocks from which a page is made."""
        return [
            (stream, int(current[page]))
            for stream, current in enumerate(self._current)
            if current[page] >= 0
        ]

    def page_of(self, time: int, stream: int, number: int) -> int:
        """The page with an entry of part `number` of `stream` at an effective time."""
        return bisect_right(self.cuts, (time, stream, number)) - 1

    def page_at(self, stamp: int) -> int:
        """The page in which entries at or after a time begin."""
        return max(self.first, bisect_left(self.cuts, (stamp, 0, 0)) - 1)

    def part_of(self, place: Place) -> tuple[int, int] | None:
        """(stream, number of its part) of the block with an entry; None when it is gone."""
        if place.stream not in self.streams:
            return None
        stream = self.streams.index(place.stream)
        first, end = self._ranges[stream].get(place.segment, (0, 0))
        if first == end:
            return None
        parts = self.parts[stream]
        found = bisect_right(parts, place.offset, first, end, key=lambda part: part.block.offset)
        return stream, max(first, found - 1)

    def span(self, page: int, stream: int, number: int, parsed: Parsed) -> slice:
        """Which entries of a parsed block belong to a page."""
        low = self._edge(self.cuts[page], stream, number, parsed.times)
        if page + 1 >= self.pages:
            return slice(low, len(parsed.times))
        return slice(low, self._edge(self.cuts[page + 1], stream, number, parsed.times))

    @staticmethod
    def _edge(cut: tuple[int, int, int], stream: int, number: int, times: Ints) -> int:
        """The first entry of a block that is not before a cut."""
        time, owner, part = cut
        if owner == stream:
            return 0 if part <= number else len(times)
        side = "left" if stream > owner else "right"
        return int(np.searchsorted(times, time, side))  # type: ignore[call-overload]


def parse(part: Part) -> Parsed:
    """Read a block. A file that was cut short since gives fewer entries, or none."""
    data = part.segment.read(part.block.offset, part.block.size)
    found = scan(data, latest())
    times: Ints = np.maximum.accumulate(np.maximum(found.stamps, part.start))
    if len(times):
        times = np.minimum(times, part.limit)
    return Parsed(part, data, found, times)


def merged(spans: Sequence[tuple[Parsed, slice]]) -> tuple[npt.NDArray[np.intp], Ints, Ints]:
    """Entries of several blocks in time order: (which of `spans`, entry), and their times."""
    owners = np.concatenate(
        [np.full(span.stop - span.start, n, np.int64) for n, (_, span) in enumerate(spans)]
    )
    entries = np.concatenate([np.arange(span.start, span.stop) for _, span in spans])
    times = np.concatenate([parsed.times[span] for parsed, span in spans])
    order = np.argsort(times, kind="stable")
    return owners[order], entries[order], times[order]


def _parts(stream: Stream) -> list[Part]:
    """Blocks with their effective times: never earlier than what stands above them."""
    blocks = [(segment, block) for segment in stream.segments for block in segment.blocks]
    floor = next((block.first for _, block in blocks if block.first), 0)
    starts = []
    for _, block in blocks:
        floor = max(floor, block.first)
        starts.append(floor)
        floor = max(floor, block.last)
    limits = [*starts[1:], MAX_STAMP][: len(starts)]
    return [
        Part(segment, block, start, limit)
        for (segment, block), start, limit in zip(blocks, starts, limits, strict=True)
    ]


def _ranges(parts: Sequence[Part]) -> dict[int, tuple[int, int]]:
    """Of each segment by its number: its first part, and the one behind its last."""
    out: dict[int, tuple[int, int]] = {}
    for number, part in enumerate(parts):
        first, _ = out.get(part.segment.number, (number, 0))
        out[part.segment.number] = (first, number + 1)
    return out
