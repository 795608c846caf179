"""A hostile participant of a real swarm: a DHT node of its own with every check taken out.

`python -m tests.hostile.raider FOLDER SWARM BOOTNODE GENERATIONS` joins, prints its peer id, and
then for every line `{"round": 7, "items": ["payload: noise", ...]}` on standard input does these
items of the corpus to everybody it knows, and prints a line when they are out. It keeps records for
others and answers what they ask, but tells forged ones along. In the round of the item "a stream
that never ends" it accepts fetches and leaves them hanging; in that of "a trickle" it sends a byte
a second. Reads the victims' records and rollouts through the swarm, as anybody can.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.net import lean

lean.install()

from core.net import asking, daemon, records, wire  # noqa: E402
from core.net.board import Board  # noqa: E402
from core.net.chores import NET_ERRORS  # noqa: E402
from core.net.dht import Dht, Options  # noqa: E402
from core.net.identity import Identity, load_or_create  # noqa: E402
from core.net.serving import Shelf  # noqa: E402
from core.rollouts import RolloutGroup  # noqa: E402
from core.training.games import load_game  # noqa: E402
from tests.hostile.corpus import corpus  # noqa: E402
from tests.hostile.scene import (  # noqa: E402
    CONFIG,
    HANGING,
    TRICKLE,
    Attempt,
    Item,
    Scene,
    sign,
)

ITEMS = {f"{item.door}: {item.name}": item for item in corpus()}

WITH_A_VICTIM = {
    *("groups: copied rollouts", "record: another's record", "record: stolen peer id"),
}
"""These need what somebody has published in the same round."""


class Trickster(Shelf):
    """Serves what it is told to, whatever was announced; or hangs, or trickles."""

    mode = ""
    announced = 0
    """Bytes of the payload that is promised and comes in a trickle."""

    async def handle(self, stream_info: Any, reader: Any, writer: Any) -> None:
        if not self.mode:
            await super().handle(stream_info, reader, writer)
            return
        with suppress(*NET_ERRORS):
            if self.mode == TRICKLE:
                writer.write(b"\0" + self.announced.to_bytes(4, "big"))
            for _ in range(60):
                if self.mode == TRICKLE:
                    writer.write(b"x")
                    await writer.drain()
                await asyncio.sleep(1.0)


class Liar(Board):
    """Keeps records as it should, and tells forged ones along with them."""

    def __init__(self, swarm: str) -> None:
        super().__init__(swarm)
        self.forged: list[bytes] = []

    def answer(self, data: bytes, peer_id: str) -> bytes:
        honest = super().answer(data, peer_id)
        if isinstance(asking.decode_ask(data), asking.Keep) or not self.forged:
            return honest
        told = asking.decode_records(honest)
        return asking.encode_records([*self.forged, *told][: asking.MAX_ANSWER])


class Raider:
    """One hostile node, opened."""

    def __init__(self, dht: Dht, identity: Identity, swarm: str, shelf: Trickster, board: Liar):
        self._dht, self._identity, self._swarm = dht, identity, swarm
        self._shelf, self._board = shelf, board
        self._game = load_game(CONFIG)

    async def raid(self, round: int, names: list[str]) -> None:
        """Do these items to everybody, in this round."""
        self._shelf.mode, self._board.forged = "", []
        found = await self._others(round) if WITH_A_VICTIM & set(names) else []
        scene = self._scene(round, found)
        for name in names:
            if name in (HANGING, TRICKLE):
                payload = wire.encode([scene.group()])
                self._shelf.mode, self._shelf.announced = name, len(payload)
                record = sign(scene.record(payload), self._identity)
                await self._bring(record)
                continue
            item = ITEMS[name]
            if item.name == "copied rollouts":
                stolen = await self._stolen(found)
                if not stolen:
                    continue
                scene = self._scene(round, found, stolen)
            attempt = item.make(scene)
            if item.name == "another's record":
                attempt = Attempt(found[0], b"")
            await self._do(item, attempt)

    async def _do(self, item: Item, attempt: Attempt) -> None:
        if item.door == "told":
            self._board.forged.append(attempt.record)
            return
        if item.door != "record":
            record = records.decode(attempt.record)
            self._shelf.put(record.round, record.stage, record.digest, attempt.payload)
        await self._bring(attempt.record)

    async def _bring(self, record: bytes) -> None:
        """To every node that there is, over and again what the protocol would do."""
        await asyncio.gather(
            *(
                self._dht.directory._ask(peer, asking.encode_keep(record))
                for peer in list(self._dht._node.protocol.routing_table.peer_id_to_uid)
            )
        )

    async def _others(self, round: int) -> list[bytes]:
        """The records of others, as soon as there is one; what is hostile often needs a victim."""
        others: list[bytes] = []
        while not others:
            read = await self._dht.directory.read(round, 0, 0)
            mine = self._identity.peer_id
            others = [v for v in read.records if records.decode(v).peer_id != mine]
        return others

    async def _stolen(self, found: list[bytes]) -> tuple[RolloutGroup, ...]:
        for value in found:
            record = records.decode(value)
            with suppress(*NET_ERRORS):
                payload, _ = await self._dht.rollouts.fetch(record, 2**20, 3.0)
                return wire.decode(payload, peer_id=record.peer_id, round=record.round)
        return ()

    def _scene(
        self, round: int, found: list[bytes], groups: tuple[RolloutGroup, ...] = ()
    ) -> Scene:
        generations, victim = CONFIG.game.generations, self._victim(found)
        mine = Scene(self._identity, self._swarm, self._game, generations, round, victim)
        return replace(mine, victim_groups=groups or (mine.group(),))

    def _victim(self, found: list[bytes]) -> Identity:
        """Somebody whose name can be used, and whose key this is not; myself for want of one."""
        if not found:
            return self._identity
        record = records.decode(found[0])
        return Identity(
            record.peer_id, "", record.public_key_bytes, self._identity.sign, Path("none")
        )


async def main(folder: Path, swarm: str, bootnode: str) -> None:
    identity = load_or_create(folder / "swarm.pem")
    sockets = daemon.SocketFolder()
    start = daemon.DaemonOptions(identity.path, ("/ip4/127.0.0.1/tcp/0",))
    shelf, board = Trickster(), Liar(swarm)
    dht = Dht(Options(start, swarm, bootnodes=(bootnode,)), sockets, shelf, board)
    await dht.open()
    try:
        raider = Raider(dht, identity, swarm, shelf, board)
        print(identity.peer_id, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            await raider.raid(order["round"], order["items"])
            print(json.dumps({"out": order["round"]}), flush=True)
    finally:
        await dht.close()
        sockets.remove()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
