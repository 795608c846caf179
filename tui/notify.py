"""Tells the verdict outside the window: in the terminal's title, and aloud where that is wanted.

Aloud only when the verdict has changed and has stayed so for a while: a node that goes up and down
at the edge of a rule rings once, not every second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from core.health_words import LEVELS
from core.state import NodeState
from core.texts import _
from tui import terminal
from tui.clipboard import through
from tui.text import clean
from tui.views import Headline

STEADY_S = 15.0
"""A verdict that has stood for so long is told."""
VERDICTS = ("healthy", "degraded", "down")
"""What is told; the rest (starting, stopping) is nobody's surprise."""


class Herald:
    """Used from the screen's thread. Times are Unix seconds."""

    def __init__(self) -> None:
        self._title = ""
        self._told = ""
        """The verdict that was told last; the first one is what is expected."""
        self._new = ""
        self._since = 0.0

    def tell(self, driver: Any, headline: Headline, state: NodeState, how: str, now: float) -> None:
        """how: the setting `console.notify`."""
        playing = state.round is not None and state.running
        title = _("waggle: {level} round {round}") if playing else _("waggle: {level}")
        level = LEVELS.get(headline.level, headline.level)
        title = clean(title.format(level=level, round=state.round), 80)
        if title != self._title:
            self._title = title
            terminal.write(driver, terminal.title_sequence(title))
        if self._steady(headline.level, now) and how != "off":
            terminal.write(driver, sequence(how, headline, os.environ))

    def _steady(self, level: str, now: float) -> bool:
        """Whether this verdict is another one than was told last, and has stood long enough."""
        if level not in VERDICTS:
            return False
        if level == self._told:
            self._new = ""
            return False
        if level != self._new:
            self._new, self._since = level, now
        if self._told and now - self._since < STEADY_S:
            return False
        first, self._told = not self._told, level
        return not first


def sequence(how: str, headline: Headline, environ: Mapping[str, str]) -> str:
    if how == "bell":
        return "\a"
    text = clean(
        _("Waggle: {level}. {reason}").format(
            level=LEVELS.get(headline.level, headline.level), reason=headline.reason
        ),
        200,
    )
    return through(f"\x1b]9;{text}\a", environ)
