"""What the sidecar does for each request: one coroutine each, found by the request's class.

To add a request: its classes in `messages.py` (or beside what it is about), a coroutine, and a line
in HANDLERS. A handler may raise what a network does (`chores.NET_ERRORS`) or a WaggleError: both
become `Failed`. Knows the open DHT, not the pipe to the node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.errors import WaggleError
from core.net import messages, records
from core.net.genrl_messages import GenrlValues, HearGenrl, TellGenrl
from core.net.serving import NotAsAnnounced, Shelf
from core.net.shards import ID_BYTES

if TYPE_CHECKING:
    from core.net.dht import Dht
    from core.net.genrl_dht import GenrlDht


@dataclass
class Kept:
    """What outlives a daemon: served payloads, my last records, bootnodes told later.

    genrl: my last value for GenRL nodes.
    """

    shelf: Shelf = field(default_factory=Shelf)
    published: deque[bytes] = field(default_factory=lambda: deque(maxlen=2))
    bootnodes: list[str] = field(default_factory=list)
    genrl: TellGenrl | None = None


Handler = Callable[["Dht", Kept, Any], Awaitable[messages.Message]]


async def publish(dht: Dht, kept: Kept, ask: messages.Publish) -> messages.Done:
    record = records.decode(ask.record)
    kept.shelf.put(record.round, record.stage, record.digest, ask.payload)
    kept.published.append(ask.record)
    await dht.directory.publish(ask.record)
    return messages.Done()


async def read_directory(dht: Dht, kept: Kept, ask: messages.ReadDirectory) -> messages.Records:
    found = await dht.directory.read(ask.round, ask.stage, ask.want)
    at = found.shard.at.to_bytes(ID_BYTES, "big")
    refused = dht.directory.refused()
    return messages.Records(found.records, len(dht.peers), at, found.shard.bits, refused)


async def fetch(dht: Dht, kept: Kept, ask: messages.Fetch) -> messages.Fetched:
    record = records.decode(ask.record)
    try:
        payload, latency_ms = await dht.rollouts.fetch(record, ask.max_bytes, ask.timeout_s)
    except NotAsAnnounced as lie:
        return messages.Fetched(b"", 0.0, str(lie))
    return messages.Fetched(payload, latency_ms)


async def connect(dht: Dht, kept: Kept, ask: messages.Connect) -> messages.Done:
    kept.bootnodes = list(dict.fromkeys([*kept.bootnodes, *ask.maddrs]))
    dht.connections.add_bootnodes(list(ask.maddrs))
    return messages.Done()


async def tell_genrl(dht: Dht, kept: Kept, ask: TellGenrl) -> messages.Done:
    await _genrl(dht).tell(ask.round, ask.value)
    kept.genrl = ask
    return messages.Done()


async def hear_genrl(dht: Dht, kept: Kept, ask: HearGenrl) -> GenrlValues:
    return GenrlValues(tuple(await _genrl(dht).hear(ask.round)), len(dht.peers))


def _genrl(dht: Dht) -> GenrlDht:
    if dht.genrl is None:
        raise WaggleError("This node was started without GenRL's exchange", "swarm.genrl is off")
    return dht.genrl


async def reopen(dht: Dht, kept: Kept) -> None:
    """After a new daemon has opened: put back what the one before had told the swarm."""
    for record in kept.published:
        await dht.directory.publish(record)
    if kept.genrl is not None:
        await tell_genrl(dht, kept, kept.genrl)


def told(error: Exception) -> str:
    """An error in the words of the answer `Failed`."""
    return str(error)[:400] or type(error).__name__


HANDLERS: dict[type[messages.Message], Handler] = {
    messages.Publish: publish,
    messages.ReadDirectory: read_directory,
    messages.Fetch: fetch,
    messages.Connect: connect,
    TellGenrl: tell_genrl,
    HearGenrl: hear_genrl,
}
