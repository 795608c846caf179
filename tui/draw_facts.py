"""Facts as lines: a name, and what there is to say, wrapped beside it. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.text import Text

from tui.draw import Pen, bounded, line

LEAD = 15


@dataclass(frozen=True)
class Fact:
    """name: "" goes on with the fact before. level: of a health level, or of a submission; it is
    told by the words as well. whole: never wrapped at a space, for what is copied by a mouse."""

    name: str
    text: str
    level: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Heading:
    text: str


Line = Fact | Heading


def facts(view: tuple[Line, ...], width: int, pen: Pen) -> Text:
    text = line()
    for number, each in enumerate(view):
        if isinstance(each, Heading):
            gap = "\n" if number else ""
            text.append(
                f"{gap}{pen.fit(pen.safe(each.text), width)}\n", f"bold {pen.palette.accent}"
            )
        else:
            _fact(text, each, width, pen)
    return bounded(text, width, pen)


def _fact(text: Text, fact: Fact, width: int, pen: Pen) -> None:
    room = max(12, width - LEAD)
    words = pen.safe(fact.text, 2000)
    rows = [words[at : at + room] for at in range(0, len(words), room)] if fact.whole else []
    rows = rows or textwrap.wrap(words, room, break_on_hyphens=False) or [""]
    for number, row in enumerate(rows):
        name = pen.safe(fact.name, 40) if number == 0 else ""
        text.append(pen.column(name, LEAD - 1) + " ", pen.palette.label)
        text.append(row + "\n", pen.palette.level(fact.level))
