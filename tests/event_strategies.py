"""Hypothesis strategies: any event with fields of the right types, however odd their values."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

from hypothesis import strategies as st

from core import events

WORDS = st.sampled_from(
    ["up", "down", "degraded", "pending", "sent", "confirmed", "failed", "reward", "winner", "a"]
)
TEXT = WORDS | st.text(max_size=12)
INTEGER = st.integers(0, 20) | st.integers()
NUMBER = st.floats(0, 100) | st.floats()
ROW = st.dictionaries(
    st.sampled_from(["peer_id", "name", "rank", "round", "history", "id", "message"]) | TEXT,
    TEXT | INTEGER | NUMBER | st.none() | st.lists(st.lists(INTEGER, max_size=3), max_size=3),
    max_size=8,
)
"""A part of an event that is a dictionary: most of them make no sense."""
KINDS = {
    str: TEXT,
    bool: st.booleans(),
    int: INTEGER,
    float: NUMBER,
    int | None: st.none() | INTEGER,
    float | None: st.none() | NUMBER,
    list[str]: st.lists(TEXT, max_size=4),
    list[float]: st.lists(NUMBER, max_size=4),
    dict[str, float]: st.dictionaries(TEXT, NUMBER, max_size=4),
    dict[str, float | str]: st.dictionaries(TEXT, NUMBER | TEXT, max_size=4),
    dict[str, Any]: ROW,
    list[dict[str, Any]]: st.lists(ROW, max_size=4),
    dict[str, list[float]]: st.dictionaries(TEXT, st.lists(NUMBER, max_size=6), max_size=4),
    dict[str, int]: st.dictionaries(TEXT | st.just("rounds"), INTEGER, max_size=4),
}


def of_type(cls: type[events.Event]) -> st.SearchStrategy[events.Event]:
    hints = get_type_hints(cls)
    fields = {f.name: KINDS[hints[f.name]] for f in dataclasses.fields(cls)}
    return st.fixed_dictionaries(fields).map(lambda values: cls(**values))


def any_event() -> st.SearchStrategy[events.Event]:
    return st.sampled_from(sorted(events.EVENT_TYPES.values(), key=lambda c: c.NAME)).flatmap(
        of_type
    )
