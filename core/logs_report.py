"""What `waggle logs` prints: the text twin of the log screen, from the same index."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import ConfigError, WaggleError
from core.home import Home
from core.journal import Journal
from core.log_hints import Hint
from core.logfiles.entry import Entry, entry_of
from core.logfiles.index import POLL_S, LogIndex
from core.logfiles.pages import Filter, Group, Pages
from core.logfiles.pattern import pattern
from core.logfiles.scan import LEVELS
from core.logfiles.search import Search
from core.logfiles.segment import stamp_of
from core.logfiles.stream import logs_of
from core.logfiles.when import when
from core.reports import clean

LINES = 50
NONE_YET = "No log has been written yet: the node has not run in this home."


@dataclass(frozen=True)
class Choice:
    """As given on the command line; lines: None for the usual number."""

    level: str = "debug"
    log: str = ""
    grep: str = ""
    since: str = ""
    lines: int | None = None
    follow: bool = False


def logs(home: Home, choice: Choice, as_json: bool) -> int:
    """Print them; 1 when there are none. ConfigError, StorageError, and WaggleError for a round
    or an expression that leads nowhere."""
    index = LogIndex(lambda: logs_of(home))
    search = Search(lambda: None)
    pages = Pages(search)
    printer = _Printer(pages, as_json)
    try:
        pages.timeline = index.read_all()
        if not pages.timeline.pages and not choice.follow:
            print(NONE_YET)
            return 1
        pages.filter = _filter(choice, pages.timeline.streams)
        start = _start(home, choice.since)
        most = choice.lines or (None if choice.since else LINES)
        for group in _chosen(pages, start, most):
            printer.show(group)
        if choice.follow:
            _follow(index, pages, printer)
        return 0
    finally:
        search.close()
        index.close_files()


def _filter(choice: Choice, streams: tuple[str, ...]) -> Filter:
    wanted = pattern(choice.grep)
    if wanted is not None and wanted.problem:
        raise ConfigError(f"--grep {choice.grep!r}", wanted.problem, "Put it right and try again")
    if choice.log and choice.log not in streams:
        names = ", ".join(streams) or "none yet"
        raise ConfigError(f"There is no log {choice.log!r}", "", f"There are: {names}")
    least = LEVELS.index(choice.level)
    return Filter(least, choice.log, wanted, only=wanted is not None, fold=False)


def _start(home: Home, since: str) -> int:
    """The stamp from which to print."""
    if not since:
        return 0
    asked = when(since, time.time())
    moment = asked.time
    if asked.round is not None:
        moment = Journal(home.db).time_of_round(asked.round)
        if moment is None:
            raise WaggleError(
                f"The journal has no round {asked.round}",
                "",
                "Give a time instead, like --since 2h",
            )
    return stamp_of(moment or 0.0)


def _chosen(pages: Pages, start: int, most: int | None) -> Iterator[Group]:
    """The last `most` entries from `start` on, oldest first."""
    timeline = pages.timeline
    first = timeline.page_at(start) if start else timeline.first
    if most is None:
        for page in range(first, timeline.pages):
            yield from (group for group in _groups(pages, page) if group.key[0] >= start)
        return
    kept: deque[list[Group]] = deque()
    count = 0
    for page in range(timeline.pages - 1, first - 1, -1):
        found = [group for group in _groups(pages, page) if group.key[0] >= start]
        kept.appendleft(found[max(0, len(found) - (most - count)) :])
        count += len(kept[0])
        if count >= most:
            break
    for groups in kept:
        yield from groups


def _groups(pages: Pages, page: int) -> list[Group]:
    found = pages.groups(page)
    if pages.problem:
        raise WaggleError("The search was given up", pages.problem, "Try a simpler expression")
    return found


def _follow(index: LogIndex, pages: Pages, printer: _Printer) -> None:
    """Print what is added, as whole entries, until somebody stops it."""
    seen = _ends(pages)
    while True:
        time.sleep(POLL_S)
        if not index.look_again():
            continue
        pages.timeline = index.timeline
        for group in _added(pages, seen):
            printer.show(group)
        seen = _ends(pages)


def _ends(pages: Pages) -> dict[str, tuple[int, int]]:
    """How far each log goes: number of its newest segment, bytes of it."""
    timeline = pages.timeline
    return {
        name: (parts[-1].segment.number, parts[-1].block.offset + parts[-1].block.size)
        for name, parts in zip(timeline.streams, timeline.parts, strict=True)
        if parts
    }


def _added(pages: Pages, seen: dict[str, tuple[int, int]]) -> list[Group]:
    """Entries that begin behind what was seen of their logs, in time order."""
    timeline = pages.timeline
    out: list[Group] = []
    for page in range(timeline.pages - 1, -1, -1):
        ends = [
            (timeline.streams[stream], timeline.parts[stream][number])
            for stream, number in timeline.parts_of(page)
        ]
        if not any(
            (part.segment.number, part.block.offset + part.block.size) > seen.get(name, (0, 0))
            for name, part in ends
        ):
            break
        places = [(pages.place(group), group) for group in _groups(pages, page)]
        out[:0] = [
            group
            for place, group in places
            if (place.segment, place.offset) >= seen.get(place.stream, (0, 0))
        ]
    return out


class _Printer:
    """Tells the cause of an error once for errors that follow one another."""

    def __init__(self, pages: Pages, as_json: bool) -> None:
        self._pages = pages
        self._as_json = as_json
        self._told: Hint | None = None

    def show(self, group: Group) -> None:
        entry = entry_of(group, self._pages.place(group))
        if self._as_json:
            print(json.dumps(_facts(entry)), flush=True)
            return
        for row in _rows(entry):
            print(row)
        if entry.hint is not None and entry.hint != self._told:
            print(f"    hint: {entry.hint.cause}: {entry.hint.next_step}")
        self._told = entry.hint
        sys.stdout.flush()


def _facts(entry: Entry) -> dict[str, object]:
    hint = entry.hint._asdict() if entry.hint else None
    return {
        "time": _moment(entry.time, "T"),
        "level": entry.level,
        "log": entry.stream,
        "round": entry.round,
        "text": entry.text,
        "more": list(entry.tail),
        "cut_bytes": entry.cut,
        "hint": hint,
    }


def _rows(entry: Entry) -> Iterator[str]:
    cut = f" ... ({entry.cut} bytes more)" if entry.cut else ""
    head = f"{_moment(entry.time, ' ')} {entry.level:7s} {clean(entry.stream)}: "
    yield head + clean(entry.text) + cut
    for line in entry.tail:
        yield f"    {clean(line)}"


def _moment(stamp: int, between: str) -> str:
    text = f"{stamp:017d}"
    day, clock = f"{text[:4]}-{text[4:6]}-{text[6:8]}", f"{text[8:10]}:{text[10:12]}:{text[12:14]}"
    return f"{day}{between}{clock}.{text[14:]}"
