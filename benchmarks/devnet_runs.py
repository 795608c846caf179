"""The runs of benchmarks/devnet.py: left alone, killed, compared, and the same on anvil."""

from __future__ import annotations

import http.client
import random
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from devnet_work import (
    Client,
    Process,
    Work,
    devnet_node,
    first_answer_s,
    services,
)

from core.chain import codec
from core.chain.evm import Evm
from core.chain.genesis import CHAIN_ID

Figures = dict[str, Any]
HEIGHTS = (300, 3000, 10_000)
LOST_CONNECTION = (OSError, http.client.HTTPException)


def latency(prefix: str, seconds: list[float]) -> Figures:
    cut = quantiles(seconds, n=20)
    return {f"{prefix}_median_ms": 1e3 * median(seconds), f"{prefix}_p95_ms": 1e3 * cut[18]}


def timed(seconds: list[float], call: Any, *arguments: Any) -> Any:
    began = time.perf_counter()
    result = call(*arguments)
    seconds.append(time.perf_counter() - began)
    return result


def all_logs(client: Client, contract: str) -> tuple[float, int]:
    """(seconds, logs) of a reader who pages through 0..head by the ranges that errors suggest."""
    head = int(client.call("eth_blockNumber"), 16)
    began, first, found = time.perf_counter(), 0, 0
    while first <= head:
        last = head
        while True:
            span = {"fromBlock": hex(first), "toBlock": hex(last), "address": contract}
            request = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [span]}
            told = client.post(request)[1]
            if "result" in told:
                break
            last = int(told["error"]["data"]["to"], 16)
        found += len(told["result"])
        first = last + 1
    return time.perf_counter() - began, found


def one_rounds_logs_s(client: Client, contract: str, number: int) -> float:
    topics = ["0x" + codec.topic("RewardSubmitted").hex(), None, f"0x{number:064x}"]
    span = {"fromBlock": "0x0", "toBlock": "latest", "address": contract, "topics": topics}
    began = time.perf_counter()
    client.call("eth_getLogs", span)
    return time.perf_counter() - began


def calls(client: Client, contract: str) -> Figures:
    """Of a view, alone and a hundred in a batch."""
    data = "0x" + codec.encode("currentRound").hex()
    params = [{"to": contract, "data": data}, "latest"]
    seconds: list[float] = []
    for _ in range(300):
        timed(seconds, client.call, "eth_call", *params)
    one = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": params}
    batches: list[float] = []
    for _ in range(5):
        timed(batches, client.post, [one] * 100)
    return {**latency("eth_call", seconds), "batch_of_100_ms": 1e3 * median(batches)}


def mined(client: Client, raw: str) -> str:
    """Send a transaction and have its receipt; its hash."""
    tx_hash = client.call("eth_sendRawTransaction", raw)
    while client.call("eth_getTransactionReceipt", tx_hash) is None:
        time.sleep(0.0005)
    return str(tx_hash)


def sent_all(process: Process, client: Client, work: Work) -> Figures:
    """Send everything one by one; latencies until the receipt, and eth_getLogs on the way."""
    seconds: list[float] = []
    figures: Figures = {}
    began, cpu_s = time.perf_counter(), process.cpu_s()
    pauses = logs_cpu_s = 0.0
    for count, raw in enumerate(work.raws, 1):
        timed(seconds, mined, client, raw)
        if count in HEIGHTS or count == len(work.raws):
            paused, paused_cpu_s = time.perf_counter(), process.cpu_s()
            spent_s, found = all_logs(client, work.contract)
            figures[f"all_logs_at_{count}_s"] = round(spent_s, 4)
            figures[f"all_logs_at_{count}"] = found
            figures[f"a_rounds_logs_at_{count}_s"] = round(
                one_rounds_logs_s(client, work.contract, 1), 5
            )
            pauses += time.perf_counter() - paused
            logs_cpu_s += process.cpu_s() - paused_cpu_s
    spent_s = time.perf_counter() - began - pauses
    cpu_s = process.cpu_s() - cpu_s - logs_cpu_s
    return {
        "cpu_ms_per_transaction": 1e3 * cpu_s / len(work.raws),
        "transactions_per_s": len(work.raws) / spent_s,
        **latency("transaction", seconds),
        **figures,
        **calls(client, work.contract),
    }


def uninterrupted(folder: Path, work: Work) -> Figures:
    process, client = devnet_node(folder)
    try:
        for account in work.accounts:
            client.call("waggle_fund", account)
        before = size_bytes(folder)
        figures = sent_all(process, client, work)
        figures["rss_mib"] = process.rss_mib()
    finally:
        client.close()
        process.kill()
    figures["file_mib"] = size_bytes(folder) / 2**20
    figures["bytes_per_transaction"] = (size_bytes(folder) - before) / len(work.raws)
    evm = Evm(folder)
    evm.sweep()
    evm.close()
    figures["bytes_per_transaction_once_swept"] = (used_bytes(folder) - before) / len(work.raws)
    return figures


def size_bytes(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.glob("chain.db*"))


def used_bytes(folder: Path) -> int:
    """Without the pages that a sweep left free for what comes next."""
    import sqlite3

    db = sqlite3.connect(folder / "chain.db")
    (pages,), (free,), (size,) = (
        db.execute(f"PRAGMA {name}").fetchone()
        for name in ("page_count", "freelist_count", "page_size")
    )
    db.close()
    return int((pages - free) * size)


