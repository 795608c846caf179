"""Where a peer's record of a round lies in the DHT, and which part of the swarm a reader looks at.

Every record belongs to a point of the id space in which the DHT has its nodes: a hash of swarm,
round, stage and peer id, so that each round deals the peers anew. The COPIES nodes nearest to that
point keep it. A reader draws a point of its own and looks at one *shard*: all ids that share the
longest prefix of that point under which there still are enough nodes. In the XOR metric, the nodes
nearest to any point of a prefix lie under that prefix too, as soon as COPIES of them do: so what
belongs to a shard lies on the nodes of that shard, there are about as many records in it as nodes,
and nobody has to know how large the swarm is. Pure; knows nothing of how nodes are found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

ID_BYTES = 20
ID_BITS = 8 * ID_BYTES
COPIES = 5
LEAST_NODES = 8
"""A shard has at least this many nodes, hence about 8 to 16 records, where the swarm has them."""


@dataclass(frozen=True)
class Shard:
    """The ids whose first `bits` bits are those of `at`. With 0 bits it is the whole swarm."""

    at: int
    bits: int

    def __contains__(self, id: int) -> bool:
        return (self.at ^ id) >> (ID_BITS - self.bits) == 0

    @property
    def whole(self) -> bool:
        return self.bits == 0


def point(swarm: str, round: int, stage: int, peer_id: str) -> int:
    """Where the record of that peer, round and stage belongs."""
    name = f"waggle/point/1/{swarm}/{round}/{stage}/{peer_id}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:ID_BYTES], "big")


def shard_around(at: int, nodes: Collection[int], least: int) -> Shard:
    """The smallest shard around `at` with at least `least` of `nodes` in it.

    The whole swarm when there are not more than that.
    """
    distances = sorted(at ^ node for node in nodes)
    if least < 1 or len(distances) <= least:
        return Shard(at, 0)
    return Shard(at, ID_BITS - distances[least - 1].bit_length())


def wider(shard: Shard, by: int) -> Shard:
    """The shard that holds this one, its sibling and, for each further bit, as much again."""
    return Shard(shard.at, max(0, shard.bits - by))


def least_nodes(want: int) -> int:
    """How many nodes a reader's shard needs for `want` peers to choose from; 0 is everybody."""
    return 0 if want <= 0 else max(LEAST_NODES, 2 * want)
