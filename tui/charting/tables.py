"""The numbers of charts as CSV, for a spreadsheet or pandas. Pure text.

One row a bucket: a recent round has one of its own, older ones share it (`core/series.py`). Rounds
are the coordinator's, whatever the axis of the screen counts from.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from tui.charting.catalogue import Chart
from tui.charting.look import Look
from tui.charting.slots import smoothed
from tui.charting.sources import Source, extent, lines_of
from tui.text import clean

MAX_ROWS = 200_000
HEAD = ("run", "group", "chart", "series", "first_round", "last_round", "count", "missing",
        "min", "mean", "max", "smoothed")  # fmt: skip


def table(charts: Sequence[Chart], sources: Sequence[Source], look: Look) -> str:
    """At most `MAX_ROWS` rows: with more, neighbours are merged until they fit."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    lines = [(chart, line) for chart in charts for line in lines_of(chart, sources)]
    span = look.window.resolve(extent(sources, look.relative))
    most = MAX_ROWS // max(1, len(lines))
    for chart, line in lines:
        offset = sources[line.source].offset(look.relative)
        data = line.series.columns
        smooth = smoothed(line.series, look.weight) if look.weight else ()
        start, stop = data.inside(span[0] + offset, span[1] + offset)
        step = max(1, math.ceil((stop - start) / max(1, most)))
        names = (sources[line.source].label, chart.group, chart.title, line.name)
        for at in range(start, stop, step):
            end = min(at + step, stop)
            b = data.merged(at, end)
            numbers = (b.low, b.mean, b.high) if b.n else ("", "", "")
            last = smooth[end - 1] if smooth and math.isfinite(smooth[end - 1]) else ""
            writer.writerow(
                [*map(cell, names), int(b.first), int(b.last), b.n, b.gaps, *numbers, last]
            )
    return out.getvalue()


def cell(text: str) -> str:
    """Foreign text that a spreadsheet takes for text and not for a formula."""
    safe = clean(text, 200)
    return f"'{safe}" if safe[:1] in ("=", "+", "-", "@") else safe
