"""Makes the cells of charts, and keeps what it made while data, window and size stay the same.

So moving the cursor reduces no data, and a tick without news draws nothing. What the last two
frames did not use is forgotten: old versions of a series do not pile up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from core.series import Series
from tui.charting.catalogue import Chart
from tui.charting.dots import Cell, Signs
from tui.charting.look import Look
from tui.charting.raster import Trace, raster
from tui.charting.scale import Scale, fitted
from tui.charting.slots import Slot, slots, smoothed, usual_step
from tui.charting.sources import Drawing, Source, extent, lines_of
from tui.charting.window import Extent

Made = TypeVar("Made")


@dataclass(frozen=True)
class Drawn:
    """A chart before its cursor. traces: of `lines`, with positions as on the axis.

    unscaled: a logarithmic scale was wanted, and no number in sight is above 0.
    """

    lines: tuple[Drawing, ...]
    traces: tuple[Trace, ...]
    scale: Scale
    span: Extent
    grid: list[list[Cell]]
    unscaled: bool

    @property
    def empty(self) -> bool:
        return not any(slot.n for trace in self.traces for slot in trace.slots)


class Studio:
    """One per screen; for one thread."""

    def __init__(self) -> None:
        self._now: dict[tuple[object, ...], tuple[object, Any]] = {}
        self._before: dict[tuple[object, ...], tuple[object, Any]] = {}

    def next_frame(self) -> None:
        self._before, self._now = self._now, {}

    def _once(self, key: tuple[object, ...], owner: object, make: Callable[[], Made]) -> Made:
        """`make()`, once for a key. `owner` is kept, so that an id in the key stays its own."""
        found = self._now.get(key) or self._before.get(key) or (owner, make())
        self._now[key] = found
        made: Made = found[1]
        return made

    def drawn(
        self, chart: Chart, sources: Sequence[Source], look: Look, size: tuple[int, int], how: Signs
    ) -> Drawn:
        """size: of the plot in cells."""
        lines = lines_of(chart, sources)
        span = look.window.resolve(extent(sources, look.relative))
        offsets = tuple(sources[line.source].offset(look.relative) for line in lines)
        key = ("drawn", chart.id, tuple(id(line.series) for line in lines), offsets)
        about = (look.weight, look.log, look.clip, span, size, how.across)

        def make() -> Drawn:
            traces = tuple(
                Trace(
                    self._slots(line.series, look.weight, span, offset, size[0] * how.across),
                    line.mark if len(lines) > 1 else "",
                    usual_step(line.series),
                )
                for line, offset in zip(lines, offsets, strict=True)
            )
            scale = fitted([trace.slots for trace in traces], look.log, look.clip)
            grid = raster(traces, scale, span, size, how)
            return Drawn(lines, traces, scale, span, grid, look.log and not scale.log)

        return self._once(key + about, lines, make)

    def _slots(
        self, series: Series, weight: float, span: Extent, offset: float, width: int
    ) -> tuple[Slot, ...]:
        def make() -> tuple[Slot, ...]:
            smooth = self._smooth(series, weight) if weight else ()
            found = slots(series.columns, span[0] + offset, span[1] + offset, width, smooth)
            return tuple(s._replace(first=s.first - offset, last=s.last - offset) for s in found)

        return self._once(("slots", id(series), weight, span, offset, width), series, make)

    def _smooth(self, series: Series, weight: float) -> Sequence[float]:
        return self._once(("smooth", id(series), weight), series, lambda: smoothed(series, weight))
