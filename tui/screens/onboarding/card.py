"""A card of facts under the fields of a step: label and text, or a lone sentence that warns."""

from __future__ import annotations

import textwrap

from rich.text import Text

from tui.draw import Pen, line

LABEL = 12
Card = tuple[tuple[str, str], ...]
"""Rows of (label, text). A label of "!" makes the text a warning, one of "" a plain sentence: both
are wrapped; a text with a label is cut."""
WARN = "!"


def card_text(rows: Card, width: int, pen: Pen) -> Text:
    text = line()
    for position, (label, value) in enumerate(rows):
        text.append("\n" if position else "")
        if label in ("", WARN):
            told = f"{pen.glyphs.warn} {pen.safe(value)}" if label else pen.safe(value)
            style = pen.palette.warn if label else ""
            text.append("\n".join(_wrapped(told, max(width, 8))), style)
            continue
        text.append(f"{label:<{LABEL}} ", pen.palette.label)
        text.append(pen.fit(pen.safe(value), width - LABEL - 1))
    return text


def _wrapped(text: str, width: int) -> list[str]:
    """Rows; what is indented stays so in the rows that follow it."""
    indent = " " * (len(text) - len(text.lstrip(" ")))
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False) or [""]
