"""A hostile node, for `test_hostile.py`: raw messages that no Waggle would send.

`python -m tests.net.hostile FOLDER VICTIM_MADDR ROUND` prints one line an attack: its name and what
the victim answered. After that it publishes a good record for the round, whose payload it never
gives out, lies about the records of others, and stays until its standard input ends.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from pathlib import Path

import msgpack

from core.net import lean

lean.install()

from hivemind.dht.routing import DHTID  # noqa: E402
from hivemind.dht.storage import DictionaryDHTValue  # noqa: E402
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID  # noqa: E402
from hivemind.p2p.p2p_daemon_bindings.utils import P2PHandlerError  # noqa: E402
from hivemind.proto import dht_pb2  # noqa: E402

from core.net import asking, daemon, records  # noqa: E402
from core.net.board import Board  # noqa: E402
from core.net.dht import Dht, Options  # noqa: E402
from core.net.identity import Identity, load_or_create  # noqa: E402
from core.net.serving import PROTOCOL, Shelf  # noqa: E402


def deep(levels: int) -> bytes:
    data = b"\xc0"
    for _ in range(levels):
        data = msgpack.packb(msgpack.ExtType(0x40, b"\x91" + data))
    return data


async def attack(folder: Path, maddr: str, round: int) -> None:
    load_or_create(folder / "hostile.pem")
    sockets = daemon.SocketFolder()
    start = daemon.DaemonOptions(folder / "hostile.pem", ("/ip4/127.0.0.1/tcp/0",))
    options = Options(start, "test", bootnodes=(maddr,))
    dht = Dht(options, sockets, Shelf(), Board("test"))
    await dht.open()
    victim = PeerID.from_base58(maddr.rpartition("/p2p/")[2])
    while str(victim) not in dht.peers:
        await asyncio.sleep(0.05)
    stub = dht._node.protocol.get_stub(victim)
    key = DHTID.generate(source=f"round-{round}").to_bytes()
    later, forever = time.time() + 100, float("inf")
    text = msgpack.packb(b"x" * 100)
    whole = DictionaryDHTValue()
    whole.store(str(victim), text, later)
    attacks = {
        "regular value": (msgpack.packb(None), text, later),
        "unsigned": (msgpack.packb(str(victim)), text, later),
        "forever": (msgpack.packb(str(victim)), text, forever),
        "0xc1": (msgpack.packb("a"), b"\xc1", later),
        "empty": (msgpack.packb("a"), b"", later),
        "deep value": (msgpack.packb("a"), deep(3000), later),
        "deep subkey": (deep(300), text, later),
        "deep dictionary": (b"", deep(300), later),
        "whole dictionary": (b"", msgpack.packb(msgpack.ExtType(0x50, whole.packb())), later),
        "large": (msgpack.packb("a"), msgpack.packb(b"x" * 2_000_000), later),
    }
    for in_cache in (False, True):
        for name, (subkey, value, expires) in attacks.items():
            request = dht_pb2.StoreRequest(
                keys=[key],
                subkeys=[subkey],
                values=[value],
                expiration_time=[expires],
                in_cache=[in_cache],
                peer=dht._node.protocol.node_info,
            )
            try:
                response = await stub.rpc_store(request, timeout=5)
                print(name, any(response.store_ok), flush=True)
            except Exception as error:  # noqa: BLE001  (any refusal will do; a dead victim shows)
                print(name, "refused", type(error).__name__, flush=True)
    for noise in (b"\xff\xff" + b"x" * 400, b"\x00\x01\xc1", b"\x00\x04" + b"\x93\x01\x01\x01"):
        _, reader, writer = await dht._p2p.call_binary_stream_handler(victim, PROTOCOL)
        writer.write(noise)
        await writer.drain()
        print("stream", await asyncio.wait_for(reader.read(100), 10) == b"", flush=True)
        writer.close()
    await ask(dht, victim, folder, round)

    async def hang(stream: object, reader: asyncio.StreamReader, writer: object) -> None:
        await reader.read()

    await dht._p2p._client.remove_stream_handler(PROTOCOL)
    await dht._p2p.add_binary_stream_handler(PROTOCOL, hang)
    me = load_or_create(folder / "hostile.pem")
    await lie(dht, records.encode(record(me, round - 1), me))
    await dht.directory.publish(records.encode(record(me, round), me))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await dht.close()
    sockets.remove()


async def lie(dht: Dht, elsewhere: bytes) -> None:
    """From now on keep nothing, say that it is kept, and tell each who asks something else."""
    tales = itertools.cycle(
        [
            asking.encode_records([]),
            asking.encode_records([elsewhere] * 32),
            b"\xc1" * 300,
            bytes(3_000_000),
        ]
    )

    async def answer(data: bytes, peer: PeerID) -> bytes:
        return b"\1" if isinstance(asking.decode_ask(data), asking.Keep) else next(tales)

    await dht._p2p._client.remove_unary_handler(asking.PROTOCOL)
    await dht._p2p._client.add_unary_handler(asking.PROTOCOL, answer)


def record(who: Identity, round: int, issued: float = 0.0, swarm: str = "test") -> records.Record:
    issued = issued or time.time()
    return records.Record(
        swarm=swarm,
        peer_id=who.peer_id,
        round=round,
        stage=0,
        digest="ab" * 32,
        size_bytes=1_000,
        groups=3,
        reward_mean=1.0,
        maddrs=(),
        issued=issued,
        expires=issued + 600,
        public_key_bytes=who.public_key_bytes,
    )


async def ask(dht: Dht, victim: PeerID, folder: Path, round: int) -> None:
    """Put what does not belong there into the victim's part of the directory."""
    me, stranger = load_or_create(folder / "hostile.pem"), load_or_create(folder / "stranger.pem")
    now = time.time()
    good = records.encode(record(me, round - 1, now), me)
    keep = asking.encode_keep
    questions = {
        "stranger's record": keep(records.encode(record(stranger, round), stranger)),
        "other swarm": keep(records.encode(record(me, round, swarm="other"), me)),
        "broken signature": keep(good[:-1] + bytes([good[-1] ^ 1])),
        "from the future": keep(records.encode(record(me, round, now + 3_000), me)),
        "expired": keep(records.encode(record(me, round, now - 3_000), me)),
        "noise": b"\xc1" * 300,
        "nested": b"\x91" * 4_000,
        "endless": bytes(3_000_000),
        "good one": keep(good),
        "rolled back": keep(records.encode(record(me, round - 1, now - 10), me)),
    }
    for name, question in questions.items():
        call = dht._p2p._client.call_unary_handler(victim, asking.PROTOCOL, question)
        try:
            print(name, await asyncio.wait_for(call, 5) == b"\1", flush=True)
        except P2PHandlerError as error:
            print(name, "refused", error, flush=True)


if __name__ == "__main__":
    asyncio.run(attack(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
