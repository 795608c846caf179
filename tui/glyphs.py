"""The two sets of signs the console draws with: Unicode, and plain ASCII for `--ascii`.

Meaning is carried by a sign and a word, never by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Glyphs:
    ascii: bool
    ok: str
    warn: str
    down: str
    busy: str
    full: str
    empty: str
    arrow: str
    dot: str
    ellipsis: str
    chosen: str
    unchosen: str
    star: str
    done: str
    enter: str
    up: str
    fall: str

    def status(self, level: str) -> str:
        """The sign of a health level or of a service's status."""
        return {
            "healthy": self.ok,
            "up": self.ok,
            "degraded": self.warn,
            "down": self.down,
        }.get(level, self.busy)


UNICODE = Glyphs(
    ascii=False,
    ok="●",
    warn="▲",
    down="■",
    busy="○",
    full="━",
    empty="─",
    arrow="→",
    dot="·",
    ellipsis="…",
    chosen="◉",
    unchosen="○",
    star="★",
    done="✓",
    enter="Enter",
    up="↑",
    fall="↓",
)
ASCII = Glyphs(
    ascii=True,
    ok="*",
    warn="!",
    down="X",
    busy="o",
    full="#",
    empty="-",
    arrow="->",
    dot="|",
    ellipsis="...",
    chosen="(x)",
    unchosen="( )",
    star="*",
    done="+",
    enter="Enter",
    up="^",
    fall="v",
)


def glyphs(ascii_only: bool) -> Glyphs:
    return ASCII if ascii_only else UNICODE
