"""What got better is believed once it has stayed so: the verdict line does not flip.

A figure that hovers about its threshold, or a part that dies again and again, would else turn the
line over every few seconds. What gets worse is told at once, and so is what a person asked for.
"""

from __future__ import annotations

from core.texts import _
from tui.views import Headline

STAYS_S = 20.0
"""So long it must be well before it is told as that."""
MENDED = _("It looks mended; it is told as healthy when that lasts")


class Steady:
    """The verdict of one console. Times are Unix seconds."""

    def __init__(self) -> None:
        self._ill: Headline | None = None
        self._well_since: float | None = None

    def tell(self, told: Headline, now: float) -> Headline:
        """What to show of what is true now."""
        if told.level == "degraded":
            self._ill, self._well_since = told, None
        elif told.level != "healthy":
            self._ill = None
        elif self._ill is not None:
            if self._well_since is None or now < self._well_since:  # the clock was set back
                self._well_since = now
            if now - self._well_since < STAYS_S:
                return Headline("degraded", self._ill.reason, MENDED)
            self._ill = None
        return told
