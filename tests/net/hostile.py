"""A hostile node, for `test_hostile.py`: raw DHT messages that no Waggle would send.

`python -m tests.net.hostile FOLDER VICTIM_MADDR ROUND` prints one line an attack: its name and what
the victim answered.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import msgpack

from core.net import lean

lean.install()

from hivemind.dht.routing import DHTID  # noqa: E402
from hivemind.dht.storage import DictionaryDHTValue  # noqa: E402
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID  # noqa: E402
from hivemind.proto import dht_pb2  # noqa: E402

from core.net import daemon, records  # noqa: E402
from core.net.board import Board  # noqa: E402
from core.net.dht import Dht, Options  # noqa: E402
from core.net.identity import load_or_create  # noqa: E402
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
    key = DHTID.generate(source=records.directory_key("test", round, 0)).to_bytes()
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
    await dht.close()
    sockets.remove()


if __name__ == "__main__":
    asyncio.run(attack(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
