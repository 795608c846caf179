"""200 peers register and submit a reward and a vote for each of 20 rounds: what it costs the chain.

    .venv/bin/python benchmarks/load.py [--chains devnet,anvil,anvil:1] [--peers 200] [--rounds 20]

Every peer has a key of its own and signs for itself, with the outbox, ledger and coordinator of a
node (`load_peers.py`); only the training is missing. `anvil:1` is anvil with a block a second, as
an ordinary chain has it; `anvil` mines at once. With --one-in N the peers reach the chain through
a proxy that fails one call in N (tests/chain/faulty_rpc.py). At the end all ledgers are compared
with the chain's events and views.

The peers share the machine with the chain, so the figures are of both together. `mended`: rows of
the outbox that needed more than one attempt and are credited. Prints tables and, as its last line,
one JSON object; exit code 1 when anything was lost. anvil must be on the PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from eth_account import Account  # noqa: E402
from load_peers import Call, wallet_key  # noqa: E402
from rewards_chain import Chain, start  # noqa: E402

from tests.chain.audit import differences, read_chain, read_node  # noqa: E402
from tests.chain.faulty_rpc import FaultyRpc  # noqa: E402

SHOWN = ("register", "submit_reward", "submit_winners", "round_and_stage", "has_reward", "counters")
ROUND_TIMEOUT_S = 600.0
HANG_S = 25.0


@dataclass(frozen=True)
class Latency:
    """Of one method of the coordinator. Milliseconds."""

    calls: int
    failed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Result:
    """Of one chain. registered_s: until all peers were. chain_cpu_s: of the chain's process."""

    chain: str
    peers: int
    rounds: int
    seconds: float
    registered_s: float
    transactions: int
    transactions_per_s: float
    credited: int
    expected: int
    differences: list[str]
    latency: dict[str, Latency]
    failures: dict[str, int]
    faults: dict[str, int]
    mended: int
    chain_cpu_s: float
    chain_rss_mib: float


def run(kind: str, options: argparse.Namespace, folder: Path) -> Result:
    chain = start(kind, folder / "chain", ROUND_TIMEOUT_S, everybody=options.peers)
    proxy = FaultyRpc(chain.url, seed=1, one_in=options.one_in, hang_s=HANG_S)
    crowd: list[subprocess.Popen[str]] = []
    try:
        for number in range(options.peers):
            chain.pay(Account.from_key(wallet_key(number)).address)
        began = time.monotonic()
        share = -(-options.peers // options.processes)
        url = proxy.url if options.one_in else chain.url
        for first in range(0, options.peers, share):
            count = min(share, options.peers - first)
            line = [sys.executable, str(ROOT / "benchmarks" / "load_peers.py"), str(folder)]
            line += [url, chain.contract, str(first), str(count), str(options.rounds)]
            state = {"XDG_STATE_HOME": str(folder / "state")}
            crowd.append(
                subprocess.Popen(
                    line,
                    env={**os.environ, **state},
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        registered = _all_say(crowd, "registered") - began
        _go_on(crowd)
        for process in crowd:
            process.wait()
        seconds = time.monotonic() - began
        return _result(kind, options, folder, chain, proxy, registered, seconds)
    finally:
        for process in crowd:
            process.kill()
        proxy.close()
        chain.close()


def _all_say(crowd: list[subprocess.Popen[str]], word: str) -> float:
    """Wait until every process has said it; when that was."""
    for process in crowd:
        assert process.stdout is not None
        if process.stdout.readline().strip() != word:
            raise RuntimeError("some of the peers ended early")
    return time.monotonic()


def _go_on(crowd: list[subprocess.Popen[str]]) -> None:
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def _result(
    kind: str,
    options: argparse.Namespace,
    folder: Path,
    chain: Chain,
    proxy: FaultyRpc,
    registered: float,
    seconds: float,
) -> Result:
    databases = sorted(folder.glob("peer-*/node.db"))
    found = read_chain(chain.rpc, chain.contract)
    calls: list[Call] = []
    for path in folder.glob("calls-*.json"):
        calls += json.loads(path.read_text())
    family = [psutil.Process(chain.pid), *psutil.Process(chain.pid).children(recursive=True)]
    busy = [process.cpu_times() for process in family]
    return Result(
        chain=kind,
        peers=options.peers,
        rounds=options.rounds,
        seconds=round(seconds, 1),
        registered_s=round(registered, 1),
        transactions=found.transactions,
        transactions_per_s=round(found.transactions / seconds, 1),
        credited=sum(map(len, (*found.rewards.values(), *found.votes.values()))),
        expected=2 * options.peers * options.rounds,
        differences=differences(chain.rpc, chain.contract, [read_node(db) for db in databases]),
        latency={name: latency for name in SHOWN if (latency := _latency(name, calls)).calls},
        failures=dict(Counter(why for _, _, why in calls if why).most_common(12)),
        faults=proxy.by_kind(),
        mended=sum(map(_mended, databases)),
        chain_cpu_s=round(sum(each.user + each.system for each in busy), 1),
        chain_rss_mib=round(sum(each.memory_info().rss for each in family) / 2**20),
    )


def _latency(name: str, calls: list[Call]) -> Latency:
    times = sorted(seconds for method, seconds, _ in calls if method == name)
    failed = sum(bool(why) for method, _, why in calls if method == name)

    def at(share: float) -> float:
        return (
            round(1000 * times[min(len(times) - 1, int(share * len(times)))], 1) if times else 0.0
        )

    return Latency(len(times), failed, at(0.5), at(0.95), at(0.99))


def _mended(db: Path) -> int:
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as tables:
        query = "SELECT COUNT(*) FROM outbox WHERE status = 'credited' AND attempts > 1"
        return int(tables.execute(query).fetchone()[0])


def show(told: Result) -> None:
    print(
        f"{told.chain}: {told.peers} peers registered after {told.registered_s:.0f} s, "
        f"{told.rounds} rounds after {told.seconds:.0f} s; "
        f"{told.transactions} transactions, {told.transactions_per_s}/s; {told.credited} of "
        f"{told.expected} credited, {len(told.differences)} differences; {told.mended} mended; "
        f"chain {told.chain_cpu_s:.0f} s of CPU, {told.chain_rss_mib:.0f} MiB"
    )
    print(f"  {'call':<16}{'calls':>8}{'failed':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    for name, each in told.latency.items():
        print(f"  {name:<16}{each.calls:>8}{each.failed:>8}", end="")
        print(f"{each.p50_ms:>9.0f}{each.p95_ms:>9.0f}{each.p99_ms:>9.0f}")
    for why, times in told.failures.items():
        print(f"  {times:>6} x {why[:110]}")
    for sentence in told.differences[:10]:
        print(f"  {sentence}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chains", default="devnet,anvil")
    parser.add_argument("--peers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2, help="that the peers are spread over")
    parser.add_argument("--one-in", type=int, default=0, help="0: no call fails")
    parser.add_argument("--keep", action="store_true", help="leave the peers' files behind")
    options = parser.parse_args()
    results = []
    for kind in options.chains.split(","):
        folder = Path(tempfile.mkdtemp(prefix="waggle-load-"))
        try:
            results.append(run(kind, options, folder))
        finally:
            if options.keep:
                print(f"files: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)
        show(results[-1])
    print(json.dumps({"one_in": options.one_in, "runs": [asdict(each) for each in results]}))
    if any(each.differences or each.credited != each.expected for each in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
