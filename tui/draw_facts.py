"""Facts as lines: a name, and what there is to say, wrapped beside it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from tui.draw import Pen, bounded, line
from tui.text import wrap

LEAD = 15


@dataclass(frozen=True)
class Fact:
    """name: "" goes on with the fact before. level: of a health level, or of a submission; it is
    told by the words as well. whole: on a line of its own rather than wrapped, for a mouse to
    take."""

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
    if fact.whole and cell_len(words) > room:
        text.append(pen.fit(pen.safe(fact.name, 40), width) + "\n", pen.palette.label)
        for at in range(0, len(words), max(12, width - 2)):
            text.append(f"  {words[at : at + max(12, width - 2)]}\n", pen.palette.level(fact.level))
        return
    rows = wrap(words, room)
    for number, row in enumerate(rows):
        name = pen.safe(fact.name, 40) if number == 0 else ""
        text.append(pen.column(name, LEAD - 1) + " ", pen.palette.label)
        text.append(row + "\n", pen.palette.level(fact.level))
