"""One entry of a log in a person's words: its text, the lines that belong to it, a known cause.

Text comes as it is in the file, perhaps hostile; who draws it must make it safe.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from core.log_hints import Hint, hint_for
from core.logfiles.pages import Group
from core.logfiles.scan import LEVELS
from core.logfiles.timeline import Place

MAX_LINE = 4000
"""Characters of a line that are shown."""
MAX_COPY = 64 * 1024
"""Bytes of an entry that are copied."""
MAX_TAIL = 400
"""Lines of an entry that are shown."""
_HEAD = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:[.,]\d{1,6})?Z?\s+"
    r"(?:(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b\s*)?"
)
_ROUND = re.compile(r"\bround\s{1,8}(\d{1,12})\b")


class Entry(NamedTuple):
    """time: when it was written, or the line before it. cut: bytes of the line that are not shown.

    tail: the lines that belong to it. summary: what of them to show while they are folded.
    until: the time of the last repeat.
    """

    place: Place
    time: int
    timed: bool
    stream: str
    level: str
    text: str
    cut: int
    tail: tuple[str, ...]
    summary: str
    repeats: int
    until: int
    hit: bool
    hint: Hint | None

    @property
    def round(self) -> int | None:
        """The round of which it tells."""
        found = _ROUND.search(self.text)
        return int(found[1]) if found else None


def entry_of(group: Group, place: Place) -> Entry:
    parsed, number = group.parsed, group.entry
    start, end = parsed.bounds(number)
    level = LEVELS[int(parsed.scan.levels[number])]
    head_end = parsed.data.find(b"\n", start, end)
    head_end = end if head_end < 0 else head_end
    text, cut = _line(parsed.data, start, head_end)
    found = _HEAD.match(text)
    timed = bool(parsed.scan.stamps[number])
    if timed and found:
        text = text[found.end() :]
    tail = _tail(parsed.data, head_end + 1, end)
    hint = hint_for("\n".join((text, *tail[-3:]))) if level in ("warning", "error") else None
    return Entry(
        place,
        group.key[0],
        timed,
        place.stream,
        level,
        _without_own_name(text, place.stream),
        cut,
        tail,
        _summary(tail),
        group.repeats,
        group.until,
        group.hit,
        hint,
    )


def raw_text(group: Group) -> str:
    """The whole entry as it is in the file, for the clipboard; bounded."""
    start, end = group.parsed.bounds(group.entry)
    data = group.parsed.data[start : min(end, start + MAX_COPY)]
    return data.decode("utf-8", "replace").rstrip()


def _line(data: bytes, start: int, end: int) -> tuple[str, int]:
    text = data[start : min(end, start + 4 * MAX_LINE)].decode("utf-8", "replace").rstrip("\r")
    shown = text[:MAX_LINE]
    left = end - start - len(shown.encode("utf-8", "replace")) if len(text) > MAX_LINE else 0
    return shown, max(left, end - start - 4 * MAX_LINE, 0)


def _tail(data: bytes, start: int, end: int) -> tuple[str, ...]:
    out: list[str] = []
    while start < end and len(out) < MAX_TAIL:
        stop = data.find(b"\n", start, end)
        stop = end if stop < 0 else stop
        text, cut = _line(data, start, stop)
        out.append(text + (f" ... ({cut} bytes more)" if cut else ""))
        start = stop + 1
    while out and not out[-1].strip():
        out.pop()
    return tuple(out)


def _summary(tail: tuple[str, ...]) -> str:
    """The last line that is not indented: of a traceback, the error itself."""
    for line in reversed(tail):
        if line and not line[0].isspace():
            return line
    return tail[-1].strip() if tail else ""


def _without_own_name(text: str, stream: str) -> str:
    """`node: round 3` of the log `node` needs its name only once."""
    name = stream.rpartition("/")[2]
    return text.removeprefix(f"{name}: ").removeprefix("core.")
