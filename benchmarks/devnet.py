"""What the devnet keeps through kills, how fast it is and what it costs, beside anvil.

    .venv/bin/python benchmarks/devnet.py [--transactions 10000] [--kills 5] [--anvil PATH]

The transactions of a swarm (20 peers: rewards, votes, rounds) are signed once and sent to three
chains: a devnet that is left alone, a devnet that is killed again and again while they come, and
anvil where it is found. Then both devnets are opened and compared block by block: state roots,
receipts, logs. Beside it: start, memory, disk, latency, eth_getLogs as the chain grows and with
eth-tester's own, and what a flood of others' calls does to this machine's node and clock. Anvil is
killed once as well, with its state dumped every second. Prints a table and, as its last line, one
JSON object. Takes about six minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from devnet_flood import flooded  # noqa: E402
from devnet_runs import (  # noqa: E402
    Figures,
    anvil_run,
    compared,
    interrupted,
    started,
    uninterrupted,
)
from devnet_work import make_work  # noqa: E402

TESTER_BLOCKS = 300
TESTER_LIMIT_S = 120.0
TESTER = """
import time
from eth_tester import EthereumTester, PyEVMBackend
tester = EthereumTester(PyEVMBackend())
sender = tester.get_accounts()[0]
plain = {"from": sender, "gas": 100_000}
made = tester.send_transaction({**plain, "data": "0x6006600c60003960066000f360006000a000"})
emits = tester.get_transaction_receipt(made)["contract_address"]
for _ in range(%d):
    tester.send_transaction({**plain, "to": emits})
began = time.perf_counter()
found = tester.get_logs(from_block=0, to_block="latest")
assert len(found) == %d, len(found)
print(time.perf_counter() - began)
"""


def tester_logs_s() -> float | None:
    """Seconds of eth-tester's own get_logs over 300 blocks with a log each; None past the limit."""
    code = TESTER % (TESTER_BLOCKS, TESTER_BLOCKS)
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TESTER_LIMIT_S)
    except subprocess.TimeoutExpired:
        return None
    done.check_returncode()
    return float(done.stdout)


def shown(title: str, figures: Figures) -> None:
    print(f"\n{title}", flush=True)
    for name, value in figures.items():
        text = json.dumps(value) if not isinstance(value, float) else f"{value:.4g}"
        print(f"  {name:<34} {text}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--transactions", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--kills", type=int, default=5, help="of the second devnet (5)")
    parser.add_argument("--anvil", default=shutil.which("anvil") or "", help="its path")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills (1)")
    options = parser.parse_args()
    told: dict[str, Any] = {"transactions": options.transactions}
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        work = make_work(base / "signed", options.transactions)
        for each in ("whole", "killed"):
            shutil.copytree(base / "signed" / "owner", base / each / "owner")
        told["devnet"] = uninterrupted(base / "whole", work)
        shown("devnet", told["devnet"])
        moments = random.Random(options.seed)
        told["killed"] = interrupted(base / "killed", work, options.kills, moments)
        told["killed"] |= compared(base / "whole", base / "killed", work)
        shown("devnet, killed", told["killed"])
        told["start"] = started(base / "whole")
        shown("start of the services", told["start"])
        told["flood"] = flooded(base / "flooded")
        shown("this machine's node while others flood", told["flood"])
        told["eth_tester_logs_300_s"] = tester_logs_s()
        shown("eth-tester", {"get_logs, 300 blocks, s": told["eth_tester_logs_300_s"]})
        if options.anvil:
            told["anvil"] = anvil_run(options.anvil, base / "anvil", work)
            shown("anvil", told["anvil"])
        else:
            print("\nanvil: not on the PATH, skipped")
    print(json.dumps(told))
    killed = told["killed"]
    return 0 if killed["lost"] == 0 and killed["same_blocks"] and killed["same_receipts"] else 1


if __name__ == "__main__":
    sys.exit(main())
