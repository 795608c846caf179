"""The parts of benchmarks/devnet.py: a client, the work of a swarm, and chains to do it on."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from eth_account import Account

from core.chain import codec
from core.chain.account import Wallet, load_or_create
from core.chain.chainclient import ChainClient
from core.chain.evm import Evm
from core.chain.genesis import CHAIN_ID
from core.chain.intake import fees

ROOT = Path(__file__).resolve().parent.parent
PEERS = 20
GAS, PRICE = 1_000_000, 20 * 10**9
START_S = 60.0
REWARD = "submitReward(uint256,uint256,int256,string)"


class Client:
    """JSON-RPC over one kept connection. OSError or HTTPException when it breaks."""

    def __init__(self, url: str, source: str = "") -> None:
        """source: address of this machine to come from."""
        host, _, port = url.removeprefix("http://").partition(":")
        origin = (source, 0) if source else None
        self._connection = http.client.HTTPConnection(
            host, int(port), timeout=120, source_address=origin
        )

    def post(self, body: Any) -> tuple[int, Any]:
        """(HTTP status, JSON)."""
        head = {"Content-Type": "application/json"}
        self._connection.request("POST", "/", json.dumps(body), head)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def call(self, method: str, *params: Any) -> Any:
        """The result. RuntimeError with the message of an error answer."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        told = self.post(request)[1]
        if "error" in told:
            raise RuntimeError(told["error"]["message"])
        return told["result"]

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class Work:
    """What is done on each chain: signed transactions in their order, for one contract.

    deploy: the owner's transactions that make the contract. accounts: who needs ether.
    """

    contract: str
    deploy: tuple[str, ...]
    accounts: tuple[str, ...]
    raws: tuple[str, ...]


def make_work(folder: Path, count: int) -> Work:
    """Sign `count` transactions of a swarm whose owner's account is in `folder`/owner.

    Peers register; in every round each submits its reward, then its vote, then the round ends.
    """
    owner = load_or_create(folder / "owner")
    evm = Evm(folder)
    client = ChainClient(evm, owner)
    sent = [evm.block(n).transactions[0] for n in range(1, evm.height() + 1)]
    mine = [each for each in sent if each.sender == bytes.fromhex(owner.address[2:])]
    evm.close()
    peers = [Wallet(bytes(Account.create().key), folder) for _ in range(PEERS)]
    nonces = {owner.address: len(mine)}

    def signed(wallet: Wallet, function: str, *arguments: Any) -> str:
        nonce = nonces.get(wallet.address, 0)
        nonces[wallet.address] = nonce + 1
        told = {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": client.contract,
            "value": 0,
            "data": "0x" + codec.encode(function, *arguments).hex(),
            "gas": GAS,
            "maxFeePerGas": PRICE,
            "maxPriorityFeePerGas": 0,
        }
        return "0x" + wallet.sign(told).hex()

    def rounds() -> Iterator[str]:
        for wallet in peers:
            yield signed(wallet, "registerPeer", f"peer of {wallet.address}")
        number = 0
        while True:
            for index, wallet in enumerate(peers):
                name = f"peer of {wallet.address}"
                yield signed(wallet, REWARD, number, 0, index - 3, name)
            for index, wallet in enumerate(peers):
                best = f"peer of {peers[(index + number) % PEERS].address}"
                name = f"peer of {wallet.address}"
                yield signed(wallet, "submitWinners", number, [best], name)
            yield signed(owner, "updateStageAndRound")
            number += 1

    steps = rounds()
    return Work(
        client.contract,
        tuple("0x" + each.encode().hex() for each in mine if fees(each)),
        (owner.address, *(each.address for each in peers)),
        tuple(next(steps) for _ in range(count)),
    )


class Process:
    """A chain in a process of its own, killed when it ends here."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.began = time.monotonic()
        self._log = log.open("ab")
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        atexit.register(self._end)

    def line(self, word: str) -> str:
        """Its next line with `word` in it. RuntimeError when it ends before."""
        assert self.child.stdout is not None
        for text in self.child.stdout:
            if word in text:
                return text
        raise RuntimeError(f"it ended without saying {word}; see {self._log.name}")

    def _end(self) -> None:
        """When the benchmark ends before it should."""
        if self.child.poll() is None:
            self.kill()

    def interrupt(self) -> None:
        """As a person ends it, and wait for its end."""
        tree = self._tree()[1:]
        os.killpg(self.child.pid, signal.SIGINT)
        self.child.wait(START_S)
        psutil.wait_procs(tree, timeout=START_S)
        self._log.close()

    def kill(self) -> None:
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(10)
        self._log.close()

    def rss_mib(self) -> float:
        return sum(each.memory_info().rss for each in self._tree()) / 2**20

    def cpu_s(self) -> float:
        """Processor time so far: what a busy machine does not change much."""
        times = [each.cpu_times() for each in self._tree()]
        return sum(each.user + each.system for each in times)

    def _tree(self) -> list[psutil.Process]:
        """The process and its children: anvil from npm is a script with the node as a child."""
        first = psutil.Process(self.child.pid)
        return [first, *first.children(recursive=True)]


def devnet_node(folder: Path) -> tuple[Process, Client]:
    """The devnet on a folder, ready."""
    node = str(ROOT / "benchmarks" / "devnet_node.py")
    process = Process([sys.executable, node, str(folder)], folder / "log")
    return process, Client(json.loads(process.line("url"))["url"])


def services(folder: Path, *options: str) -> tuple[Process, dict[str, Any]]:
    """The services as a node starts them; what they announce."""
    command = [sys.executable, "-m", "core.chain.services", "--folder", str(folder)]
    process = Process([*command, "--round-timeout", "3600", *options], folder / "log")
    told: dict[str, Any] = json.loads(process.line("ready"))["ready"]
    return process, told


def first_answer_s(process: Process, client: Client) -> float:
    """Seconds from the start of the process to an answer to eth_blockNumber."""
    deadline = process.began + START_S
    while time.monotonic() < deadline:
        try:
            client.call("eth_blockNumber")
            return time.monotonic() - process.began
        except (OSError, http.client.HTTPException):
            client.close()
            time.sleep(0.02)
    raise TimeoutError(f"no answer within {START_S:.0f} s")
