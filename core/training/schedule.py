"""The learning rate of a step: a pure function, so a resumed run needs no state for it.

It knows steps and rates only; which peak belongs to which recipe is the caller's choice.
"""

from __future__ import annotations

import math

FLOOR = 0.1
"""Share of the peak that a falling learning rate ends at."""


def learning_rate(step: int, *, peak: float, warmup: int, schedule: str, total: int) -> float:
    """Of the step that follows `step` finished ones.

    Linear warm-up: the first step takes peak / (warmup + 1), step `warmup` (from 0) the peak. Then
    `constant` stays there, `linear` and `cosine` fall to a tenth of the peak, reached at step
    `total` and kept from there on. ValueError for another schedule.
    """
    if schedule not in ("constant", "linear", "cosine"):
        raise ValueError(f"there is no schedule {schedule!r}")
    rising = min(1.0, (step + 1) / (warmup + 1))
    if schedule == "constant":
        return peak * rising
    if step >= total:
        progress = 1.0
    else:
        progress = max(0.0, (step - warmup) / (total - warmup)) if total > warmup else 0.0
    left = 1.0 - progress if schedule == "linear" else (1.0 + math.cos(math.pi * progress)) / 2
    return peak * min(rising, FLOOR + (1.0 - FLOOR) * left)
