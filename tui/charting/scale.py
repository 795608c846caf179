"""From values to rows of dots, linear or logarithmic, and the round figures beside them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tui.charting.slots import Slot

CLIP = 0.02
"""The share of values on either side that an axis without outliers leaves out."""


@dataclass(frozen=True)
class Scale:
    """low < high, both in sight. log: both positive, and equal steps are equal factors."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """0 at the bottom, 1 at the top; outside values are moved to the edge."""
        if self.log:
            if value <= 0:
                return 0.0
            low, high = math.log(self.low), math.log(self.high)
            return min(max((math.log(value) - low) / (high - low), 0.0), 1.0)
        # Halves, so that a span of two huge numbers stays finite.
        span = self.high / 2 - self.low / 2
        return min(max((value / 2 - self.low / 2) / span, 0.0), 1.0)

    def row(self, value: float, rows: int) -> int:
        """0 is the topmost of `rows`."""
        return round((1 - self.share(value)) * (rows - 1))


def fitted(lines: Iterable[Sequence[Slot]], log: bool, clip: bool) -> Scale:
    """A scale on which every number of the lines is in sight, with a little room around.

    log: only where something is above 0, else linear all the same. clip: without the outermost
    `CLIP` of the columns on either side.
    """
    filled = [slot for line in lines for slot in line if slot.n]
    log = log and any(slot.high > 0 for slot in filled)
    if log:
        filled = [slot for slot in filled if slot.high > 0]
        lows = [next(v for v in (s.low, s.mean, s.high) if v > 0) for s in filled]
    else:
        lows = [slot.low for slot in filled]
    highs = [slot.high for slot in filled]
    if not filled:
        return Scale(0.0, 1.0)
    low, high = _most(lows, highs) if clip else (min(lows), max(highs))
    if log:
        factor = (high / low) ** 0.03 if high > low else 1.5
        low, high = max(low / factor, 1e-307), min(high * factor, 1e307)
        return Scale(low, high, True) if high > low else Scale(low, low * 2, True)
    pad = (high / 2 - low / 2) * 0.08 or max(abs(high) * 0.1, 0.05)
    # Shares and counts get no room below 0, where they never are.
    return Scale(0.0 if 0 <= low < pad else low - pad, high + pad)


def _most(lows: list[float], highs: list[float]) -> tuple[float, float]:
    """All but the outermost values; of few columns, all."""
    skip = int(len(lows) * CLIP)
    return sorted(lows)[skip], sorted(highs)[-1 - skip]


def ticks(scale: Scale, most: int) -> list[float]:
    """Round values in sight, ascending, at most `most`."""
    if scale.log and len(found := _log_ticks(scale, most)) > 1:
        return found
    span = scale.high / 2 - scale.low / 2
    raw = 2 * (span / max(most, 1))
    step = nice(raw) if raw < math.inf else math.inf
    while step < math.inf:
        start = math.ceil(scale.low / step)
        many = math.floor(scale.high / step) - start + 1
        if many <= most:
            return [(start + k) * step for k in range(many)]
        step = nice(step * 1.01)
    return []


def _log_ticks(scale: Scale, most: int) -> list[float]:
    low, high = math.ceil(math.log10(scale.low)), math.floor(math.log10(scale.high))
    powers = list(range(low, high + 1))
    if len(powers) >= 2:
        skip = math.ceil(len(powers) / most)
        return [10.0**k for k in powers[::skip]]
    fine = [m * 10.0**k for k in range(low - 1, high + 2) for m in (1, 2, 5)]
    return [v for v in fine if scale.low <= v <= scale.high][:most]


def nice(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten that is not smaller."""
    power = 10.0 ** math.floor(math.log10(step))
    return next((m * power for m in (1, 2, 5) if m * power >= step), 10 * power)


def figure(value: float, width: int = 7) -> str:
    """A value in at most `width` cells: `0.423`, `12.4k`, `3.1e-5`, `-1.2e15`."""
    size = abs(value)
    if size != size or size == math.inf:
        return "-"
    if size == 0:
        return "0"
    for unit, at in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if at <= size < 1e12:
            text = f"{value / (1e3 if unit == 'k' else at):.4g}{unit}"
            return text if len(text) <= width else _power(value, width)
    if 1e-3 <= size < 1e4:
        text = f"{value:.4g}"
        return text if len(text) <= width else f"{value:.2g}"
    return _power(value, width)


def _power(value: float, width: int) -> str:
    for digits in (2, 1, 0):
        mantissa, _, power = f"{value:.{digits}e}".partition("e")
        text = f"{mantissa}e{int(power)}"
        if len(text) <= width:
            break
    return text


def labels(values: Sequence[float], width: int = 7) -> list[str]:
    """Figures of ticks, with as many decimals as tell neighbours apart."""
    if len(values) < 2:
        return [figure(value, width) for value in values]
    step = min(b - a for a, b in pairwise(values))
    digits = max(0, -math.floor(math.log10(step))) if step > 0 else 0
    plain = [f"{value:.{digits}f}" for value in values]
    if digits <= 6 and max(map(abs, values)) < 1e4 and all(len(text) <= width for text in plain):
        return plain
    return [figure(value, width) for value in values]


def position(x: float) -> str:
    """A round as a whole number, with all its digits while they are few."""
    return f"{x:.0f}" if abs(x) < 1e9 else figure(x, 9)
