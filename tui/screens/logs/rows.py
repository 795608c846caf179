"""From an entry of a log to the rows in which it is shown. Pure; texts are safe to draw."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from rich.cells import chop_cells

from core.logfiles.entry import Entry
from core.logfiles.pattern import Pattern
from core.texts import _, many
from tui.text import clean

LEAD = 9 + 6
"""Cells of clock and level, each with a gap."""
MAX_ROWS = 600
"""Rows of one opened entry."""
Spans = tuple[tuple[int, int], ...]


class Row(NamedTuple):
    """kind: `line`, `more` (further text of the entry) or `hint`. mark: what Enter would do.

    spans: of `text`, what matches. note: behind it, less important.
    """

    kind: str
    text: str
    spans: Spans = ()
    clock: str = ""
    level: str = ""
    stream: str = ""
    mark: str = ""
    note: str = ""
    chosen: bool = False


class Look(NamedTuple):
    """stream_cells: of the column with the names of logs; 0 for none. pan: characters to the left
    that are not shown."""

    width: int
    stream_cells: int
    ascii: bool
    pan: int
    pattern: Pattern | None


def rows_of(entry: Entry, look: Look, opened: bool, chosen: bool, hinted: bool) -> list[Row]:
    """The first row carries time, level and log. hinted: the cause of the error is told below."""
    dots = "..." if look.ascii else "…"
    text = _safe(entry.text, look)
    cut = many("{dots} {n:,} byte more", "{dots} {n:,} bytes more", entry.cut) if entry.cut else ""
    cut = cut.format(dots=dots, n=entry.cut)
    spans = look.pattern.spans(text) if look.pattern and entry.hit else ()
    # What is searched for must be seen, also in the folded part of an entry.
    inside = chosen and entry.hit and not spans and bool(entry.tail)
    room = max(10, look.width - 2 - LEAD - look.stream_cells)
    shown = opened or inside
    first, *rest = chop_cells(text, room) if shown and text else [text]
    if not shown and look.pan:
        first = text[look.pan :]
        spans = tuple((max(0, a - look.pan), b - look.pan) for a, b in spans if b > look.pan)
    note = _note(entry, shown, dots, look)
    line = Row(
        "line",
        first,
        spans,
        clock_of(entry.time),
        entry.level,
        entry.stream,
        _mark(entry, shown),
        " ".join(filter(None, (note, "" if shown else cut))),
        chosen,
    )
    if not shown:
        rows = [line]
    else:
        more = [*rest, *([cut] if cut else [])]
        for tail in entry.tail:
            more += chop_cells(_safe(tail, look), room) or [""]
        rows = [line]
        for part in more[:MAX_ROWS]:
            spans = look.pattern.spans(part) if look.pattern and entry.hit else ()
            rows.append(Row("more", part, spans, level=entry.level, chosen=chosen))
        if len(more) > MAX_ROWS:
            n = len(more) - MAX_ROWS
            left = many("{dots} {n} more row", "{dots} {n} more rows", n).format(dots=dots, n=n)
            rows.append(Row("more", left, chosen=chosen))
    if hinted and entry.hint is not None:
        told = f"{entry.hint.cause}: {entry.hint.next_step}"
        parts = textwrap.wrap(told, max(20, room)) if shown or chosen else [told]
        rows += [
            Row("hint", part, mark="hint" if not number else "", chosen=chosen)
            for number, part in enumerate(parts)
        ]
    return rows


def clock_of(stamp: int) -> str:
    """`18:48:24` of YYYYMMDDhhmmssmmm."""
    digits = f"{stamp:017d}"
    return f"{digits[8:10]}:{digits[10:12]}:{digits[12:14]}" if stamp else "--:--:--"


def moment_of(stamp: int) -> str:
    """`2026-11-25 18:48:24.067` of YYYYMMDDhhmmssmmm."""
    digits = f"{stamp:017d}"
    day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    return f"{day} {clock_of(stamp)}.{digits[14:]}" if stamp else _("no time")


def _safe(text: str, look: Look) -> str:
    return clean(text, 4000, look.ascii)


def _mark(entry: Entry, shown: bool) -> str:
    return ("-" if shown else "+") if entry.tail or entry.cut else ""


def _note(entry: Entry, shown: bool, dots: str, look: Look) -> str:
    parts = []
    if entry.repeats > 1:
        times = "x" if look.ascii else "×"
        parts.append(
            _("({times} {repeats:,} until {until})").format(
                times=times, repeats=entry.repeats, until=clock_of(entry.until)
            )
        )
    if entry.tail and not shown:
        lines = _("{n} lines").format(n=len(entry.tail) + 1)
        parts.append(f"{dots} {_safe(entry.summary, look)[:200]} ({lines})")
    return " ".join(parts)
