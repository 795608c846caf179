"""Whose series are drawn: the run under way and the earlier ones it is compared with. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.series import Series
from tui.charting.catalogue import Chart
from tui.charting.window import Extent


@dataclass(frozen=True)
class Source:
    """The series of one training run. mark: "" for the run under way. origin: its first round.

    started: Unix seconds, by which an earlier run is known again.
    """

    label: str
    mark: str
    series: Mapping[str, Series]
    origin: float = 0.0
    started: float = 0.0

    def offset(self, relative: bool) -> float:
        """What to take from a round to get its place on the axis."""
        return self.origin if relative else 0.0


@dataclass(frozen=True)
class Drawing:
    """One line of a chart: which series of which source, and how it is called there."""

    name: str
    label: str
    mark: str
    source: int
    series: Series


def source(label: str, mark: str, series: Mapping[str, Series], started: float = 0.0) -> Source:
    first = min((s.oldest for s in series.values()), default=math.inf)
    return Source(label, mark, series, first if math.isfinite(first) else 0.0, started)


def extent(sources: Sequence[Source], relative: bool) -> Extent:
    """The positions that there are on the axis; (0, 1) when there are none."""
    ends = [
        (series.oldest - src.offset(relative), series.newest - src.offset(relative))
        for src in sources
        for series in src.series.values()
        if math.isfinite(series.oldest)
    ]
    if not ends:
        return 0.0, 1.0
    return min(low for low, _ in ends), max(high for _, high in ends)


def names_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """All series, in order; without the swarm's reward where nobody else was ever trained on."""
    names = dict.fromkeys(name for src in sources for name in src.series)
    others = [src.series.get("foreign_groups") for src in sources]
    if not any(point.high > 0 for series in others if series for point in series.points(1)):
        names.pop("reward/swarm", None)
    return tuple(names)


def lines_of(chart: Chart, sources: Sequence[Source]) -> tuple[Drawing, ...]:
    """All lines of the run under way, and the first one of every other run."""
    out = []
    for number, src in enumerate(sources):
        present = [line for line in chart.lines if line.name in src.series]
        for line in present[:1] if number else present:
            label, mark = (src.label, src.mark) if number else (line.label, line.mark)
            out.append(Drawing(line.name, label, mark, number, src.series[line.name]))
    return tuple(out)
