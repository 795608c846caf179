"""What a round's exchange costs a node in swarms far larger than a machine can hold: a simulation.

    .venv/bin/python benchmarks/swarm_model.py [--sizes 4,16,32,100,1000,10000] [--measured FILE]

Places N nodes in the id space with routing tables as hivemind keeps them (buckets of 20, split at
every level that is no multiple of 5, and around the node's own id), each filled with nodes that it
may have met. Then nodes publish and read as `core/net/directory.py` does, by the functions of
`core/net/shards.py`: lookups walk from table to table, records lie where the publisher could find,
a reader asks 3 nodes of its shard at a time until it knows as many peers as it wants. Messages are
counted one by one; bytes are messages times what such a message was measured to take on loopback.

`--measured` takes the output of `swarm.py` and sets its figures beside. Prints a table and, as its
last line, one JSON object. What is simulated is a swarm at rest: nobody joins, leaves or lies.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.net import shards  # noqa: E402

BITS = 64
"""Of an id here; the upper part of the real 160."""
BUCKET, MODULO, BEAM, NEAREST, ASK_AT_ONCE = 20, 5, 10, 24, 3
CALL_BYTES, RECORD_BYTES, TAG_BYTES, NEIGHBOUR_BYTES, STREAM_BYTES = 975, 660, 8, 58, 1_150
"""On loopback, all headers included: a call that says nothing and its answer; a record; its tag;
one entry of a lookup's answer; a stream beside its payload."""
SAMPLE = 400
"""Readers that are followed; every node publishes."""


