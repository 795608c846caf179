"""What the log screen shows at one moment: handed from the desk's thread to the screen's."""

from __future__ import annotations

from dataclasses import dataclass

from core.logfiles.pages import Filter
from tui.screens.logs.rows import Row


@dataclass(frozen=True)
class Frame:
    """What the screen draws. indexed, searched: shares, 0 to 1."""

    rows: tuple[Row, ...] = ()
    stream_cells: int = 0
    filter: Filter = Filter()
    streams: tuple[str, ...] = ()
    lines: int = 0
    size_bytes: int = 0
    indexed: float = 0.0
    matches: int = 0
    searched: float = 0.0
    problem: str = ""
    following: bool = True
    behind: int = 0
    waiting: bool = False
    where: str = ""
    file: str = ""
    round: int | None = None
    said: str = ""
