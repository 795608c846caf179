"""The leaderboard on disk: a head, then one entry a line, as JSON.

Lines, because a file of ten thousand peers decoded in one call would hold every other thread of
the process for a quarter of a second. The node writes it (`board_reader`); the console reads it for
the ranks that no event tells. Bounded, whatever is in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core import boundedjson
from core.home import atomic_write
from core.swarm.leaderboard import MAX_PEERS, Board, Entry, entry_from

VERSION = 2
MAX_LINE_BYTES = 16 * 2**10
MAX_ENTRIES = MAX_PEERS * 11 // 10


@dataclass(frozen=True)
class Head:
    """swarm: chain and contract. next: the first block that is not counted; hash: of the block
    before it. Of which swarm a file is can be told without reading the rest."""

    swarm: str
    next: int
    hash: str


def write(path: Path, head: Head, board: Board) -> None:
    """Whole or not at all. StorageError."""
    rows = [{"version": VERSION, **vars(head)}, *board.to_json()]
    atomic_write(path, b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def read(path: Path, swarm: str) -> tuple[Head, Board] | None:
    """The board of this swarm; None when the file is another one's or of another version.

    ValueError when it is damaged; OSError, which is FileNotFoundError before the first was written.
    """
    with path.open("rb") as file:
        head = _head(file)
        if head is None or head.swarm != swarm:
            return None
        return head, Board(_entries(file))


def entries(path: Path, swarm: str) -> Iterator[Entry]:
    """The entries one by one, nothing for another swarm; "" takes any. Raises as `read` does."""
    with path.open("rb") as file:
        head = _head(file)
        if head is not None and swarm in ("", head.swarm):
            yield from _entries(file)


def _head(file: BinaryIO) -> Head | None:
    told = _line(file.readline(MAX_LINE_BYTES))
    if told.pop("version", None) != VERSION:
        return None
    try:
        head = Head(**told)
    except TypeError as error:
        raise ValueError("its head makes no sense") from error
    texts = isinstance(head.swarm, str) and isinstance(head.hash, str)
    if type(head.next) is not int or head.next < 1 or not texts:
        raise ValueError("its head makes no sense")
    return head


def _entries(file: BinaryIO) -> Iterator[Entry]:
    count = 0
    while line := file.readline(MAX_LINE_BYTES):
        count += 1
        if count > MAX_ENTRIES:
            raise ValueError("it has too many entries")
        yield entry_from(_line(line))


def _line(line: bytes) -> dict[str, Any]:
    told = boundedjson.decode(line)
    if not isinstance(told, dict):
        raise ValueError("a line is no JSON object")
    return told
