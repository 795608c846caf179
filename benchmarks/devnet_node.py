"""A devnet without a clock, for benchmarks/devnet.py: `python devnet_node.py FOLDER`.

Opens the chain in FOLDER, deploys the coordinator once, serves JSON-RPC on a free port of loopback
and prints one JSON line. Its blocks follow from the transactions sent to it alone. It runs until
it is killed.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.chain.account import load_or_create
from core.chain.chainclient import ChainClient
from core.chain.devnet import Devnet
from core.chain.evm import Evm
from core.chain.rpcmethods import RpcMethods
from core.chain.services import SWITCH_S


def main() -> None:
    folder = Path(sys.argv[1])
    sys.setswitchinterval(SWITCH_S)
    evm = Evm(folder)
    client = ChainClient(evm, load_or_create(folder / "owner"))
    devnet = Devnet(RpcMethods(evm))
    devnet.start()
    print(json.dumps({"url": devnet.url, "contract": client.contract}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
