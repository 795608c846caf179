"""What the journal puts in the place of what it thinned away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.events.base import Event


@dataclass(frozen=True, kw_only=True)
class HistoryThinned(Event):
    """Old rows left the journal; what they counted, so that totals stay true.

    counts: `rounds`, submissions as `KIND/confirmed` and `KIND/failed`, and `admitted` and
    `groups/REASON` of `core.fold_swarm`. peers: as they were known then. Cumulative: the newest
    one includes those before it.
    """

    counts: dict[str, int] = field(default_factory=dict)
    peers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class RoundsMerged(Event):
    """Old rounds of the journal in one row: from `first` to `last`, `rounds` of them finished.

    values: by name of the series, [numbers, gaps, min, max, mean] over these rounds. How it is
    made: `core.merged_rounds`. `HistoryThinned` counts the rounds.
    """

    first: int
    last: int
    rounds: int
    values: dict[str, list[float]] = field(default_factory=dict)
