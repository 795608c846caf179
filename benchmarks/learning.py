"""Does a solo swarm learn, and how fast? Held-out pass@1 along the training, for several seeds.

    .venv/bin/python benchmarks/learning.py [--rounds 300] [--seeds 1 2 3] [--tasks 200]
    .venv/bin/python benchmarks/learning.py --against DIR [--slice 25] ...

Runs the program as a user would (`run --headless --json`, then `eval --json`), on a fresh home for
each seed. Prints a table and, as its last line, one JSON object. Nothing here knows the model: the
figures come from the commands.

With `--against`, a checkout of another version in DIR trains the same seeds. Both play `--slice`
rounds in turn, so that a busy machine slows both, and after each slice a held-out evaluation
shows how far they are. The goal is the other's pass@1 after its last round; this version has
reached it at the first of two evaluations in a row that are as good. `speedup` compares the seconds
until then with the other's at its last round, `speedup_to_first` with the other's when it reached
the goal by the same rule. Seconds are those of training, waiting and checkpoints included, by the
events' own times; evaluations and starts of the program do not count. Both run with the Python
that runs this script.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = 4
Figures = dict[str, Any]


@dataclass
class Swarm:
    """A solo swarm of one version, its home, and what was seen of it. curve: see `evaluate`."""

    root: Path
    home: Path
    seed: int
    tasks: int
    seconds: float = 0.0
    played: list[Figures] = field(default_factory=list)
    curve: list[Figures] = field(default_factory=list)

    def waggle(self, *arguments: str) -> str:
        """Standard output of one command; CalledProcessError when it fails."""
        command = [sys.executable, "-m", "core.cli", *arguments, "--home", str(self.home)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=self.root)
        return done.stdout

    def train(self, rounds: int) -> None:
        """Play so many rounds more."""
        lines = self.waggle(
            *("run", "--headless", "--json", "--profile", "solo", "--rounds", str(rounds)),
            *("--seed", str(self.seed)),
        ).splitlines()
        events = [json.loads(line) for line in lines]
        played = [event for event in events if event["event"] == "round_finished"]
        self.played += played
        began = next(event["time"] for event in events if event["event"] == "round_started")
        self.seconds += played[-1]["time"] - began

    def evaluate(self) -> Figures:
        """Held-out pass@1 of the newest checkpoint, with the rounds and seconds it took."""
        options = ("--tasks", str(self.tasks), "--samples", str(SAMPLES))
        seen = json.loads(self.waggle("eval", "--json", *options))
        self.curve.append(
            {
                "rounds": len(self.played),
                "seconds": round(self.seconds, 1),
                "pass_at_1": round(seen["pass_at_1"], 4),
                "greedy_pass_at_1": round(seen["greedy_pass_at_1"], 4),
            }
        )
        return self.curve[-1]

    def reached(self, goal: float) -> Figures | None:
        """The first of two evaluations in a row that were as good as `goal`; None so far."""
        pairs = zip(self.curve, self.curve[1:], strict=False)
        return next((one for one, two in pairs if min(_p(one), _p(two)) >= goal), None)


def alone(options: argparse.Namespace, seed: int, folder: Path) -> Figures:
    """Before, training, after."""
    swarm = Swarm(ROOT, folder / f"seed-{seed}", seed, options.tasks)
    swarm.evaluate()
    swarm.train(options.rounds)
    swarm.evaluate()
    return _result(swarm)


def paired(options: argparse.Namespace, seed: int, folder: Path) -> Figures:
    """Both versions slice by slice, then this one until it has reached the other's goal."""
    other = Swarm(options.against.resolve(), folder / f"seed-{seed}-other", seed, options.tasks)
    this = Swarm(ROOT, folder / f"seed-{seed}", seed, options.tasks)
    for swarm in (other, this):
        _say(seed, swarm, swarm.evaluate())
    # Where the goal will lie is not known before the other has played its last round.
    for start in range(0, options.rounds, options.slice):
        for swarm in (other, this):
            swarm.train(min(options.slice, options.rounds - start))
            _say(seed, swarm, swarm.evaluate())
    goal = _p(other.curve[-1])
    there = this.reached(goal)
    while there is None and len(this.played) < 2 * options.rounds:
        this.train(options.slice)
        _say(seed, this, this.evaluate())
        there = this.reached(goal)
    earlier = other.reached(goal) or other.curve[-1]
    return {
        **_result(this),
        "goal": goal,
        "other": _result(other),
        "other_seconds": other.curve[-1]["seconds"],
        "other_first_seconds": earlier["seconds"],
        "rounds_to_goal": there and there["rounds"],
        "seconds_to_goal": there and there["seconds"],
        "speedup": there and round(other.curve[-1]["seconds"] / there["seconds"], 2),
        "speedup_to_first": there and round(earlier["seconds"] / there["seconds"], 2),
    }


