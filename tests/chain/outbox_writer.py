"""A node that does nothing but record rounds; killed at random by test_outbox.

Arguments: home, RPC URL, contract, rounds. Prints `recorded N` when round N is durable.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.outbox import Outbox


def main(home: Path, url: str, contract: str, rounds: int) -> None:
    lock = threading.Lock()
    made: list[WalletCoordinator] = []

    def factory() -> WalletCoordinator:
        with lock:
            if not made:
                made.append(WalletCoordinator(url, contract, load_or_create(home / "account")))
            return made[0]

    outbox = Outbox(home / "node.db", factory, lambda event: None, "peer")
    outbox.start()
    while (number := factory().round_and_stage()[0]) < rounds:
        if outbox.has_round(number, 0):
            time.sleep(0.002)
            continue
        outbox.record_round(number, 0, 3 * number - 7, 0.5, ["peer", f"w{number}"])
        print(f"recorded {number}", flush=True)
    print("flushed" if outbox.flush(30) else "not flushed", flush=True)
    outbox.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
