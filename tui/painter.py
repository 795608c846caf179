"""Says to the terminal only what differs from what it shows already.

Textual repaints whole widgets: an update that changes one cell of an 80x20 pane costs 5 KB, and so
does one that changes none (consoles.md §4, pitfall 8). `Painter` keeps a copy of what the terminal
shows, cell by cell, and turns Textual's updates into the shortest sequence that makes up the
difference. It knows nothing of when to draw (`tui.link`).

Where terminals disagree about the width of a character (emoji, combining marks), the cursor is
placed anew behind it, so that a row is never shifted by a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rich.cells import cell_len, split_graphemes
from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.color import Color
from textual.strip import Strip

from tui.palette import contrast

CONTINUED = ""
"""Holds the further cells of what is wider than one."""
UNKNOWN = "\0"
"""A cell that was never written: equal to nothing that is drawn."""
GAP = 4
"""So many unchanged cells between two changed ones are written again: moving costs as much."""
MAX_LOOKS = 4096
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Never written, whoever let it in (a paste, a widget of Textual's): it would steer the terminal or
turn the row around. Rich takes it to have no width."""
STANDS_OUT = 1.15
"""Contrast between two backgrounds that says: this one is chosen."""

Placed = tuple[int, int, Strip]
"""Row, column, and what is drawn from there."""


class Painter:
    """A copy of one terminal. Used from the screen's thread."""

    def __init__(self) -> None:
        self._size = (0, 0)
        self._chars: list[list[str]] = []
        self._looks: list[list[str]] = []
        self._plain: Color | None = None
        self._sgr: dict[Style | None, str] = {}

    def forget(self) -> None:
        """Nothing is known of what the terminal shows: the next update is written in full."""
        self._size = (0, 0)

    def paint(
        self,
        update: CompositorUpdate,
        size: tuple[int, int],
        colors: ColorSystem,
        plain: Color | None = None,
    ) -> str:
        """What to write; empty when the terminal shows all of it already.

        size: columns and rows of the terminal now; another one than before forgets everything.
        plain: send no colours (NO_COLOR). What stands out of this background is reversed then.
        """
        if plain != self._plain:
            self._plain = plain
            self._sgr.clear()
        if size != self._size:
            columns, rows = self._size = size
            self._chars = [[UNKNOWN] * columns for _ in range(rows)]
            self._looks = [[UNKNOWN] * columns for _ in range(rows)]
        out = _Writer()
        for y, x, strip in pieces(update):
            if 0 <= y < size[1] and x < size[0]:
                self._row(out, y, x, strip, colors)
        return out.text()

    def _row(self, out: _Writer, y: int, x: int, strip: Strip, colors: ColorSystem) -> None:
        chars, looks = self._cells(strip, colors)
        room = self._size[0] - x
        if len(chars) > room:
            chars, looks = chars[:room], looks[:room]
        end = x + len(chars)
        row, row_looks = self._chars[y], self._looks[y]
        old, old_looks = row[x:end], row_looks[x:end]
        if old == chars and old_looks == looks:
            return
        for start, stop in _runs(chars, looks, old, old_looks):
            out.move(y, x + start)
            for at in range(start, stop):
                out.put(chars[at], looks[at], stop - at)
        row[x:end], row_looks[x:end] = chars, looks

    def _cells(self, strip: Strip, colors: ColorSystem) -> tuple[list[str], list[str]]:
        """The strip cell by cell: characters, and how they look as an SGR sequence's numbers."""
        chars: list[str] = []
        looks: list[str] = []
        for text, style, control in strip:
            if control or not text:
                continue
            if not text.isprintable():
                text = CONTROL.sub("", text)
            look = self._look(style, colors)
            before = len(chars)
            if text.isascii():
                chars.extend(text)
            else:
                marks = next((n for n, char in enumerate(text) if cell_len(char)), len(text))
                # An accent in another style than its letter: the letter's cell has both.
                at = next((at for at in reversed(range(before)) if chars[at] != CONTINUED), None)
                if marks and at is not None:
                    chars[at] += text[:marks]
                for part in units(text[marks:]):
                    chars.append(part)
                    chars.extend([CONTINUED] * (cell_len(part) - 1))
            looks.extend([look] * (len(chars) - before))
        return chars, looks

    def _look(self, style: Style | None, colors: ColorSystem) -> str:
        look = self._sgr.get(style)
        if look is None:
            if len(self._sgr) >= MAX_LOOKS:
                self._sgr.clear()
            codes = self._codes(style, colors) if style is not None else ""
            look = self._sgr[style] = f"0;{codes}" if codes else "0"
        return look

    def _codes(self, style: Style, colors: ColorSystem) -> str:
        if self._plain is None:
            return style._make_ansi_codes(colors)
        back = style.bgcolor
        if back is not None and back.triplet is not None:
            stands_out = contrast(Color(*back.triplet), self._plain) > STANDS_OUT
            style = style.without_color + Style(reverse=stands_out or None)
        return style.without_color._make_ansi_codes(colors)


class _Writer:
    """Collects a sequence: moves and colours only where they change."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._look = ""

    def move(self, y: int, x: int) -> None:
        self._out.append(f"\x1b[{y + 1};{x + 1}H")
        self._y, self._x = y, x

    def put(self, char: str, look: str, room: int) -> None:
        """One cell. room: cells left in this run, this one included."""
        self._x += 1
        if char == CONTINUED:
            return
        if look != self._look:
            self._out.append(f"\x1b[{look}m")
            self._look = look
        self._out.append(char)
        if not char.isascii() and (width := cell_len(char)) != 1 and width < room:
            self._out.append(f"\x1b[{self._y + 1};{self._x + width}H")

    def text(self) -> str:
        return "".join([*self._out, "\x1b[0m"]) if self._out else ""


def pieces(update: CompositorUpdate) -> Iterator[Placed]:
    """What an update of Textual's draws, and where."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                yield y, x, strip
                x += strip.cell_length
    elif isinstance(update, ChopsUpdate):
        for y, first, last in update.spans:
            ends = update.chop_ends[y]
            for end, (x, piece) in zip(ends, update.chops[y].items(), strict=False):
                if piece is not None and x <= last and end > first:
                    yield y, x, piece if end <= last else piece.crop(0, last - x)


@lru_cache(4096)
def units(text: str) -> tuple[str, ...]:
    """`text` in parts that can be placed each on its own, none of them without a width.

    Graphemes, as long as their widths add up to that of the whole; else the whole is one part.
    """
    spans, total = split_graphemes(text)
    parts = tuple(text[start:end] for start, end, _ in spans)
    if total != cell_len(text) or any(
        cell_len(part) != span[2] or not span[2] for part, span in zip(parts, spans, strict=True)
    ):
        return (text,) if cell_len(text) else ()
    return parts


def _runs(
    chars: list[str], looks: list[str], old: list[str], old_looks: list[str]
) -> Iterator[tuple[int, int]]:
    """Spans to write again, first cell included and last excluded; never half of a wide one."""
    changed = [at for at in range(len(chars)) if chars[at] != old[at] or looks[at] != old_looks[at]]
    start = stop = -1
    for at in changed:
        if at < stop:
            continue
        if start >= 0 and at - stop > GAP:
            yield start, stop
            start = -1
        if start < 0:
            start = at
            while start > 0 and chars[start] == CONTINUED:
                start -= 1
        stop = at + 1
        while stop < len(chars) and chars[stop] == CONTINUED:
            stop += 1
    if start >= 0:
        yield start, stop
