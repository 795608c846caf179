"""What strangers who ask all they can do to the node and the clock of the machine they ask.

For benchmarks/devnet.py. The services run as a node runs them, opened at a second address of this
machine; whoever comes by that one counts as another machine.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from devnet_runs import Figures, latency, timed
from devnet_work import Client, services
from eth_account import Account

from core.chain import codec
from core.chain.account import Wallet
from core.chain.coordinator import WalletCoordinator

PUBLIC = "127.0.0.2"
THREADS = 8
ROUNDS = 15
ENDLESS = {"data": "0x5b600056"}
"""The creation of a contract whose first act is to loop until its gas or its time is over."""


def flooded(folder: Path) -> Figures:
    folder.mkdir()
    process, told = services(folder, "--public", PUBLIC, "--calls-per-s", "50")
    wallet = Wallet(bytes(Account.create().key), folder)
    node = WalletCoordinator(told["rpc_url"], told["contract"], wallet)
    client = Client(told["rpc_url"])
    try:
        node.register("peer")
        figures = {f"quiet_{k}": v for k, v in measured(client, node, told["contract"]).items()}
        stop, answers = threading.Event(), Counter[str]()
        threads = [
            threading.Thread(target=flood, args=(told["public_url"], n, stop, answers))
            for n in range(THREADS)
        ]
        for each in threads:
            each.start()
        under = measured(client, node, told["contract"])
        stop.set()
        for each in threads:
            each.join()
        figures |= {f"flooded_{k}": v for k, v in under.items()}
        return {**figures, "answers_to_the_flood": dict(answers)}
    finally:
        client.close()
        node.close()
        process.kill()


def measured(client: Client, node: WalletCoordinator, contract: str) -> Figures:
    """Latencies of a view, of a reward until it is mined, and of the clock until it moves on."""
    params = [{"to": contract, "data": "0x" + codec.encode("currentRound").hex()}, "latest"]
    views: list[float] = []
    rewards: list[float] = []
    clock: list[float] = []
    for _ in range(ROUNDS):
        for _ in range(20):
            timed(views, client.call, "eth_call", *params)
        number = int(client.call("eth_call", *params), 16)
        timed(rewards, node.submit_reward, number, 0, 1, "peer")
        timed(clock, moved_on, client, params, number)
    return latency("eth_call", views) | latency("reward", rewards) | latency("clock", clock)


def moved_on(client: Client, params: list[Any], number: int) -> None:
    deadline = time.monotonic() + 30
    while int(client.call("eth_call", *params), 16) == number:
        if time.monotonic() > deadline:
            raise TimeoutError("the round did not end within 30 s")
        time.sleep(0.002)


def flood(url: str, number: int, stop: threading.Event, answers: Counter[str]) -> None:
    """Ask for endless computations from four addresses, two threads each, and count the answers."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [ENDLESS, "latest"]}
    client = Client(url, source=f"127.0.0.{11 + number % 4}")
    while not stop.is_set():
        try:
            status, told = client.post(request)
            answers[f"{status} {told.get('error', {}).get('code', 'answered')}"] += 1
        except (OSError, http.client.HTTPException) as error:
            answers[type(error).__name__] += 1
            client.close()
    client.close()
