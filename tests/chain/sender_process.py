"""A process that registers peers with one account; killed at any time by test_sending.

Arguments: account folder, RPC URL, contract, peer ids. Prints `sent HASH` when one is out and
`done HASH` when it is mined.
"""

from __future__ import annotations

import sys
from pathlib import Path

from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.schema import ChainSection


def main(folder: Path, url: str, contract: str, peers: list[str]) -> None:
    settings = ChainSection(call_timeout_s=10.0)
    node = WalletCoordinator(url, contract, load_or_create(folder), settings)
    for peer in peers:
        receipt = node.register(peer, lambda tx_hash: print(f"sent {tx_hash}", flush=True))
        print(f"done {receipt.tx_hash}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:4], sys.argv[4:])
