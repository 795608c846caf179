"""Where in the log a moment or a round is. The journal knows when a round was; the log, which of
its lines tell of it."""

from __future__ import annotations

from core.errors import StorageError
from core.home import Home
from core.journal import Journal
from core.logfiles.pages import Pages, Spot, Unknown
from core.logfiles.segment import stamp_of
from core.texts import _
from tui.screens.logs.window import Window

EARLIER_S = 0.5
"""A line may be written a moment before the event that it goes with."""
NEAR = 300
"""Entries among which the line of a round is looked for."""


def spot_of_time(pages: Pages, moment: float) -> Spot | None:
    """The first entry at or after a moment (Unix seconds). Unknown while it is not indexed."""
    timeline = pages.timeline
    stamp = stamp_of(moment)
    known = timeline.first < timeline.pages and timeline.cuts[timeline.first][0] <= stamp
    if not timeline.complete and not known:
        raise Unknown
    return pages.at(stamp)


def spot_of_round(window: Window, home: Home, round_: int) -> Spot | str | None:
    """The entry that tells of a round, or the time of that round, or why there is neither.

    Unknown while the log is not indexed that far back.
    """
    try:
        moment = Journal(home.db).time_of_round(round_)
    except StorageError as error:
        return str(error)
    if moment is None:
        return _("The journal has no round {round}.").format(round=round_)
    start = spot_of_time(window.pages, moment - EARLIER_S)
    spot = start
    for _step in range(NEAR):
        group = window.pages.group(spot) if spot else None
        if spot is None or group is None:
            break
        if window.entry(group).round == round_:
            return spot
        spot = window.pages.after(spot)
    return start
