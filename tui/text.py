"""Foreign text made safe for a terminal, cut to a width, and figures made readable.

Everything a peer, a model or a log wrote passes through `clean` before it is shown. Nothing here
knows of markup: callers put the result into `rich.text.Text`, never into a markup string.
"""

from __future__ import annotations

import math
import unicodedata

from rich.cells import cell_len, chop_cells, set_cell_size

UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that move the cursor, reorder the line, hide, or have no known width."""
MARKS, MAX_MARKS = {"Mn", "Me"}, 2
"""Accents on one letter, at most. More of them reach into the rows above and below."""


def clean(text: object, limit: int = 2000, ascii_only: bool = False) -> str:
    """`text` on one line, control and format characters spelled out, at most `limit` characters.

    A line break becomes a space; an escape becomes `\\x1b`, a bidirectional override `\\u202e`.
    Of many accents on a letter the first two are kept. With `ascii_only`, what is not ASCII is
    spelled out as well.
    """
    raw = str(text)
    out, marks = [], 0
    for char in raw[:limit]:
        if " " <= char <= "~":
            out.append(char)
        elif char in "\r\n\t":
            out.append(" ")
        else:
            kind = unicodedata.category(char)
            if kind in MARKS:
                marks += 1
                if marks > MAX_MARKS:
                    continue
            if kind in UNSAFE or ascii_only:
                out.append(spell(char))
            else:
                out.append(" " if char.isspace() else char)
            if kind in MARKS:
                continue
        marks = 0
    if len(raw) > limit:
        out.append("..." if ascii_only else "…")
    return "".join(out)


def clean_lines(text: object, limit: int = 20_000, ascii_only: bool = False) -> list[str]:
    """`clean` line by line, for texts that may keep their line breaks."""
    lines = str(text)[:limit].replace("\r\n", "\n").split("\n")
    return [clean(line, limit, ascii_only) for line in lines]


def spell(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def fit(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` cells; what was cut off is shown by an ellipsis."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    if room <= 0:
        return ellipsis[:width]
    return set_cell_size(text, room).rstrip() + ellipsis


def capital(text: str) -> str:
    """`text` with a capital first letter; unlike `capitalize` it leaves the others as they are."""
    return text[:1].upper() + text[1:]


def column(text: str, width: int, ellipsis: str = "…", right: bool = False) -> str:
    """`text` in exactly `width` cells, padded or cut."""
    fitted = fit(text, width, ellipsis)
    pad = " " * (width - cell_len(fitted))
    return pad + fitted if right else fitted + pad


def wrap(text: str, width: int) -> list[str]:
    """`text` in rows of at most `width` cells, broken between words where that is possible.

    Unlike `textwrap` it counts cells: a row of wide characters is no longer than any other.
    """
    rows, row = [], ""
    for place, word in enumerate(text.split(" ")):
        longer = f"{row} {word}" if place else word
        if cell_len(longer) <= width:
            row = longer
            continue
        if row.strip():
            rows.append(row.rstrip())
        *full, row = chop_cells(word, max(2, width)) or [""]
        rows += full
    return [*rows, row.rstrip()]


def middle(text: str, width: int, ellipsis: str = "…") -> str:
    """An address or peer id shortened in the middle, where it carries least."""
    if cell_len(text) <= width:
        return text
    room = max(0, width - cell_len(ellipsis))
    head, tail = (room + 1) // 2, room // 2
    return text[:head] + ellipsis + (text[-tail:] if tail else "")


def number(value: float | None, digits: int = 3) -> str:
    """A figure of a training run: few digits, never a wall of zeros. `-` when there is none."""
    if value is None:
        return "-"
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:.{digits}f}"
    return f"{value:.1e}"


def count(value: float) -> str:
    """1234567 -> `1.2 M`; small figures keep their digits."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.1f} {unit}"
    return f"{value:.0f}"


def whole(value: float) -> int:
    """Rounded down, never negative, and 0 for what is no number: of clocks that are not ours."""
    return max(0, int(value)) if math.isfinite(value) else 0


def nearest(value: float) -> int:
    """As `whole`, rounded to the nearest."""
    return max(0, round(value)) if math.isfinite(value) else 0


def duration(seconds: float) -> str:
    """`8 s`, `2:05`, `3 h 04 m`, `5 d 2 h`; never negative."""
    if not math.isfinite(seconds):
        return "-"
    total = max(0, round(seconds))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60}:{total % 60:02d}"
    if total < 86_400:
        return f"{total // 3600} h {total % 3600 // 60:02d} m"
    return f"{total // 86_400} d {total % 86_400 // 3600} h"


def mebibytes(value: float) -> str:
    """Memory from MiB: `812 MiB`, `4.1 GiB`."""
    return f"{value:.0f} MiB" if value < 1024 else f"{value / 1024:.1f} GiB"
