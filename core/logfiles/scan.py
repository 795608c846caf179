"""Finds entries, times and levels in a piece of a log: a gigabyte takes seconds, not minutes.

An entry is a line with a time and the lines without one that follow it: a traceback, a message of
several lines. It knows the forms that Waggle's own processes write and ISO 8601, in local time;
whatever else is in a file is lines without a time. Any bytes at all are fine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LEVELS = ("debug", "info", "warning", "error")
INFO = 1
MAX_TAIL = 200
"""Lines without a time that may belong to the line before them; then a new entry begins."""

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

_NEWLINE = 10
_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])
"""Columns of the digits of `2026-11-25 18:48:24`."""
_DAY = np.array([10**n for n in range(7, -1, -1)])
_CLOCK = np.array([10**n for n in range(5, -1, -1)])
_TIME_LENGTH = 19
_PADDING = b" " * 64
_FULL = ("YYYY-MM-DD hh:mm:ss,mmm", "YYYY-MM-DD hh:mm:ss")
_WORDS = {b"DEBU": 0, b"INFO": 1, b"WARN": 2, b"ERRO": 3, b"CRIT": 3, b"FATA": 3, b"Trac": 3}
_LEVEL_OF = {int.from_bytes(word, "little"): level for word, level in _WORDS.items()}


class Scan(NamedTuple):
    """The entries of a piece, in the order of the file; all arrays have one value for each.

    starts: byte positions. stamps: local time as the number YYYYMMDDhhmmssmmm, 0 where there is
    none. levels: positions in LEVELS. lines: number of the entry's first line within the piece.
    line_count: of the piece, a last one without a line break included.
    """

    starts: Ints
    stamps: Ints
    levels: Bytes
    lines: Ints
    line_count: int


def scan(data: bytes, latest: int) -> Scan:
    """latest: a stamp; later times are not believed, for anything can be written into a log."""
    if not data:
        none = np.zeros(0, np.int64)
        return Scan(none, none, none.astype(np.uint8), none, 0)
    raw = np.frombuffer(data + _PADDING, np.uint8)
    breaks = np.flatnonzero(raw[: len(data)] == _NEWLINE)
    starts = np.concatenate((np.zeros(1, np.int64), breaks + 1))
    if starts[-1] == len(data):
        starts = starts[:-1]
    stamps, words = _times(raw, starts, latest)
    first = _entry_starts(raw, starts, stamps > 0)
    return Scan(
        starts[first],
        stamps[first],
        _levels(raw, words[first]),
        np.flatnonzero(first),
        len(starts),
    )


def _times(raw: Bytes, starts: Ints, latest: int) -> tuple[Ints, Ints]:
    """The stamp of each line, and where its level would stand."""
    stamps = np.zeros(len(starts), np.int64)
    words = starts.copy()
    likely = (raw[starts + 4] == 45) & (raw[starts + 7] == 45) & (raw[starts + 13] == 58)
    rows = np.flatnonzero(likely)
    if not len(rows):
        return stamps, words
    at = starts[rows]
    digits = raw[at[:, None] + _DIGITS] - 48  # uint8: what is no digit becomes large
    second = digits[:, :8].astype(np.int64) @ _DAY * 10**9
    second += digits[:, 8:].astype(np.int64) @ _CLOCK * 1000
    dot = np.isin(raw[at + _TIME_LENGTH], (44, 46))
    parts = raw[at[:, None] + np.array([20, 21, 22])] - 48
    exact = dot & (parts < 10).all(1)
    stamp = second + np.where(exact, parts.astype(np.int64) @ np.array([100, 10, 1]), 0)
    good = (digits < 10).all(1) & np.isin(raw[at + 10], (32, 84)) & (stamp <= latest)
    good &= stamp > 19_000_000 * 10**9
    rows = rows[good]
    stamps[rows] = stamp[good]
    words[rows] = (at + np.where(exact, len(_FULL[0]) + 1, len(_FULL[1]) + 1))[good]
    return stamps, words


def _levels(raw: Bytes, words: Ints) -> Bytes:
    four = np.zeros(len(words), np.int64)
    for place in range(4):
        four |= raw[words + place].astype(np.int64) << (8 * place)
    levels = np.full(len(words), INFO, np.uint8)
    for word, level in _LEVEL_OF.items():
        levels[four == word] = level
    return levels


def _entry_starts(raw: Bytes, starts: Ints, timed: Bools) -> Bools:
    """Which lines begin an entry.

    Where no line had a time yet, an indented line and the one behind it belong to the line before
    them: so a traceback in a file without times is still one entry.
    """
    index = np.arange(len(starts))
    since = index - np.maximum.accumulate(np.where(timed, index, -1))
    untimed_head = since == index + 1
    head = raw[starts]
    indented = (head == 32) | (head == 9)
    after = np.concatenate((np.zeros(1, np.bool_), indented[:-1]))
    own = ~indented & ~after & (head != _NEWLINE) & (head != 13)
    first: Bools = timed | np.where(untimed_head, own, since % MAX_TAIL == 0)
    first[0] = True
    return first
