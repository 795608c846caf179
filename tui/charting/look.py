"""How the charts are looked at: window, smoothing, scale, cursor, filter, chosen chart. Pure.

Frozen: a key makes another one. What does not fit the data any more (a cursor beyond the end, a
chosen chart that the filter hides) is mended by `fitted`, not forbidden.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tui.charting.window import Extent, Window

SMOOTHING = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99)


@dataclass(frozen=True)
class Look:
    """cursor and bracket: positions. relative: positions count from the start of each run.

    open: the chosen chart alone fills the screen.
    """

    window: Window = Window()
    smoothing: int = 0
    log: bool = False
    clip: bool = False
    relative: bool = False
    cursor: float | None = None
    bracket: float | None = None
    filter: str = ""
    chosen: int = 0
    open: bool = False

    @property
    def weight(self) -> float:
        return SMOOTHING[self.smoothing]

    def smoother(self, steps: int) -> Look:
        level = min(max(self.smoothing + steps, 0), len(SMOOTHING) - 1)
        return replace(self, smoothing=level)

    def zoomed(self, factor: float, extent: Extent) -> Look:
        return replace(self, window=self.window.zoomed(factor, self.cursor, extent))

    def panned(self, share: float, extent: Extent) -> Look:
        return replace(self, window=self.window.panned(share, extent))

    def pointed(self, x: float | None, extent: Extent) -> Look:
        """With the cursor there, in sight."""
        window = self.window if x is None else self.window.showing(x, extent)
        return replace(self, cursor=x, window=window)

    def fitted(self, charts: int, extent: Extent) -> Look:
        low, high = extent
        cursor = None if self.cursor is None else min(max(self.cursor, low), high)
        bracket = self.bracket
        if bracket is not None and not low <= bracket <= high:
            bracket = None
        chosen = min(max(self.chosen, 0), max(charts - 1, 0))
        return replace(self, cursor=cursor, bracket=bracket, chosen=chosen)
