"""One log file, indexed in blocks from its end to its start, and onwards as it grows.

A block is a run of whole entries with what must be known of it without reading it again: so the
index of a gigabyte is some thousand small tuples. The file is read through a descriptor that stays
open: renaming and deleting it hurt nothing, and nothing is mapped, because a mapped file that is
cut short would end the process.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.logfiles.scan import LEVELS, Scan, scan

CHUNK = 2**20
"""Bytes read at once."""
BLOCK = 2**17
"""Bytes of a block, about; larger in files that would have more than MOST_BLOCKS of them."""
MOST_BLOCKS = 8192
MOST = 4 * 2**20
"""Bytes of a block at most; a longer line is cut here."""
FRESH_S = 60.0
"""How long lines without any time are put beside the ones written just before them."""
DAY = 86_400
HEAD = 64


class Block(NamedTuple):
    """counts: entries of each level. first, last: its earliest place in time, its latest time."""

    offset: int
    size: int
    lines: int
    counts: tuple[int, ...]
    first: int
    last: int


def stamp_of(moment: float) -> int:
    """Unix seconds as YYYYMMDDhhmmssmmm in local time, as logs write it."""
    text = time.strftime("%Y%m%d%H%M%S", time.localtime(moment))
    return int(text) * 1000 + int(moment % 1 * 1000)


def latest() -> int:
    """Times after this one are not believed."""
    return stamp_of(time.time() + DAY)


class Segment:
    """Guards the descriptor: reading after `close` gives nothing. One thread indexes."""

    def __init__(self, path: Path, number: int) -> None:
        """number: never the same for two of a stream. OSError when it is not a readable file."""
        self.path = path
        self.number = number
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            raise OSError(f"{path} is not a file")
        self.identity = (found.st_dev, found.st_ino)
        self._handle: int | None = handle
        self._lock = threading.Lock()
        self.modified = found.st_mtime
        size = found.st_size
        self.rewritten = False
        self.blocks: list[Block] = []
        self.low = self.high = size
        """What is indexed lies between these two."""
        self.target = min(MOST, max(BLOCK, size // MOST_BLOCKS))
        self._head = self.read(0, HEAD)
        self._untimed_at = 0.0

    def read(self, offset: int, size: int) -> bytes:
        """As much of it as there is; nothing when the file was closed, cut short or is damaged."""
        with self._lock:
            if self._handle is None:
                return b""
            try:
                return os.pread(self._handle, size, offset)
            except OSError:
                return b""

    def close(self) -> None:
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None

    # --- towards the start --------------------------------------------------------------------

    def step_back(self) -> None:
        """Index about CHUNK more towards the start."""
        size = max(CHUNK, self.target)
        while True:
            start = max(0, self.low - size)
            data = self.read(start, self.low - start)
            newest = latest()
            found = scan(data, newest)
            cut = 0 if start == 0 else _first_whole(found)
            if cut is not None or size >= MOST or not data:
                break
            size *= 2
        if not data:
            self.low = 0  # the file is shorter now; `grow` sees to it
            return
        first = cut or 0
        self.blocks[:0] = self._cut(found, start, len(data), first)
        self.low = start + int(found.starts[first])

    # --- as it grows --------------------------------------------------------------------------

    def grow(self) -> bool:
        """Index what was added, CHUNK bytes at most; whether anything is different now.

        A file that was cut short or written anew is `rewritten` from then on, and of no more use.
        """
        size = self._size()
        if size is None or size == self.high:
            return False
        if size < self.high or not self.read(0, HEAD).startswith(self._head):
            self.rewritten = True
            return True
        if len(self._head) < HEAD:
            self._head = self.read(0, HEAD)
        begin, kept = self.high, len(self.blocks)
        if self.blocks and self._extends(self.blocks[-1]):
            begin, kept = self.blocks[-1].offset, kept - 1
        data = self.read(begin, min(size, self.high + CHUNK) - begin)
        if not data:
            return False
        self.blocks[kept:] = self._cut(scan(data, latest()), begin, len(data))
        self.high = begin + len(data)
        return True

    def _extends(self, block: Block) -> bool:
        """Whether new bytes belong to the last block: it is small, or its last entry not whole."""
        if block.size >= MOST:
            return False
        if self.read(self.high - 1, 1) != b"\n":
            return True
        if self._untimed_at:
            return block.size < self.target and time.time() - self._untimed_at <= FRESH_S
        goes_on = not self.read(self.high, 1).isdigit()  # a traceback, written in pieces
        return block.size < (4 * self.target if goes_on else self.target)

    def _size(self) -> int | None:
        with self._lock:
            if self._handle is None:
                return None
            found = os.fstat(self._handle)
            self.modified = found.st_mtime
            return found.st_size

    # --- blocks -------------------------------------------------------------------------------

    def _cut(self, found: Scan, offset: int, length: int, first: int = 0) -> list[Block]:
        """Blocks of at least `target` bytes (but the last), begun at a line with a time.

        first: the entry at which the first one begins. offset, length: of what was scanned.
        """
        timed = first + np.flatnonzero(found.stamps[first:])
        self._note_untimed(bool(len(timed)))
        usable = timed if len(timed) else np.arange(first, len(found.starts))
        edges, at = [first], int(found.starts[first])
        while True:
            place = int(np.searchsorted(found.starts[usable], at + self.target))
            if place >= len(usable):
                break
            edges.append(int(usable[place]))
            at = int(found.starts[usable[place]])
        edges.append(len(found.starts))
        return [self._block(found, one, two, offset, length) for one, two in pairwise(edges)]

    def _block(self, found: Scan, one: int, two: int, offset: int, length: int) -> Block:
        inside = slice(one, two)
        end = int(found.starts[two]) if two < len(found.starts) else length
        last_line = int(found.lines[two]) if two < len(found.lines) else found.line_count
        times = found.stamps[inside][found.stamps[inside] > 0]
        fallback = stamp_of(self._untimed_at) if self._untimed_at else 0
        start = int(found.starts[one])
        counts = np.bincount(found.levels[inside], minlength=len(LEVELS))
        return Block(
            offset + start,
            end - start,
            last_line - int(found.lines[one]),
            tuple(counts.tolist()),
            int(times[0]) if len(times) else fallback,
            int(times.max()) if len(times) else fallback,
        )

    def _note_untimed(self, timed: bool) -> None:
        """Lines of a file that never has a time get the one at which they were written."""
        if timed:
            self._untimed_at = 0.0
        elif self._untimed_at or not any(block.first for block in self.blocks):
            self._size()
            self._untimed_at = self.modified


def _first_whole(found: Scan) -> int | None:
    """Number of the first entry that is certainly whole; None when there is none."""
    after = np.flatnonzero(found.stamps[1:])
    if len(after):
        return 1 + int(after[0])
    return 1 if len(found.starts) > 1 else None