def interrupted(folder: Path, work: Work, kills: int, moments: random.Random) -> Figures:
    """Send everything while the process is killed `kills` times; what was accepted and is gone."""
    process, client = devnet_node(folder)
    for account in work.accounts:
        client.call("waggle_fund", account)
    accepted: list[str] = []
    starts: list[float] = []
    each = len(work.raws) // (kills + 1)
    due = [each * (n + 1) + moments.randrange(each // 2) for n in range(kills)]
    position = unanswered = lost = 0
    while position < len(work.raws):
        raw = work.raws[position]
        if due and position >= due[0]:
            due.pop(0)
            # While the next transactions are on their way, at a moment that nobody chose.
            threading.Timer(moments.uniform(0, 0.05), process.kill).start()
        try:
            accepted.append(client.call("eth_sendRawTransaction", raw))
        except RuntimeError as error:
            if "nonce too low" not in str(error):
                raise
            unanswered += 1  # it was in a block when the answer was lost
        except LOST_CONNECTION:
            client.close()
            process.child.wait(10)
            process, client = devnet_node(folder)
            starts.append(first_answer_s(process, client))
            lost += missing(client, accepted)
            continue
        position += 1
    client.close()
    process.kill()
    return {
        "kills": len(starts),
        "lost": lost,
        "mined_though_the_answer_was_lost": unanswered,
        "longest_start_s": max(starts, default=0.0),
    }


def missing(client: Client, hashes: list[str]) -> int:
    """How many of them have no receipt."""
    return sum(client.call("eth_getTransactionReceipt", each) is None for each in hashes)


def compared(left: Path, right: Path, work: Work) -> Figures:
    """Whether two chains are the same but for the times in their headers."""
    one, other = Evm(left), Evm(right)
    same_blocks = one.height() == other.height()
    same_receipts = True
    for number in range(min(one.height(), other.height()) + 1):
        a, b = one.block(number), other.block(number)
        same_blocks &= a.transactions == b.transactions and all(
            getattr(a.header, name) == getattr(b.header, name)
            for name in ("state_root", "transaction_root", "receipt_root", "base_fee_per_gas")
        )
        same_receipts &= one.receipts(a) == other.receipts(b)
    failed = sum(
        one.receipts(one.block(number))[0].state_root != b"\x01"
        for number in range(1, one.height() + 1)
    )
    root = one.header().state_root.hex()
    one.close()
    other.close()
    return {
        "blocks": one.height(),
        "same_blocks": same_blocks,
        "same_receipts": same_receipts,
        "failed_transactions": failed,
        "state_root": root,
    }


def started(folder: Path) -> Figures:
    """The services, as a node starts them, on the chain that was left alone."""
    seconds = []
    for _ in range(3):
        process, told = services(folder)
        client = Client(told["rpc_url"])
        seconds.append(first_answer_s(process, client))
        client.close()
        rss = process.rss_mib()
        process.kill()
    return {"first_answer_s": median(seconds), "rss_mib": rss}


class Anvils:
    """Starts anvil on one state file, with the accounts' ether."""

    def __init__(self, path: str, folder: Path, work: Work) -> None:
        folder.mkdir()
        self.state = folder / "state.json"
        self._log = folder / "log"
        self._work = work
        self._command = [path, "--port", "0", "--chain-id", str(CHAIN_ID), "--order", "fifo"]

    def start(self, *options: str) -> tuple[Process, Client]:
        process = Process([*self._command, "--state", str(self.state), *options], self._log)
        port = process.line("Listening on").rsplit(":", 1)[1].strip()
        # What it says afterwards must not fill the pipe.
        assert process.child.stdout is not None
        threading.Thread(target=process.child.stdout.read, daemon=True).start()
        return process, Client(f"http://127.0.0.1:{port}")

    def begin(self, *options: str) -> tuple[Process, Client]:
        process, client = self.start(*options)
        for account in self._work.accounts:
            client.call("anvil_setBalance", account, hex(10**24))
        for raw in self._work.deploy:
            mined(client, raw)
        return process, client


def anvil_run(path: str, folder: Path, work: Work) -> Figures:
    """The same work on anvil, ended properly and started again; then a new one, killed."""
    anvils = Anvils(path, folder, work)
    process, client = anvils.begin()
    figures = sent_all(process, client, work)
    figures["rss_mib"] = process.rss_mib()
    client.close()
    process.interrupt()
    figures["file_mib"] = anvils.state.stat().st_size / 2**20
    process, client = anvils.start()
    figures["first_answer_s"] = first_answer_s(process, client)
    figures["receipts_lost_by_a_proper_end"] = anvil_lost(client, work, len(work.raws))
    client.close()
    process.kill()

    anvils.state.unlink()
    process, client = anvils.begin("--state-interval", "1")
    few = min(2000, len(work.raws))
    for raw in work.raws[:few]:
        mined(client, raw)
    client.close()
    process.kill()
    process, client = anvils.start()
    figures["accepted_before_a_kill"] = few
    figures["lost_by_the_kill"] = anvil_lost(client, work, few)
    client.close()
    process.kill()
    return figures


def anvil_lost(client: Client, work: Work, count: int) -> int:
    from eth_utils.crypto import keccak

    hashes = ["0x" + keccak(hexstr=raw).hex() for raw in work.raws[:count]]
    return missing(client, hashes)
