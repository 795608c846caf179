"""One node as GenRL uses hivemind, for `swarm.py`: a plain DHTNode, a key a round, a subkey a node.

Takes bootnodes as arguments and questions as JSON lines: `{"store": round, "kib": size}` puts that
many KiB under the key of the round, `{"get": round, "everybody": n}` reads the whole dictionary,
again and again until all n are in it or 30 s are over. Answers each with a JSON line. hivemind is
imported without torch, as in Waggle's sidecar, so that neither has an advantage by that.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
os.environ.update(HIVEMIND_LOGLEVEL="CRITICAL", HIVEMIND_COLORS="false")

from core.net import lean

lean.install()

from hivemind.dht.node import DHTNode  # noqa: E402

LIFE_S, PATIENCE_S = 600.0, 30.0


async def answer(node: DHTNode, question: dict[str, Any]) -> Any:
    if "store" in question:
        key, value = str(question["store"]), os.urandom(1_024 * question["kib"])
        return await node.store(key, value, time.time() + LIFE_S, subkey=str(node.peer_id))
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = await node.get(str(question["get"]), latest=True)
        count = len(found.value) if found is not None else 0
        if count >= question["everybody"] or time.monotonic() > deadline:
            return count
        await asyncio.sleep(0.5)


async def main() -> None:
    node = await DHTNode.create(
        initial_peers=sys.argv[1:],
        host_maddrs=["/ip4/127.0.0.1/tcp/0"],
        nat_port_map=False,
        auto_nat=False,
    )
    print(json.dumps([str(m) for m in await node.protocol.p2p.get_visible_maddrs()]), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await answer(node, json.loads(line))), flush=True)
    await node.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
