"""Draws settings: the head of the screen and what is said of the chosen one. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.text import Text

from core.texts import _
from tui.derive_settings import Row, standing
from tui.draw import Pen, bounded, line

ROWS = 8
"""Of what is said about the chosen setting; as in app.tcss."""
MAX_SAID = 3


@dataclass(frozen=True)
class Head:
    """profile: of this start. path: the file that is written. waiting: changes that the node has
    not taken yet."""

    profile: str
    path: str
    shown: int
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
    text.append(" " + _("Settings"), f"bold {pen.palette.accent}")
    dot = f" {pen.glyphs.dot} "
    text.append(
        "  " + _("profile {profile}").format(profile=pen.safe(view.profile, 40)), pen.palette.label
    )
    if view.waiting:
        text.append(dot, pen.palette.label)
        text.append(_("{n} at restart").format(n=view.waiting), pen.palette.warn)
    if view.search or view.changed_only:
        told = _("{n} found with {text!r}") if view.search else _("{n} found")
        told = told.format(n=view.shown, text=pen.safe(view.search, 40))
        if view.changed_only:
            told = _("{found}, those that are set").format(found=told)
    else:
        told = pen.safe(view.path)
    text.append(dot + told, pen.palette.label)
    return bounded(text, width, pen)


def about_text(view: About, width: int, pen: Pen) -> Text:
    """Meaning, kind, origin, and what a change would do; last what was done. At most ROWS rows: of
    those the meaning gives way."""
    said = _said(view, width, pen)
    text = line()
    if view.row is None:
        text.append(" " + _("No setting has all these words.") + "\n", pen.palette.muted)
    else:
        _row(text, view.row, width, ROWS - len(said), pen)
    text.append("\n".join(said), pen.palette.level(view.level))
    return bounded(text, width, pen)


def _said(view: About, width: int, pen: Pen) -> list[str]:
    if not view.said:
        return []
    sign = pen.glyphs.warn if view.level else pen.glyphs.done
    rows = textwrap.wrap(f"{sign} {pen.safe(view.said, 600)}", max(16, width - 2))
    return [f" {row}" for row in rows[:MAX_SAID]]


def _row(text: Text, row: Row, width: int, rows: int, pen: Pen) -> None:
    kind = f"{row.kind}: {', '.join(row.choices)}" if row.choices else row.kind
    text.append(f" {pen.fit(row.key, 40)}", f"bold {pen.palette.accent}")
    text.append(f"  {pen.fit(kind, width - len(row.key) - 4)}\n", pen.palette.label)
    stands = standing(row)
    doc = textwrap.wrap(pen.safe(row.doc), max(16, width - 2))
    room = max(1, rows - 2 - len(stands))
    if len(doc) > room:
        doc = [*doc[: room - 1], pen.fit(" ".join(doc[room - 1 :]), width - 2)]
    for each in doc:
        text.append(f" {each}\n")
    where = (
        row.origin
        if row.layer == "default"
        else _("{origin}; default {default}").format(origin=row.origin, default=row.default)
    )
    text.append(" " + _("value") + "  ", pen.palette.label)
    text.append(pen.fit(pen.safe(f"{row.shown}  ({where})"), width - 9) + "\n")
    for level, told in stands:
        sign = f"{pen.glyphs.warn} " if level else ""
        style = pen.palette.level(level) if level else pen.palette.label
        text.append(f" {pen.fit(pen.safe(sign + told), width - 2)}\n", style)
