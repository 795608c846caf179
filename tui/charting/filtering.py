"""Which charts a person wants to see: a regular expression over titles, groups and metric names.

The expression is a person's own, the names may be anybody's: matching has a deadline, because one
bad expression on one long name could stop the console for hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import regex

from core.texts import _
from tui.charting.catalogue import Chart

MAX_PATTERN = 200
DEADLINE_S = 0.03
"""For all names together."""


@dataclass(frozen=True)
class Filtered:
    """problem: why the expression was taken as plain text, or "" when it was not."""

    charts: tuple[Chart, ...]
    problem: str = ""


def filtered(charts: tuple[Chart, ...], pattern: str) -> Filtered:
    """The charts with a match anywhere, upper and lower case alike; all for an empty pattern."""
    pattern = pattern.strip()[:MAX_PATTERN]
    if not pattern:
        return Filtered(charts)
    try:
        wanted = regex.compile(pattern, regex.IGNORECASE | regex.MULTILINE)
    except regex.error as error:
        return Filtered(
            _plain(charts, pattern), _("not a regular expression ({error})").format(error=error.msg)
        )
    left = DEADLINE_S
    out = []
    try:
        for chart in charts:
            found, left = _search(wanted, words(chart), left)
            if found:
                out.append(chart)
    except TimeoutError:
        return Filtered(_plain(charts, pattern), _("this expression takes too long"))
    return Filtered(tuple(out))


def _search(wanted: regex.Pattern[str], text: str, left: float) -> tuple[bool, float]:
    from time import perf_counter

    began = perf_counter()
    found = wanted.search(text, timeout=max(left, 0.001)) is not None
    return found, left - (perf_counter() - began)


def words(chart: Chart) -> str:
    """What is searched of a chart, a line each."""
    names = (part for line in chart.lines for part in (line.name, line.label))
    return "\n".join((chart.title, chart.group, *names))


def _plain(charts: tuple[Chart, ...], pattern: str) -> tuple[Chart, ...]:
    return tuple(chart for chart in charts if pattern.lower() in words(chart).lower())