class Swarm:
    """N nodes with ids and routing tables. Tables are made when they are looked at first."""

    def __init__(self, size: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.ids = np.unique(self.rng.integers(0, 2**64, size=size, dtype=np.uint64))
        self.size = len(self.ids)
        self._tables: dict[int, np.ndarray] = {}

    def table(self, node: int) -> np.ndarray:
        """Indices of the nodes that `node` knows: of each bucket, as many as fit."""
        if node not in self._tables:
            met = self.rng.permutation(np.delete(np.arange(self.size), node))
            away = self.ids[met] ^ self.ids[node]
            common = BITS - np.frexp(away.astype(np.float64))[1]
            depth = np.minimum(-(-(common + 1) // MODULO) * MODULO, BITS - 1)
            bucket = (self.ids[met] >> (BITS - depth).astype(np.uint64)).astype(np.float64)
            order = np.lexsort((bucket, depth))
            same = np.diff(bucket[order]).astype(bool) | np.diff(depth[order]).astype(bool)
            first = np.maximum.accumulate(np.where(np.r_[True, same], np.arange(len(met)), 0))
            self._tables[node] = met[order][np.arange(len(met)) - first < BUCKET]
        return self._tables[node]

    def nearest(self, among: np.ndarray, at: int, count: int) -> list[int]:
        distances = self.ids[among] ^ np.uint64(at)
        return [int(n) for n in among[np.argsort(distances)[:count]]]

    def lookup(self, node: int, at: int) -> tuple[list[int], list[int]]:
        """The BEAM nearest nodes that a walk finds, and all that it asked."""
        found = set(self.nearest(self.table(node), at, BEAM))
        asked: list[int] = []
        while True:
            beam = self.nearest(np.array(sorted(found)), at, BEAM)
            fresh = [n for n in beam if n not in asked]
            if not fresh:
                return beam, asked
            asked.append(fresh[0])
            told = self.nearest(self.table(fresh[0]), at, BUCKET)
            found.update(n for n in told if n != node)

    def near(self, node: int, at: int, beyond: Iterable[int]) -> list[int]:
        known = set(self.nearest(self.table(node), at, NEAREST)) | set(beyond)
        return self.nearest(np.array(sorted(known)), at, NEAREST)


def sure(swarm: Swarm, node: int) -> bool:
    """Whether the table holds everybody, so that `around.py` soon gives up looking further."""
    return len(swarm.table(node)) == swarm.size - 1


def play(size: int, want: int, payload: int, seed: int) -> dict[str, Any]:
    """One round of a swarm: messages, bytes and records of a node, and what a reader sees."""
    swarm = Swarm(size, seed)
    rng = random.Random(seed)
    on_node: list[list[int]] = [[] for _ in range(size)]
    points = {n: shards.point("model", 1, 0, f"Qm{n}") for n in range(size)}
    keeps = finds = exact = 0
    everybody = np.arange(size)
    for node in range(size):
        at = points[node] >> (shards.ID_BITS - BITS)
        first = swarm.near(node, at, ())[: shards.COPIES]
        beyond: list[int] = []
        if not sure(swarm, node):
            beyond, asked = swarm.lookup(node, at)
            finds += len(asked)
        told = set(first) | set(swarm.near(node, at, beyond)[: shards.COPIES])
        keeps += len(told)
        for keeper in told | {node}:
            on_node[keeper].append(node)
        exact += set(swarm.nearest(np.delete(everybody, node), at, shards.COPIES)) <= told
    read = [
        follow(swarm, node, want, points, on_node, rng)
        for node in rng.choices(range(size), k=SAMPLE)
    ]
    per_node = {
        "keeps": keeps / size,
        "finds": finds / size + mean(r["finds"] for r in read),
        "looks": mean(r["looks"] for r in read),
        "told": mean(r["told"] for r in read),
        "seen": mean(r["seen"] for r in read),
        "fetched": mean(min(want, r["seen"]) for r in read),
        "shard": mean(r["shard"] for r in read),
    }
    kept = [len(records) for records in on_node]
    message_bytes = (
        per_node["keeps"] * (CALL_BYTES + RECORD_BYTES)
        + per_node["finds"] * (CALL_BYTES + NEIGHBOUR_BYTES * min(BUCKET, size - 1))
        + per_node["looks"] * CALL_BYTES
        + per_node["told"] * RECORD_BYTES
        + mean(r["tags"] for r in read) * TAG_BYTES
    )
    return {
        "nodes": size,
        **per_node,
        "seen_fewest": min(r["seen"] for r in read),
        "kept": mean(kept),
        "kept_p95": quantiles(kept, n=20)[-1],
        "on_nearest": exact / size,
        "directory_kb": message_bytes / 1_000,
        "kb": (message_bytes + per_node["fetched"] * (payload + STREAM_BYTES)) / 1_000,
    }


def follow(
    swarm: Swarm,
    node: int,
    want: int,
    points: dict[int, int],
    on_node: list[list[int]],
    rng: random.Random,
) -> dict[str, float]:
    """One reader, until it knows `want` peers or nobody is left to ask."""
    at = rng.getrandbits(shards.ID_BITS)
    top = at >> (shards.ID_BITS - BITS)
    finds = 0
    beyond: list[int] = []
    if not sure(swarm, node):
        beyond, walked = swarm.lookup(node, top)
        finds = len(walked)
    near = swarm.near(node, top, beyond)
    ids = {n: int(swarm.ids[n]) << (shards.ID_BITS - BITS) for n in (*near, node)}
    shard = shards.shard_around(at, list(ids.values()), shards.least_nodes(want))
    asked: set[int] = set()
    seen: set[int] = set()
    looks = told = tags = 0
    while len(seen) < want or not looks:
        keepers = [n for n in near if ids[n] in shard and n not in asked]
        if not keepers and shard.whole:
            break
        if not keepers:
            shard = shards.wider(shard, 1)
        batch = rng.sample(keepers, min(ASK_AT_ONCE, len(keepers)))
        asked.update(batch)
        looks += len(batch)
        seen |= {r for r in on_node[node] if points[r] in shard} - {node}
        tags += len(batch) * len(seen)
        fresh = [
            {r for r in on_node[keeper] if points[r] in shard} - seen - {node} for keeper in batch
        ]
        told += sum(len(records) for records in fresh)
        seen.update(*fresh)
    inside = sum(id in shard for id in ids.values())
    return {
        "finds": finds,
        "looks": looks,
        "told": told,
        "tags": tags,
        "seen": len(seen),
        "shard": inside,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="4,16,32,100,1000,10000", help="swarm sizes")
    parser.add_argument("--want", type=int, default=4, help="peers to gather from (4)")
    parser.add_argument("--payload", type=int, default=50_000, help="bytes of a node's rollouts")
    parser.add_argument("--seed", type=int, default=1, help="of ids, tables and choices (1)")
    parser.add_argument("--measured", type=Path, help="output of swarm.py, to set beside")
    options = parser.parse_args()
    measured = {}
    if options.measured:
        rows = json.loads(options.measured.read_text().splitlines()[-1])["waggle"]
        measured = {row["nodes"]: row for row in rows}
    print(
        f"{'nodes':>6}{'keeps':>7}{'finds':>7}{'looks':>7}{'kept':>6}{'seen':>6}{'fewest':>7}"
        f"{'shard':>7}{'directory kB':>14}{'all kB':>8}{'measured: kB':>15}{'seen':>6}"
    )
    results = []
    for size in [int(text) for text in options.sizes.split(",")]:
        row = play(size, options.want, options.payload, options.seed)
        results.append(row)
        beside = measured.get(size)
        print(
            f"{size:>6}{row['keeps']:>7.1f}{row['finds']:>7.1f}{row['looks']:>7.1f}"
            f"{row['kept']:>6.1f}{row['seen']:>6.1f}{row['seen_fewest']:>7.0f}{row['shard']:>7.1f}"
            f"{row['directory_kb']:>14.1f}{row['kb']:>8.0f}"
            + (f"{beside['kb']:>15.0f}{beside['seen']:>6.1f}" if beside else ""),
            flush=True,
        )
    print(json.dumps({"benchmark": "swarm_model", "want": options.want, "sizes": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
