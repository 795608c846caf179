"""Shards: what lies in one is kept by its own nodes, and every round deals the peers anew."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from core.net import shards

ids = st.integers(0, 2**shards.ID_BITS - 1)
swarms = st.lists(ids, min_size=1, max_size=60, unique=True)


@given(swarms, ids, st.integers(0, 20))
def test_a_shard_is_the_smallest_with_enough_nodes(nodes, at, least):
    shard = shards.shard_around(at, nodes, least)
    inside = sum(n in shard for n in nodes)
    if shard.whole:
        assert inside == len(nodes)
    else:
        assert inside >= least
        assert at in shard
    if least and len(nodes) > least and shard.bits < shards.ID_BITS:
        smaller = shards.Shard(at, shard.bits + 1)
        assert sum(n in smaller for n in nodes) < least


@given(swarms, ids, st.integers(shards.COPIES, 20), st.data())
def test_what_belongs_to_a_shard_is_kept_by_nodes_of_it(nodes, at, least, data):
    shard = shards.shard_around(at, nodes, least)
    if shard.whole:
        return
    place = shard.at ^ data.draw(st.integers(0, 2 ** (shards.ID_BITS - shard.bits) - 1))
    assert place in shard
    nearest = sorted(nodes, key=place.__xor__)[: shards.COPIES]
    assert all(node in shard for node in nearest)


@given(ids, st.integers(0, shards.ID_BITS), st.integers(0, 200), ids)
def test_a_wider_shard_holds_the_narrower(at, bits, by, other):
    shard = shards.Shard(at, bits)
    wide = shards.wider(shard, by)
    assert 0 <= wide.bits <= shard.bits
    assert other not in shard or other in wide


def test_points_are_spread_evenly_and_reshuffled_every_round():
    places = [shards.point("waggle", 1, 0, f"Qm{n}") for n in range(4_096)]
    counts = Counter(p >> (shards.ID_BITS - 4) for p in places)
    assert len(counts) == 16
    assert all(170 < n < 350 for n in counts.values())
    shard = shards.Shard(places[0], 6)
    first = {n for n in range(4_096) if places[n] in shard}
    second = {n for n in range(4_096) if shards.point("waggle", 2, 0, f"Qm{n}") in shard}
    assert 20 < len(first) < 120
    assert len(first & second) < 10
    assert shards.point("waggle", 1, 1, "Qm0") != places[0]
    assert shards.point("other", 1, 0, "Qm0") != places[0]


def test_shards_stay_small_whatever_the_size_of_the_swarm():
    rng = random.Random(5)
    for size in (8, 32, 256, 4_096):
        nodes = [rng.getrandbits(shards.ID_BITS) for _ in range(size)]
        inside = []
        for _ in range(100):
            at = rng.getrandbits(shards.ID_BITS)
            shard = shards.shard_around(at, nodes, shards.least_nodes(4))
            inside.append(sum(n in shard for n in nodes))
        assert 8 <= sum(inside) / len(inside) <= 16
        assert max(inside) <= 64
