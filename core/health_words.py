"""The verdict as a value, and the words that its rules share. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from core.texts import _

LEVELS = {
    "healthy": _("healthy"),
    "degraded": _("degraded"),
    "down": _("down"),
    "starting": _("starting"),
    "paused": _("paused"),
}
"""The levels of a verdict, as they are shown."""


@dataclass(frozen=True)
class Verdict:
    """level: healthy, degraded, down, starting or paused. One sentence each for the rest."""

    level: str
    reason: str
    next_step: str


Told = tuple[str, str] | None
"""What a rule about one part says: the reason and the next step, or None while it is well."""


def degraded(told: Told) -> Verdict | None:
    return None if told is None else Verdict("degraded", *told)


def number(values: Mapping[str, object], name: str, missing: float = 0.0) -> float:
    """A figure of an event; old journals may hold anything under its name."""
    value = values.get(name)
    sound = isinstance(value, (int, float)) and abs(value) < 1e300 and not math.isnan(value)
    return float(value) if sound and isinstance(value, (int, float)) else missing


def sentence(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
