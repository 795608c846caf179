"""The chains of `rewards.py` and `load.py`: the devnet in its own process, or anvil; with a clock.

Both speak plain JSON-RPC and hold a fresh SwarmCoordinator. The devnet's services process brings
the round clock of a hosted swarm; for anvil a thread here does the same: it moves on once every
peer that is waited for has its reward on the chain.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from core import children  # noqa: E402
from core.chain import codec  # noqa: E402
from core.chain.account import load_or_create  # noqa: E402
from core.chain.coordinator import WalletCoordinator  # noqa: E402
from core.chain.rpc import Rpc  # noqa: E402
from tests.chain.anvil import MISSING, Anvil  # noqa: E402

LOOK_S = 0.02


class DevnetProcess:
    """`python -m core.chain.services`, as a hosting node starts it."""

    def __init__(self, folder: Path, round_timeout_s: float) -> None:
        self._folder = folder / "timekeeper"
        self._blocks = 0
        self._child = children.spawn(
            "core.chain.services",
            ["--folder", str(folder), "--port", "0", "--round-timeout", str(round_timeout_s)],
            log=folder.parent / "services.log",
        )
        assert self._child.stdout is not None
        told = json.loads(self._child.stdout.readline())
        if "ready" not in told:
            raise RuntimeError(told)
        self.url = str(told["ready"]["rpc_url"])
        self.contract = str(told["ready"]["contract"])
        self.pid = self._child.pid
        self.rpc = Rpc(self.url, 60.0)

    def pay(self, account: str) -> None:
        """Nothing: the faucet pays when it is asked."""

    def hold(self) -> None:
        """Let no new round begin: a peer that registers and stays silent is waited for."""
        self.grow()

    def grow(self) -> None:
        """A block more: a submission is credited when it is some blocks deep."""
        self._blocks += 1
        coordinator = WalletCoordinator(self.url, self.contract, load_or_create(self._folder))
        coordinator.register(f"timekeeper {self._blocks}")
        coordinator.close()

    def close(self) -> None:
        self.rpc.close()
        children.stop(self._child)


class AnvilProcess:
    """anvil with a contract of its own, and thread `clock` for its owner's transactions.

    everybody: how many peers a round waits for.
    """

    def __init__(self, folder: Path, round_timeout_s: float, everybody: int, *options: str) -> None:
        self._anvil = Anvil(folder, *options)
        self._everybody = everybody
        self._timeout_s = round_timeout_s
        self.contract = self._anvil.deploy()
        self.url, self.rpc, self.pid = self._anvil.url, Rpc(self._anvil.url, 60.0), self._anvil.pid
        self._ending = threading.Event()
        self._clock = threading.Thread(target=self._run, name="clock", daemon=True)
        self._clock.start()

    def pay(self, account: str) -> None:
        self._anvil.give(account)

    def hold(self) -> None:
        self._everybody += 1

    def grow(self) -> None:
        self._anvil.rpc.call("anvil_mine", "0x1")

    def close(self) -> None:
        self._ending.set()
        self._clock.join(10)
        self.rpc.close()
        self._anvil.close()

    def _run(self) -> None:
        block, done, began = 0, set[str](), time.monotonic()
        number = 0
        topics = [["0x" + codec.topic("RewardSubmitted").hex()]]
        while not self._ending.wait(LOOK_S):
            head = self._anvil.rpc.quantity("eth_blockNumber")
            if head > block:
                bounds = {"fromBlock": hex(block + 1), "toBlock": hex(head)}
                query = {"address": self.contract, "topics": topics, **bounds}
                for log in self._anvil.rpc.call("eth_getLogs", query):
                    words = tuple(bytes.fromhex(each[2:]) for each in log["topics"])
                    data = bytes.fromhex(log["data"][2:])
                    told = codec.decode_event("RewardSubmitted", words, data)
                    if told["roundNumber"] == number:
                        done.add(told["peerId"])
                block = head
            late = time.monotonic() - began > self._timeout_s
            if len(done) >= self._everybody or (done and late):
                self._anvil.advance()
                number, done, began = number + 1, set(), time.monotonic()


Chain = DevnetProcess | AnvilProcess


def start(kind: str, folder: Path, round_timeout_s: float, everybody: int) -> Chain:
    """kind: devnet, anvil, which mines at once, or anvil:N, which mines every N seconds."""
    folder.mkdir(parents=True)
    if kind == "devnet":
        return DevnetProcess(folder / "services", round_timeout_s)
    if MISSING:
        sys.exit(MISSING)
    every_s = kind.partition(":")[2]
    options = ("--block-time", every_s) if every_s else ()
    return AnvilProcess(folder / "anvil", round_timeout_s, everybody, *options)


def round_now(chain: Chain) -> int:
    data = "0x" + codec.encode("currentRound").hex()
    answer = chain.rpc.data("eth_call", {"to": chain.contract, "data": data}, "latest")
    return int(codec.decode("currentRound", answer)[0])


def wait(predicate: Callable[[], object], timeout_s: float, what: str) -> None:
    """TimeoutError, saying what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.02)
