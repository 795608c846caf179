"""The signs the console draws with: Unicode, what the Linux console has, and plain ASCII.

Meaning is carried by a sign and a word, never by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


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
LINUX = replace(
    UNICODE,
    ok="•",
    full="═",
    ellipsis="...",
    chosen="(x)",
    unchosen="( )",
    star="*",
    done="√",
)
"""The text console of Linux draws with a font of 256 signs: those of code page 437 are in it."""
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


PLAIN = ("vt", "ansi", "dumb", "sun", "wyse")
"""How the names of terminals begin that have letters and little else."""


def glyphs(ascii_only: bool, terminal: str = "") -> Glyphs:
    """terminal: as TERM names it; empty when nothing is known of it."""
    if ascii_only or terminal.startswith(PLAIN):
        return ASCII
    return LINUX if terminal == "linux" else UNICODE
