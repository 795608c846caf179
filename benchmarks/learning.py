"""Does a solo swarm learn? Held-out pass@1 before and after training, for several seeds.

    .venv/bin/python benchmarks/learning.py [--rounds 300] [--seeds 1 2 3] [--tasks 200]

Runs the program as a user would (`run --headless --json`, then `eval --json`), one seed after the
other, each on a fresh home. Prints a table and, as its last line, one JSON object. Nothing here
knows the model: the figures come from the commands.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def waggle(*arguments: str) -> str:
    """Standard output of one command; CalledProcessError when it fails."""
    command = [str(ROOT / "waggle"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def evaluate(home: Path, tasks: int) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(
        waggle("eval", "--json", "--home", str(home), "--tasks", str(tasks), "--samples", "4")
    )
    return figures


def one(seed: int, rounds: int, tasks: int, home: Path) -> dict[str, Any]:
    """Before, training, after; seconds are those of the training command."""
    before = evaluate(home, tasks)
    started = time.monotonic()
    lines = waggle(
        *("run", "--headless", "--json", "--profile", "solo", "--rounds", str(rounds)),
        *("--seed", str(seed), "--home", str(home)),
    ).splitlines()
    seconds = time.monotonic() - started
    played = [e for e in map(json.loads, lines) if e["event"] == "round_finished"]
    after = evaluate(home, tasks)
    return {
        "seed": seed,
        "rounds": len(played),
        "seconds": round(seconds, 1),
        "seconds_per_round": round(median(e["seconds"] + e["wait_s"] for e in played), 3),
        "reward_first_20": _mean(played[:20]),
        "reward_last_20": _mean(played[-20:]),
        "pass_at_1": [round(before["pass_at_1"], 4), round(after["pass_at_1"], 4)],
        "greedy_pass_at_1": [
            round(before["greedy_pass_at_1"], 4),
            round(after["greedy_pass_at_1"], 4),
        ],
    }


def _mean(played: list[dict[str, Any]]) -> float:
    return round(sum(e["reward_mean"] for e in played) / max(1, len(played)), 4)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300, help="rounds per seed (300)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds (1 2 3)")
    parser.add_argument("--tasks", type=int, default=200, help="held-out tasks (200)")
    parser.add_argument("--keep", type=Path, help="keep the homes in this folder")
    options = parser.parse_args()
    runs = []
    with tempfile.TemporaryDirectory(prefix="waggle-learning-") as scratch:
        folder = options.keep or Path(scratch)
        for seed in options.seeds:
            result = one(seed, options.rounds, options.tasks, folder / f"seed-{seed}")
            print(json.dumps(result), file=sys.stderr, flush=True)
            runs.append(result)
    print("seed  pass@1          greedy pass@1   seconds")
    for run in runs:
        (p0, p1), (g0, g1) = run["pass_at_1"], run["greedy_pass_at_1"]
        print(f"{run['seed']:>4}  {p0:.3f} -> {p1:.3f}  {g0:.3f} -> {g1:.3f}  {run['seconds']:>7}")
    print(
        json.dumps(
            {
                "benchmark": "learning",
                "min_gain": min(r["pass_at_1"][1] - r["pass_at_1"][0] for r in runs),
                "min_ratio": min(r["pass_at_1"][1] / r["pass_at_1"][0] for r in runs),
                "min_greedy_gain": min(
                    r["greedy_pass_at_1"][1] - r["greedy_pass_at_1"][0] for r in runs
                ),
                "max_seconds": max(r["seconds"] for r in runs),
                "runs": runs,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
