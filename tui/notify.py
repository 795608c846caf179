"""Tells the verdict outside the window: in the terminal's title."""

from __future__ import annotations

from typing import Any

from core.state import NodeState
from tui import terminal
from tui.text import clean
from tui.views import Headline


class Herald:
    """Writes the title when it has changed. Used from the screen's thread."""

    def __init__(self) -> None:
        self._title = ""

    def tell(self, driver: Any, headline: Headline, state: NodeState) -> None:
        round_ = f" round {state.round}" if state.round is not None and state.running else ""
        title = clean(f"waggle: {headline.level}{round_}", 80)
        if title != self._title:
            self._title = title
            terminal.write(driver, terminal.title_sequence(title))
