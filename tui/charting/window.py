"""Which positions the charts show: the whole run, its newest end, or a part that stands still.

Pure. A position is a round; an extent is the (first, last) position that there is.
"""

from __future__ import annotations

from dataclasses import dataclass

Extent = tuple[float, float]
NARROWEST = 4.0
"""Rounds that a window shows at least, where there are that many."""


@dataclass(frozen=True)
class Window:
    """span: rounds in sight, None for all. last: the newest in sight, None to follow the run."""

    span: float | None = None
    last: float | None = None

    @property
    def whole(self) -> bool:
        return self.span is None

    @property
    def follows(self) -> bool:
        return self.last is None

    def resolve(self, extent: Extent) -> Extent:
        """First and last position in sight; first < last always."""
        low, high = extent
        if self.span is None:
            return (low, high) if high > low else (low - 0.5, low + 0.5)
        last = high if self.last is None else min(max(self.last, low + self.span), high)
        first = max(low, last - self.span)
        return (first, last) if last > first else (low - 0.5, low + 0.5)

    def zoomed(self, factor: float, around: float | None, extent: Extent) -> Window:
        """With `factor` times the rounds in sight; `around` (or the newest end) keeps its place."""
        low, high = extent
        first, last = self.resolve(extent)
        span = max((last - first) * factor, NARROWEST)
        if span >= high - low:
            return Window()
        if around is None or not first <= around <= last:
            around = last if self.follows else (first + last) / 2
        share = (last - around) / (last - first)
        return _placed(span, around + share * span, extent)

    def panned(self, share: float, extent: Extent) -> Window:
        """Moved by a share of its own width; at the newest end it follows again."""
        if self.span is None:
            return self
        first, last = self.resolve(extent)
        return _placed(self.span, last + share * (last - first), extent)

    def showing(self, x: float, extent: Extent) -> Window:
        """Moved just so far that `x` is in sight, with a tenth of the width to spare."""
        first, last = self.resolve(extent)
        if self.span is None or first <= x <= last:
            return self
        spare = self.span / 10
        return _placed(self.span, x + spare if x > last else x - spare + self.span, extent)

    def at_end(self) -> Window:
        return Window(self.span)

    def at_start(self, extent: Extent) -> Window:
        return self if self.span is None else _placed(self.span, extent[0] + self.span, extent)


def between(a: float, b: float, extent: Extent) -> Window:
    """The window from one position to another, either first."""
    first, last = min(a, b), max(a, b)
    span = max(last - first, NARROWEST)
    return Window() if span >= extent[1] - extent[0] else _placed(span, first + span, extent)


def _placed(span: float, last: float, extent: Extent) -> Window:
    low, high = extent
    if last >= high:
        return Window(span)
    return Window(span, max(last, low + span))
