"""What of a series stands in which column of dots: the last reduction before drawing. Pure.

Nothing is lost on the way: every bucket of the window is in exactly one slot, so the least and
greatest value in sight are drawn, and counts add up.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from core.series import GAP, Columns, Series

UNITS = 1000
"""A run of more points than this is smoothed as if it had this many."""


class Slot(NamedTuple):
    """What ends in one column. first, last: positions; the values mean nothing when n is 0.

    smooth: the smoothed line at its end, None without smoothing or before the first number.
    """

    column: int
    first: float
    last: float
    low: float
    high: float
    mean: float
    n: int
    gaps: int
    smooth: float | None = None


def slots(
    data: Columns, first: float, last: float, width: int, smooth: Sequence[float] = ()
) -> list[Slot]:
    """The buckets that touch [first, last] as at most `width` slots, oldest first.

    A bucket belongs to the column where it ends; one that reaches out of the window to the column
    at its edge. smooth: of every bucket of `data`, from `smoothed`. first < last, width >= 1.
    """
    at, stop = data.inside(first, last)
    step = (last - first) / width
    out: list[Slot] = []
    while at < stop:
        column = min(max(int((data.last[at] - first) / step), 0), width - 1)
        if out:  # rounding must not give one column two slots
            column = max(column, out[-1].column + 1)
        edge = first + (column + 1) * step
        end = stop if column == width - 1 else bisect_left(data.last, edge, at + 1, stop)
        bucket = data.row(at) if end == at + 1 else data.merged(at, end)
        value = smooth[end - 1] if smooth else GAP
        out.append(Slot(column, *bucket, value if value != GAP else None))
        at = end
    return out


def smoothed(series: Series, weight: float) -> array[float]:
    """An exponential moving average at the end of every bucket; GAP before the first number.

    Debiased, as in TensorBoard: the first value is the first number itself. A bucket of n points
    counts as n equal ones. In a run of more than `UNITS` points a thousandth of the run counts as
    one point, so that a weight means the same share of the picture in a long run as in a short.
    weight: 0 to below 1.
    """
    data = series.columns
    unit = max(1.0, (series.count + series.gaps) / UNITS)
    kept: dict[float, float] = {}
    average = total = 0.0
    out = array("d")
    for mean, n in zip(data.mean, data.n, strict=True):
        if n:
            share = kept.get(n)
            if share is None:
                share = kept[n] = weight ** (n / unit)
            average = share * average + (1 - share) * mean
            total = share * total + (1 - share)
        out.append(average / total if total else GAP)
    return out


def usual_step(series: Series) -> float:
    """Rounds between two points, on average over the whole series."""
    many = series.count + series.gaps
    return (series.newest - series.oldest) / (many - 1) if many > 1 else 1.0
