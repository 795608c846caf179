"""What the rewards screen asks of others, each in a thread: the ledger for pages and for sums, and
the coordinator for its word. Answers are delivered in those threads, whenever they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from core.config import Effective
from core.errors import WaggleError
from core.home import Home
from core.rewards_check import Checked, check
from core.rewards_figures import Choice, Figures, collect
from tui.fetcher import Fetcher
from tui.ledger_pages import Found, LedgerReader, Look

FIRST_EVERY_S, FIGURES_EVERY_S = 1.0, 30.0
"""Between two sums while nothing is recorded yet, and later."""
SHARE = 20
"""Adding up the ledger may take one part in so many of this machine's time."""


@dataclass(frozen=True)
class Read:
    """Figures as of `at` (Unix seconds), which took `seconds`. None: nothing was ever recorded."""

    figures: Figures | None
    at: float
    seconds: float


def read_figures(home: Home, now: float) -> Read:
    """In a thread. The newest rounds in trouble come along, for the last error."""
    began = time.monotonic()
    figures = collect(home, Choice(limit=1, failed=True))
    return Read(figures, now, time.monotonic() - began)


Answer = Found | Read | Checked | WaggleError


class Reading:
    """Every method returns at once."""

    def __init__(
        self,
        home: Home,
        effective: Callable[[], Effective | None],
        deliver: Callable[[Answer], object],
    ) -> None:
        reader = LedgerReader(home)
        self._home = home
        self._effective = effective
        self._pages: Fetcher[Look, Found] = Fetcher(
            "ledger-pages", reader.read, deliver, reader.close
        )
        self._sums: Fetcher[float, Read] = Fetcher(
            "ledger-sums", partial(read_figures, home), deliver
        )
        self._asker: Fetcher[Figures, Checked] = Fetcher("coordinator", self._check, deliver)
        self._summed_at = 0.0

    def look(self, look: Look) -> None:
        self._pages.want(look)

    def add_up(self, last: Read | None, changed: bool, now: float) -> None:
        """The figures from the ledger itself: at first, and now and then while it changes."""
        moment = time.monotonic()
        took = 0.0 if last is None else last.seconds
        never = last is None or last.figures is None
        pause_s = max(FIRST_EVERY_S if never else FIGURES_EVERY_S, SHARE * took)
        if not self._summed_at or (changed and moment - self._summed_at >= pause_s):
            self._summed_at = moment
            self._sums.want(now)

    def ask(self, figures: Figures) -> None:
        """Ask the coordinator itself."""
        self._asker.want(figures)

    def _check(self, figures: Figures) -> Checked:
        effective = self._effective()
        assert effective is not None, "a console without a configuration has no ledger"
        return check(self._home, lambda: effective, figures)

    def close(self) -> None:
        for fetcher in (self._pages, self._sums, self._asker):
            fetcher.close()
