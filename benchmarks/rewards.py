"""kill -9 of a node, 20 times in 100 rounds, on a chain that fails one call in five.

    .venv/bin/python benchmarks/rewards.py [--chains devnet,anvil] [--seeds 1,2,3]

The node is `waggle run --headless` with the built-in model and rounds of a tenth of a second. It
talks to the chain through a proxy (tests/chain/faulty_rpc.py) that fails by lot: connections
refused, calls that hang, answers lost after the chain took the transaction, nonce too low,
underpriced, reverts and more. It is killed at random moments and started again at once. At the
end, with the faults still going on, its ledger is compared with the chain's events and views: each
round credited exactly once, with the recorded value, nothing lost, nothing twice, no process left.

`back_s` is the time from a kill to the next finished round. Prints a line for each run and, as its
last line, one JSON object; exit code 1 when anything differs. anvil must be on the PATH.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from rewards_chain import round_now, start, wait  # noqa: E402
from rewards_node import Node  # noqa: E402

from core.chain.account import load_or_create  # noqa: E402
from tests.chain.audit import differences, read_chain, read_node  # noqa: E402
from tests.chain.faulty_rpc import FaultyRpc  # noqa: E402

CALL_TIMEOUT_S = 1.0
ROUND_S, SETTLE_S = 300.0, 600.0
LONGEST_DELAY_S = 2.0
"""A kill comes at a random moment of so long after the round that it was planned for."""


@dataclass(frozen=True)
class Result:
    """Of one run. lost: rounds that the node said were finished and that are not in the ledger.

    again: rounds that it said so of more than once. wasted: transactions of its account, of all
    `transactions`, that changed nothing. back_s: from a kill to the next finished round.
    """

    chain: str
    seed: int
    kills: int
    killed_in: dict[str, int]
    trained: int
    credited: int
    votes: int
    reward: int
    differences: list[str]
    lost: list[int]
    again: int
    orphans: list[str]
    damage: str
    status: int
    calls: int
    faults: dict[str, int]
    transactions: int
    wasted: int
    incidents: dict[str, int]
    back_s_median: float
    back_s_max: float
    settled_s: float
    seconds: float

    @property
    def good(self) -> bool:
        wrong = self.differences or self.lost or self.orphans
        return not wrong and self.damage == "ok" and self.status == 0


def run(kind: str, seed: int, options: argparse.Namespace, folder: Path) -> Result:
    luck = random.Random(seed)
    began = time.monotonic()
    chain = start(kind, folder / "chain", 3600.0, everybody=1)
    proxy = FaultyRpc(chain.url, seed=seed, one_in=options.one_in, hang_s=2 * CALL_TIMEOUT_S)
    node = Node(
        folder,
        f"chain.rpc_url={proxy.url}",
        f"chain.contract={chain.contract}",
        f"chain.call_timeout_s={CALL_TIMEOUT_S}",
        f"training.seed={seed}",
    )
    wallet = load_or_create(node.home.account)
    chain.pay(wallet.address)
    killed_in: Counter[str] = Counter()
    back: list[float] = []
    status = -1
    try:
        node.start()
        per_kill = options.rounds / max(1, options.kills)
        for number in range(options.kills):
            due = int((number + luck.random()) * per_kill)
            wait(lambda due=due: round_now(chain) >= due, ROUND_S, f"round {due}")
            time.sleep(luck.uniform(0, LONGEST_DELAY_S))
            killed_in[node.kill()] += 1
            killed, before = time.monotonic(), sum(node.trained.values())
            node.start()
            wait(lambda before=before: sum(node.trained.values()) > before, ROUND_S, "a round")
            back.append(time.monotonic() - killed)
        wait(lambda: round_now(chain) >= options.rounds, ROUND_S, "the last round")
        waiting = time.monotonic()
        chain.hold()
        while node.unsettled():
            if time.monotonic() - waiting > SETTLE_S:
                raise TimeoutError(f"{node.unsettled()} rows were not credited")
            chain.grow()
            time.sleep(1.0)
        settled_s = time.monotonic() - waiting
        status = node.stop()
        written = read_node(node.home.db)
        found = read_chain(chain.rpc, chain.contract)
        spent = chain.rpc.quantity("eth_getTransactionCount", wallet.address, "latest")
        useful = 1 + sum(map(len, (*found.rewards.values(), *found.votes.values())))
        recorded = {number for _, number, _ in written.rounds}
        return Result(
            chain=kind,
            seed=seed,
            kills=options.kills,
            killed_in=dict(killed_in),
            trained=len(written.rounds),
            credited=sum(len(each) for each in found.rewards.values()),
            votes=sum(len(each) for each in found.votes.values()),
            reward=sum(sum(each) for each in found.rewards.values()),
            differences=differences(chain.rpc, chain.contract, [written]),
            lost=sorted(set(node.trained) - recorded),
            again=sum(times > 1 for times in node.trained.values()),
            orphans=node.orphans,
            damage=node.damage(),
            status=status,
            calls=sum(proxy.calls.values()),
            faults=proxy.by_kind(),
            transactions=spent,
            wasted=spent - useful,
            incidents=dict(node.incidents),
            back_s_median=round(statistics.median(back or [0.0]), 1),
            back_s_max=round(max(back, default=0.0), 1),
            settled_s=round(settled_s, 1),
            seconds=round(time.monotonic() - began),
        )
    finally:
        if node.is_running():
            node.kill()
        proxy.close()
        chain.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chains", default="devnet,anvil")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--one-in", type=int, default=5, help="0: no call fails")
    parser.add_argument("--keep", action="store_true", help="leave homes and logs behind")
    options = parser.parse_args()
    results = []
    print(f"{'chain':<8}{'seed':>5}{'kills':>7}{'trained':>9}{'credited':>10}{'votes':>7}", end="")
    print(f"{'differ':>8}{'lost':>6}{'orphans':>9}{'calls':>8}{'failed':>8}{'wasted':>8}{'s':>6}")
    for kind in options.chains.split(","):
        for seed in map(int, options.seeds.split(",")):
            folder = Path(tempfile.mkdtemp(prefix="waggle-rewards-"))
            try:
                told = run(kind, seed, options, folder)
            finally:
                if options.keep:
                    print(f"homes and logs: {folder}", flush=True)
                else:
                    shutil.rmtree(folder, ignore_errors=True)
            results.append(told)
            print(
                f"{kind:<8}{seed:>5}{told.kills:>7}{told.trained:>9}{told.credited:>10}"
                f"{told.votes:>7}{len(told.differences):>8}{len(told.lost):>6}"
                f"{len(told.orphans):>9}{told.calls:>8}{sum(told.faults.values()):>8}"
                f"{told.wasted:>8}{told.seconds:>6.0f}",
                flush=True,
            )
            for sentence in told.differences[:10]:
                print(f"    {sentence}", flush=True)
    print(json.dumps({"one_in": options.one_in, "runs": [asdict(each) for each in results]}))
    if not all(each.good for each in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
