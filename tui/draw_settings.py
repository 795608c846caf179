"""Draws settings: the head of the screen and what is said of the chosen one. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.text import Text

from tui.derive_settings import Row, standing
from tui.draw import Pen, bounded, line

LABEL = 9


@dataclass(frozen=True)
class Head:
    """profile: of this start. path: the file that is written. waiting: changes that the node has
    not taken yet."""

    profile: str
    path: str
    shown: int
    total: int
    search: str
    changed_only: bool
    waiting: int


@dataclass(frozen=True)
class About:
    """row: the chosen setting. said: what came of the last thing that was done, and its level."""

    row: Row | None
    said: str = ""
    level: str = ""


def head_text(view: Head, width: int, pen: Pen) -> Text:
    text = line()
    text.append(" Settings", f"bold {pen.palette.accent}")
    told = f"  profile {pen.safe(view.profile, 40)} {pen.glyphs.dot} "
    if view.search or view.changed_only:
        told += f"{view.shown} of {view.total}"
        told += f" with {pen.safe(view.search, 40)!r}" if view.search else ""
        told += ", those that are set" if view.changed_only else ""
    else:
        told += f"{view.total} settings"
    text.append(told, pen.palette.label)
    if view.waiting:
        text.append(f" {pen.glyphs.dot} ", pen.palette.label)
        many = "change waits" if view.waiting == 1 else "changes wait"
        text.append(f"{view.waiting} {many} for a restart", pen.palette.warn)
    return bounded(text, width, pen)


def about_text(view: About, width: int, pen: Pen) -> Text:
    """Meaning, kind, origin, and what a change would do; the last row is what was done."""
    text = line()
    if view.row is None:
        text.append(" No setting has all these words.\n", pen.palette.muted)
    else:
        _row(text, view.row, width, pen)
    if view.said:
        sign = pen.glyphs.warn if view.level else pen.glyphs.done
        said = textwrap.wrap(f"{sign} {pen.safe(view.said, 600)}", max(16, width - 2))
        text.append("\n".join(f" {row}" for row in said[:3]), pen.palette.level(view.level))
    return bounded(text, width, pen)


def _row(text: Text, row: Row, width: int, pen: Pen) -> None:
    text.append(f" {pen.fit(row.key, 40)}", f"bold {pen.palette.accent}")
    text.append(f"  {pen.fit(row.kind, width - len(row.key) - 4)}\n", pen.palette.label)
    for doc in textwrap.wrap(pen.safe(row.doc), max(16, width - 2)):
        text.append(f" {doc}\n")
    value = f"{row.shown} (from {row.origin}; the default is {row.default})"
    _fact(text, "value", value, width, pen)
    if row.choices:
        _fact(text, "one of", ", ".join(row.choices), width, pen)
    for level, told in standing(row):
        sign = f"{pen.glyphs.warn} " if level else ""
        style = pen.palette.level(level) if level else pen.palette.label
        text.append(f" {pen.fit(pen.safe(sign + told), width - 2)}\n", style)


def _fact(text: Text, label: str, value: str, width: int, pen: Pen) -> None:
    text.append(f" {label:<{LABEL}}", pen.palette.label)
    text.append(pen.fit(pen.safe(value), width - LABEL - 2) + "\n")
