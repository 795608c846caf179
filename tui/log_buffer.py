"""The newest log lines of this console, numbered, bounded. Fed on the tick, read by log views."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from itertools import islice

from core import events

MAX_LINES = 20_000


@dataclass(frozen=True)
class Entry:
    """One line as it came: unescaped, unwrapped. `time` is Unix seconds."""

    time: float
    level: str
    source: str
    text: str

    @property
    def clock(self) -> str:
        return time.strftime("%H:%M:%S", time.localtime(self.time))


class LogBuffer:
    """`total` counts every line ever added; the last MAX_LINES are kept."""

    def __init__(self) -> None:
        self._lines: deque[Entry] = deque(maxlen=MAX_LINES)
        self.total = 0

    def add(self, event: events.LogLine) -> None:
        self._lines.append(Entry(event.time, event.level, event.source, event.text))
        self.total += 1

    def since(self, seen: int) -> list[Entry]:
        """The lines after the first `seen` ones, as far as they are kept."""
        new = min(self.total - seen, len(self._lines))
        return list(islice(self._lines, len(self._lines) - new, None)) if new > 0 else []
