"""What the charts screen says above and below the charts. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from core.texts import _
from tui.charting.look import Look
from tui.charting.scale import position
from tui.charting.window import Extent
from tui.draw import Pen, bounded, line


@dataclass(frozen=True)
class Head:
    """first, last: charts in sight, of `many`; all: without the filter.

    span: positions in sight, of `whole`. runs: compared with. problem: of the filter.
    """

    look: Look
    first: int
    last: int
    many: int
    all: int
    span: Extent
    whole: Extent
    runs: tuple[str, ...] = ()
    problem: str = ""


def head(view: Head, width: int, pen: Pen) -> Text:
    """One row; what changes what is seen comes first."""
    look = view.look
    parts = []
    if look.filter:
        parts.append(
            _("filter {filter}: {n} of {all}").format(
                filter=pen.safe(look.filter, 40), n=view.many, all=view.all
            )
        )
    if view.problem:
        parts.append(pen.safe(view.problem, 80))
    if view.many:
        here = (
            f"{view.first}-{view.last}"
            if view.last > view.first
            else _("chart {n}").format(n=view.first)
        )
        if not look.filter:
            parts.append(_("{here} of {all}").format(here=here, all=view.many))
        elif view.last - view.first + 1 < view.many:
            parts.append(here)
        parts.append(window(view))
    if look.weight:
        parts.append(_("smoothing {weight:g}").format(weight=look.weight))
    if look.log:
        parts.append(_("log", "a scale"))
    if look.clip:
        parts.append(_("without outliers"))
    if look.relative != bool(view.runs):
        parts.append(_("from the start of the run") if look.relative else _("as the swarm counts"))
    if view.runs:
        parts.append(_("with {runs}").format(runs=", ".join(pen.safe(r, 40) for r in view.runs)))
    text = line()
    text.append(" " + _("Charts") + " ", f"bold {pen.palette.accent}")
    between = f" {pen.glyphs.dot} "
    body = between.join(parts)
    text.append(" " + pen.fit(body, width - cell_len(text.plain) - 2), pen.palette.label)
    return text


def window(view: Head) -> str:
    first, last = view.span
    plus = "+" if view.look.relative else ""
    told = _("rounds {first} to {last}").format(
        first=plus + position(first), last=plus + position(last)
    )
    if view.look.window.whole:
        return told
    share = 100 * (last - first) / max(view.whole[1] - view.whole[0], 1.0)
    if view.look.window.follows:
        return f"{told} ({share:.0f} %)"
    return _("{rounds} ({share:.0f} %, standing still)").format(rounds=told, share=share)


@dataclass(frozen=True)
class Foot:
    """hint: `second` gives way to what does not fit of `first`."""

    first: str = ""
    second: str = ""
    hint: bool = True

    def __str__(self) -> str:
        return self.first if self.hint else f"{self.first}\n{self.second}"


def foot(view: Foot, width: int, pen: Pen) -> Text:
    """Two rows: what is read at the cursor, and what more there is to say, or the rest of it."""
    first, second = pen.safe(view.first, 2000), pen.safe(view.second, 2000)
    if view.hint and cell_len(first) > width - 2:
        first, second = split(first, width - 2)
    text = line()
    text.append(" " + pen.fit(first, width - 2))
    text.append("\n")
    text.append(" " + pen.fit(second, width - 2), pen.palette.label)
    return bounded(text, width, pen)


def split(text: str, width: int) -> tuple[str, str]:
    """In two: between the lines of a reading where that fits, else between words."""
    parts = text.split("  ")
    for many in range(len(parts) - 1, 0, -1):
        if cell_len(lead := "  ".join(parts[:many])) <= width:
            return lead, "  ".join(parts[many:])
    lead, *rest = textwrap.wrap(text, max(width, 1)) or [""]
    return lead, " ".join(rest)
