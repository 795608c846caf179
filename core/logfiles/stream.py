"""The files of one log, rotated ones included, as one stream; and which logs a node has.

Follows renames by inode: what was node.log goes on under its old content when it becomes
node.log.1. Files that were deleted go, the oldest first, as rotation means them to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from core.home import Home
from core.logfiles.segment import Segment

MAX_STREAMS = 64
MAX_FILES = 32
"""Of one stream."""
_NAME = re.compile(r"(.{1,80})\.log(?:\.(\d{1,4}))?")


def logs_of(home: Home) -> dict[str, list[Path]]:
    """The files of every log of a node and of the further nodes on its machine, oldest first.

    Keys are names for a person: `node`, `net`; `2/node` for the second node of the machine.
    """
    found: dict[str, dict[int, Path]] = {}
    for lead, folder in _folders(home):
        for path in _listed(folder):
            match = _NAME.fullmatch(path.name)
            if match and (len(found) < MAX_STREAMS or lead + match[1] in found):
                found.setdefault(lead + match[1], {})[int(match[2] or 0)] = path
    return {
        name: [files[number] for number in sorted(files, reverse=True)[-MAX_FILES:]]
        for name, files in found.items()
    }


def _folders(home: Home) -> Iterator[tuple[str, Path]]:
    yield "", home.logs
    others = [path for path in _listed(home.path / "nodes") if path.name.isdecimal()]
    for path in sorted(others, key=lambda path: int(path.name)):
        yield f"{path.name}/", Home(path).logs


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


class Stream:
    """Segments, oldest first. One thread changes it."""

    def __init__(self, name: str, paths: list[Path], at_once: bool = False) -> None:
        self.name = name
        self.segments: list[Segment] = []
        self._numbers = 0
        self.update(paths, at_once)

    def update(self, paths: list[Path], at_once: bool = True) -> bool:
        """Take the present files, oldest first; whether they are others than before.

        at_once: new files are new, and indexed from their start; otherwise from their end.
        """
        known = {segment.identity: segment for segment in self.segments}
        now: list[Segment] = []
        for path in paths:
            try:
                found = path.stat()
                segment = known.pop((found.st_dev, found.st_ino), None)
                segment = segment or self._opened(path, at_once)
            except OSError:
                continue  # it was renamed or deleted since it was listed, or is not ours to read
            segment.path = path
            now.append(segment)
        for gone in known.values():
            gone.close()
        changed = now != self.segments
        self.segments = now
        return changed

    def _opened(self, path: Path, at_once: bool) -> Segment:
        self._numbers += 1
        segment = Segment(path, self._numbers)
        if at_once:
            segment.low = segment.high = 0
        return segment

    def incomplete(self) -> Segment | None:
        """The newest segment whose start is not indexed yet."""
        return next((each for each in reversed(self.segments) if each.low > 0), None)

    def grow(self) -> bool:
        """Index what was added to any of the files; whether something was.

        A file that was written anew takes the place of what it was.
        """
        changed = False
        for position, segment in enumerate(self.segments):
            changed = segment.grow() or changed
            if segment.rewritten:
                segment.close()
                try:
                    self.segments[position] = self._opened(segment.path, at_once=True)
                except OSError:
                    continue  # it is gone, too: the next look at the folder will say so
                self.segments[position].grow()
        return changed

    def close(self) -> None:
        for segment in self.segments:
            segment.close()
