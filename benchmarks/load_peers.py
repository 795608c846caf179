"""Some of the peers of `load.py`, in one process: each with its own key, outbox and coordinator.

    python benchmarks/load_peers.py FOLDER URL CONTRACT FIRST COUNT ROUNDS

A peer is what a node has of this: `WalletCoordinator`, `Outbox`, and a thread that asks for the
round as the worker does and records it at once. Every call to the coordinator is timed from
outside. Says `registered` on standard output once all of them are, and waits for a line before the
first round, so that no round ends without somebody. Writes `FOLDER/calls-FIRST.json`; the peers'
databases are `FOLDER/peer-N/node.db`.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from eth_utils.crypto import keccak  # noqa: E402

from core.chain.account import Wallet  # noqa: E402
from core.chain.coordinator import WalletCoordinator  # noqa: E402
from core.chain.outbox import Outbox  # noqa: E402
from core.errors import RefusedError, TransientError  # noqa: E402
from core.schema import ChainSection  # noqa: E402

TIMED = {
    "register", "submit_reward", "submit_winners", "round_and_stage", "has_reward", "has_voted",
    "owner_of", "counters", "head", "receipt",
}  # fmt: skip
FIRST_LOOK_S, LONGEST_LOOK_S = 0.1, 1.0
"""How long a peer waits before it asks for the round again; as long as the worker does."""
CALL_TIMEOUT_S = 20.0
SPREAD_S = 5.0
"""Peers come in over so long: nobody starts two hundred nodes in the same second."""

Call = tuple[str, float, str]
"""(method, seconds, why it failed or empty)"""


class Timed:
    """A coordinator whose calls are timed; everything else is the coordinator's own."""

    def __init__(self, coordinator: WalletCoordinator, calls: list[Call]) -> None:
        self._coordinator = coordinator
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._coordinator, name)
        return self._timed(name, found) if name in TIMED else found

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            began, failed = time.monotonic(), ""
            try:
                return function(*arguments, **named)
            except (TransientError, RefusedError) as error:
                failed = getattr(error, "code", "") or error.why or error.what
                raise
            finally:
                self._calls.append((name, time.monotonic() - began, failed))

        return call


class Peer:
    """Threads `outbox` and `peer-N`."""

    def __init__(self, folder: Path, url: str, contract: str, number: int, rounds: int) -> None:
        self.name = f"peer-{number:03d}"
        self.calls: list[Call] = []
        self._folder = folder / self.name
        self._folder.mkdir(parents=True)
        self._wallet = Wallet(wallet_key(number), self._folder)
        self._where = (url, contract)
        self._rounds = rounds
        self._luck = random.Random(number)
        self._connected: Timed | None = None
        self._lock = threading.Lock()
        self.outbox = Outbox(
            self._folder / "node.db", self._coordinator, lambda event: None, self.name
        )
        self.thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def _coordinator(self) -> Any:
        with self._lock:
            if self._connected is None:
                settings = ChainSection(call_timeout_s=CALL_TIMEOUT_S)
                made = WalletCoordinator(*self._where, self._wallet, settings)
                self._connected = Timed(made, self.calls)
            return self._connected

    def come_in(self) -> None:
        """Register, at a moment of its own."""
        threading.Timer(self._luck.uniform(0, SPREAD_S), self.outbox.start).start()

    def is_registered(self) -> bool:
        return any(row.status in ("confirmed", "credited") for row in self.outbox.rows())

    def _run(self) -> None:
        luck = self._luck
        pause, recorded = FIRST_LOOK_S, -1
        while recorded < self._rounds - 1:
            try:
                now, _ = self._coordinator().round_and_stage()
                if now != recorded and now < self._rounds and not self.outbox.has_round(now, 0):
                    winner = f"peer-{luck.randrange(200):03d}"
                    self.outbox.record_round(now, 0, luck.randrange(-5, 50), 0.5, [winner])
                    recorded, pause = now, FIRST_LOOK_S
            except TransientError:
                pass  # it is counted where it was raised; asked again below
            time.sleep(pause)
            pause = min(LONGEST_LOOK_S, pause * 1.5)

    def is_settled(self) -> bool:
        return all(row.status == "credited" for row in self.outbox.rows())


def wallet_key(number: int) -> bytes:
    """The private key of a simulated peer: worth nothing, and the same in every run."""
    return bytes(keccak(text=f"waggle load peer {number}"))


def main(folder: Path, url: str, contract: str, first: int, count: int, rounds: int) -> None:
    peers = [Peer(folder, url, contract, n, rounds) for n in range(first, first + count)]
    for peer in peers:
        peer.come_in()
    while not all(peer.is_registered() for peer in peers):
        time.sleep(0.2)
    print("registered", flush=True)
    sys.stdin.readline()
    for peer in peers:
        peer.thread.start()
    for peer in peers:
        peer.thread.join()
    deadline = time.monotonic() + 300
    while not all(peer.is_settled() for peer in peers) and time.monotonic() < deadline:
        time.sleep(0.5)
    calls = [call for peer in peers for call in peer.calls]
    (folder / f"calls-{first}.json").write_text(json.dumps(calls))
    for peer in peers:
        peer.outbox.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