def _p(evaluation: Figures) -> float:
    return float(evaluation["pass_at_1"])


def _say(seed: int, swarm: Swarm, evaluation: Figures) -> None:
    whose = "this" if swarm.root == ROOT else "other"
    print(json.dumps({"seed": seed, "version": whose, **evaluation}), file=sys.stderr, flush=True)


def _result(swarm: Swarm) -> Figures:
    first, last = swarm.curve[0], swarm.curve[-1]
    return {
        "seed": swarm.seed,
        "rounds": len(swarm.played),
        "seconds": round(swarm.seconds, 1),
        "seconds_per_round": round(median(e["seconds"] + e["wait_s"] for e in swarm.played), 3),
        "waiting_per_round": round(median(e["wait_s"] for e in swarm.played), 3),
        "reward_first_20": _mean(swarm.played[:20]),
        "reward_last_20": _mean(swarm.played[-20:]),
        "pass_at_1": [first["pass_at_1"], last["pass_at_1"]],
        "greedy_pass_at_1": [first["greedy_pass_at_1"], last["greedy_pass_at_1"]],
        "curve": swarm.curve,
    }


def _mean(played: list[Figures]) -> float:
    return round(sum(e["reward_mean"] for e in played) / max(1, len(played)), 4)


def _summary(runs: list[Figures]) -> Figures:
    passed, greedy = ([run[k] for run in runs] for k in ("pass_at_1", "greedy_pass_at_1"))
    out: Figures = {
        "benchmark": "learning",
        "min_gain": round(min(after - before for before, after in passed), 4),
        "min_ratio": round(min(after / before for before, after in passed), 3),
        "min_greedy_gain": round(min(after - before for before, after in greedy), 4),
        "max_seconds": max(run["seconds"] for run in runs),
    }
    if "goal" in runs[0]:
        speedups = [run["speedup"] for run in runs]
        missed = None in speedups
        out["learning_speedup"] = None if missed else median(speedups)
        out["min_learning_speedup"] = None if missed else min(speedups)
    return out | {"runs": runs}


def _print_table(runs: list[Figures]) -> None:
    print("seed  pass@1          greedy pass@1   seconds")
    for run in runs:
        (p0, p1), (g0, g1) = run["pass_at_1"], run["greedy_pass_at_1"]
        print(f"{run['seed']:>4}  {p0:.3f} -> {p1:.3f}  {g0:.3f} -> {g1:.3f}  {run['seconds']:>7}")
    if "goal" in runs[0]:
        print("seed  goal   seconds: other  this  ratio")
    for run in (run for run in runs if "goal" in run):
        seconds, ratio = run["seconds_to_goal"] or "never", run["speedup"] or "-"
        print(
            f"{run['seed']:>4}  {run['goal']:.3f}  {run['other_seconds']:>14}  {seconds}  {ratio}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300, help="rounds per seed (300)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds (1 2 3)")
    parser.add_argument("--tasks", type=int, default=200, help="held-out tasks (200)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="checkout of another version")
    parser.add_argument("--slice", type=int, default=25, help="rounds between evaluations (25)")
    parser.add_argument("--keep", type=Path, help="keep the homes in this folder")
    options = parser.parse_args()
    play = paired if options.against else alone
    runs = []
    with tempfile.TemporaryDirectory(prefix="waggle-learning-") as scratch:
        for seed in options.seeds:
            runs.append(play(options, seed, options.keep or Path(scratch)))
            print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    _print_table(runs)
    print(json.dumps(_summary(runs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
