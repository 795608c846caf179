"""What every drawing needs: the pen, an empty line, rows kept within a width, a note. Pure.

What is drawn with them is in `draw_dashboard.py`, `draw_panes.py` and the `draw_*.py` of the pages.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from tui.glyphs import Glyphs
from tui.palette import Palette
from tui.text import clean, column, fit


@dataclass(frozen=True)
class Pen:
    """How things are drawn: signs and colours."""

    glyphs: Glyphs
    palette: Palette

    def safe(self, text: object, limit: int = 500) -> str:
        return clean(text, limit, self.glyphs.ascii)

    def fit(self, text: str, width: int) -> str:
        return fit(text, width, self.glyphs.ellipsis)

    def column(self, text: str, width: int, right: bool = False) -> str:
        return column(text, width, self.glyphs.ellipsis, right)


def line() -> Text:
    return Text(no_wrap=True, overflow="crop", end="")


def bounded(text: Text, width: int, pen: Pen) -> Text:
    """Every row within `width`; a row that is too long ends in an ellipsis."""
    rows = text.split("\n", allow_blank=True)
    cut = pen.glyphs.ellipsis
    for row in rows:
        if cell_len(row.plain) > width:
            row.truncate(max(0, width - len(cut)))
            row.append(cut[:width])
    out = Text("\n", no_wrap=True, end="").join(rows)
    out.no_wrap, out.overflow, out.end = True, "crop", ""
    return out


def note(sentence: str, width: int, pen: Pen) -> Text:
    """A sentence where there is nothing to list; wrapped to `width`."""
    rows = textwrap.wrap(pen.safe(sentence), max(width, 8))
    text = line()
    text.append("\n".join(rows), pen.palette.muted)  # a Text's own style is lost without any span
    return text
