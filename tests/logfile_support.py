"""Log files for tests, and the plain way to read them: what the index must agree with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.home import Home
from core.logfiles.index import LogIndex
from core.logfiles.pages import Filter, Group, Pages, Spot
from core.logfiles.search import Search
from core.logfiles.stream import logs_of

STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d),(\d{3})")


def line(second: float, level: str, text: str) -> str:
    """A line of node.log on 2026-11-25, so many seconds after ten o'clock."""
    whole = round(second * 1000)
    clock = f"{10 + whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}"
    return f"2026-11-25 {clock},{whole % 1000:03d} {level:7s} node: {text}\n"


@dataclass(frozen=True)
class Plain:
    """An entry as a simple reader finds it. `text` holds the lines that belong to it as well."""

    time: int
    stream: str
    text: str


def entries_of(text: str, stream: str) -> list[Plain]:
    """Of a file that begins with a time."""
    out: list[Plain] = []
    latest = 0
    for each in text.splitlines(keepends=True):
        found = STAMP.match(each)
        if found:
            latest = max(latest, int("".join(found.groups())))
            out.append(Plain(latest, stream, each))
        else:
            out[-1] = Plain(out[-1].time, stream, out[-1].text + each)
    return out


def merged_of(files: dict[str, str]) -> list[str]:
    """The entries of all logs in time order; the name decides between equal times."""
    found = [entry for name in sorted(files) for entry in entries_of(files[name], name)]
    return [entry.text for entry in sorted(found, key=lambda entry: entry.time)]


def write_logs(home: Home, files: dict[str, str]) -> None:
    home.logs.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (home.logs / f"{name}.log").write_text(text, encoding="utf-8")


def text_of(group: Group) -> str:
    start, end = group.parsed.bounds(group.entry)
    return group.parsed.data[start:end].decode("utf-8", "replace")


def forwards(pages: Pages) -> list[Group]:
    return _walk(pages, pages.first(), pages.after)


def backwards(pages: Pages) -> list[Group]:
    return _walk(pages, pages.last(), pages.before)


def _walk(pages: Pages, spot: Spot | None, step: object) -> list[Group]:
    out = []
    while spot is not None:
        group = pages.group(spot)
        assert group is not None
        out.append(group)
        spot = step(spot)  # type: ignore[operator]
    return out


class Opened:
    """All logs of a home, indexed, without a thread for the index. Close it."""

    def __init__(self, home: Home | Path) -> None:
        self.home = home if isinstance(home, Home) else Home(home)
        self.index = LogIndex(lambda: logs_of(self.home))
        self.search = Search(lambda: None)
        self.pages = Pages(self.search)
        self.pages.timeline = self.index.read_all()

    def look_again(self) -> bool:
        changed = self.index.look_again()
        self.pages.timeline = self.index.timeline
        return changed

    def narrow(self, wanted: Filter) -> None:
        self.pages.filter = wanted
        self.search.ask(wanted.searched, self.pages.timeline)

    def texts(self) -> list[str]:
        return [text_of(group) for group in forwards(self.pages)]

    def close(self) -> None:
        self.search.close()
        self.index.close_files()
