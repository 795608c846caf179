"""A moment in a person's words: `14:05`, `2026-11-25 14:05:30`, `10m`, `round 240`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from core.errors import ConfigError

EXAMPLES = "14:05, 2026-11-25 14:05:30, 10m (ago), round 240"
_AGO = re.compile(r"(\d{1,6})\s*([smhd])(?:\s+ago)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ROUND = re.compile(r"(?:round|r)?\s*(\d{1,12})")
_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")
_TODAY = ("%H:%M:%S", "%H:%M")


class When(NamedTuple):
    """A moment in Unix seconds, or a round."""

    time: float | None = None
    round: int | None = None


def when(text: str, now: float) -> When:
    """now: Unix seconds. A clock time is the last such moment. ConfigError with examples."""
    text = " ".join(text.lower().split())
    if found := _AGO.fullmatch(text):
        return When(now - timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds())
    if found := _ROUND.fullmatch(text):
        return When(round=int(found[1]))
    here = datetime.fromtimestamp(now)
    for form in _FORMS:
        if (moment := _parsed(text.upper(), form)) is not None:
            return When(moment.timestamp())
    for form in _TODAY:
        if (moment := _parsed(text, form)) is not None:
            moment = datetime.combine(here.date(), moment.time())
            if moment > here:
                moment -= timedelta(days=1)
            return When(moment.timestamp())
    raise ConfigError(f"{text[:40]!r} is no moment", "", f"Try {EXAMPLES}")


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        return None
