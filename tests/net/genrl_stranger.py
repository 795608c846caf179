"""A stock hivemind node without validator or guard, as a GenRL node has it. For the tests.

`python -m tests.net.genrl_stranger MADDR` joins through it and answers JSON lines:
`{"put": [[peer id or "", hex of the value, seconds to live], ...], "round": r}` stores with
hivemind's own `store`; `{"get": r}` gives `{peer id: hex}` by hivemind's own `get`; `{"raw": [[key,
hex of the subkey, hex of the stored bytes, seconds to live], ...]}` sends them to the first node as
they are and tells what it kept.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from core.net import lean

lean.install()

from hivemind.dht.node import DHTNode  # noqa: E402
from hivemind.dht.routing import DHTID  # noqa: E402
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID  # noqa: E402
from hivemind.proto import dht_pb2  # noqa: E402


async def answer(node: DHTNode, first: PeerID, ask: dict[str, Any]) -> Any:
    if "put" in ask:
        key, kept = str(ask["round"]), []
        for peer_id, value, life_s in ask["put"]:
            expires = time.time() + life_s
            subkey = peer_id or str(node.peer_id)
            kept.append(await node.store(key, bytes.fromhex(value), expires, subkey=subkey))
        return kept
    if "get" in ask:
        found = await node.get(str(ask["get"]), latest=True, beam_size=50)
        return {peer: item.value.hex() for peer, item in found.value.items()} if found else {}
    kept = []
    for key, subkey, value, life_s in ask["raw"]:
        request = dht_pb2.StoreRequest(
            keys=[DHTID.generate(source=key).to_bytes()],
            subkeys=[bytes.fromhex(subkey)],
            values=[bytes.fromhex(value)],
            expiration_time=[time.time() + life_s],
            in_cache=[False],
            peer=node.protocol.node_info,
        )
        response = await node.protocol.get_stub(first).rpc_store(request, timeout=5)
        kept.append(all(response.store_ok))
    return kept


async def main(maddr: str) -> None:
    node = await DHTNode.create(
        initial_peers=[maddr],
        host_maddrs=["/ip4/127.0.0.1/tcp/0"],
        nat_port_map=False,
        auto_nat=False,
    )
    print(json.dumps(str(node.peer_id)), flush=True)
    first = PeerID.from_base58(maddr.rpartition("/p2p/")[2])
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await answer(node, first, json.loads(line))), flush=True)
    await node.shutdown()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
