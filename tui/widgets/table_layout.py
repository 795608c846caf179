"""A table's columns laid out in a width, and its cells made safe to stand side by side. Pure.

Texts come in clean (`tui.text.clean`). What is left to do here: cutting to the width in cells, and
keeping a right-to-left text from drawing the figures beside it into its own order.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

Cell = tuple[str, str]
"""Clean text and a rich style, which may be empty."""

LEFT_TO_RIGHT = "\u200e"
"""The mark that ends a right-to-left run. It has no width."""


@dataclass(frozen=True)
class Column:
    """width: cells at least; most: when there is room, 0 for no more. fixed: stays in sight when
    the others are moved sideways. falling: sorted largest first, when it is sorted first."""

    key: str
    title: str
    width: int
    most: int = 0
    right: bool = False
    fixed: bool = False
    falling: bool = False
    sorts: bool = True


@dataclass(frozen=True)
class Layout:
    """Positions of the columns in sight, each with its width; more: columns out of sight, left and
    right."""

    columns: tuple[tuple[int, int], ...]
    more: tuple[int, int] = (0, 0)


def layout(columns: Sequence[Column], width: int, first: int = 0) -> Layout:
    """As many columns as fit, whole; the fixed ones, then the others from number `first` on."""
    fixed = [n for n, column in enumerate(columns) if column.fixed]
    others = [n for n, column in enumerate(columns) if not column.fixed]
    first = max(0, min(first, len(others) - 1))
    kept = list(fixed)
    left = width - sum(columns[n].width + 1 for n in fixed) + 1
    for n in others[first:]:
        left -= columns[n].width + 1
        if left < 0 and kept:
            left += columns[n].width + 1
            break
        kept.append(n)
    widths = {n: columns[n].width for n in kept}
    for n in sorted(kept, key=lambda n: not columns[n].fixed):
        grown = max(0, min(left, columns[n].most - columns[n].width))
        widths[n] += grown
        left -= grown
    hidden = len(columns) - len(kept) - first
    return Layout(tuple((n, widths[n]) for n in kept), (first, hidden))


def isolated(text: str) -> str:
    """The text, its direction closed."""
    if text.isascii():
        return text
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text):
        return text + LEFT_TO_RIGHT
    return text
