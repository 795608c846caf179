"""Whom a gather fetches from: as many as it wants, and every peer as often as any other."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from core.net.hunt import draw

names = st.sets(st.integers(0, 40).map(str), max_size=30)


@given(names, names, st.integers(-2, 12), st.randoms(use_true_random=False))
def test_places_are_filled_and_kept_by_lot(here, awaited, places, rng):
    awaited -= here
    lots = {name: rng.random() for name in here | awaited}
    chosen, kept = draw(here, awaited, places, lots.__getitem__)
    assert len(chosen) + kept == min(max(0, places), len(lots))
    assert set(chosen) <= here
    left_out = (here | awaited) - set(chosen)
    if chosen and len(chosen) + kept < len(lots):
        highest = max(lots[name] for name in chosen)
        assert sum(lots[name] < highest for name in left_out & awaited) <= kept
        assert all(lots[name] >= highest for name in left_out & here)


def test_slow_peers_are_fetched_as_often_as_fast_ones():
    """Half of the peers publish late; those that are there first must not take all places."""
    rng = random.Random(3)
    fast, slow = {f"fast{n}" for n in range(10)}, {f"slow{n}" for n in range(10)}
    counts: Counter[str] = Counter()
    for _ in range(4_000):
        lots = {name: rng.random() for name in fast | slow}
        early, kept = draw(fast, slow, 4, lots.__getitem__)
        late, none = draw((fast | slow) - set(early), (), kept, lots.__getitem__)
        assert len(early) + len(late) == 4
        assert none == 0
        counts.update(early + late)
    assert all(650 < counts[name] < 950 for name in fast | slow)  # 800 each is fair
