"""How well the expected length of a round is met: what onboarding and `waggle models` tell.

    .venv/bin/python benchmarks/pace.py [MODEL ...] [--work FOLDER] [--rounds 3] [--prefer 15]

Measures this machine as a first start does, then plays rounds with the trainer itself and holds
the two side by side. Without a MODEL: `waggle-tiny` as the solo profile trains it, and a model of
Qwen2.5-0.5B's shape with random weights (`peers/model.py`, which ends no completion early), for
small rounds and, with --full, a larger one. Rewards are given, half of each group 1, so that there
is an update in every round; scoring, ledger and clock are not played. Needs a quiet machine, or
--prefer N: ahead of its other work (Linux's autogroups).

Prints a table and, as its last line, one JSON object with every figure and the worst factor.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))

from core import catalogue, config, free_memory, memory, pace
from core.rollouts import RolloutGroup

ROUNDS = {
    "small": ("game.groups=2", "game.generations=4", "sampling.max_new_tokens=16"),
    "middle": ("game.groups=4", "game.generations=8", "sampling.max_new_tokens=32"),
    "large": ("game.groups=8", "game.generations=8", "sampling.max_new_tokens=64"),
}


def rewarded(group: RolloutGroup) -> RolloutGroup:
    return replace(
        group,
        rollouts=tuple(replace(r, reward=float(n % 2)) for n, r in enumerate(group.rollouts)),
    )


def play(model: str, sets: tuple[str, ...], rounds: int) -> dict[str, float]:
    """Medians of sample_s and update_s over `rounds`, after one that warms up."""
    from core.training.engine import TorchEngine
    from core.training.games import load_game
    from core.training.prompts import prompt_ids

    chosen = settings(model, sets)
    plan = memory.plan(catalogue.shape_of(model), chosen, free_memory.budget(chosen, "cpu"), "cpu")
    game = load_game(chosen)
    engine = TorchEngine(chosen, plan=plan)
    never = threading.Event()
    taken: dict[str, list[float]] = {"sample_s": [], "update_s": [], "tokens": [], "prompt": []}
    try:
        for number in range(rounds + 1):
            ids = game.held_out((number + 1) * chosen.game.groups)[-chosen.game.groups :]
            tasks = {each: game.held_out_task(each) for each in ids}
            begun = time.monotonic()
            groups = engine.sample(list(tasks.values()), never)
            between = time.monotonic()
            engine.update([rewarded(group) for group in groups], tasks)
            ended = time.monotonic()
            seen = [len(prompt_ids(engine.tokenizer, task)) for task in tasks.values()]
            taken["prompt"].append(sum(seen) / len(seen))
            taken["sample_s"].append(between - begun)
            taken["update_s"].append(ended - between)
            taken["tokens"].append(sum(len(r.token_ids) for g in groups for r in g.rollouts))
    finally:
        game.close()
    print(f"  {model}: {plan}; {engine.choices}", flush=True)
    return {name: median(values[1:]) for name, values in taken.items()}


def settings(model: str, sets: tuple[str, ...]) -> Any:
    """As onboarding writes them: another model than the profile's own gets its own defaults."""
    more = () if model == "waggle-tiny" else ("sampling.rollout_format=auto",)
    flags = [f"model.id={model}", "training.mask_truncated=false", *more, *sets]
    return config.load("solo", sets=flags, env={}).config


def measured() -> pace.Machine:
    """In this process: a child would be no part of its terminal, and not be preferred."""
    from core.training import speed

    return pace.Machine.from_dict(speed.measure())


def hold(name: str, model: str, sets: tuple[str, ...], rounds: int) -> dict[str, Any]:
    chosen = settings(model, sets)
    machine = measured()
    met = play(model, sets, rounds)
    plan = memory.plan(catalogue.shape_of(model), chosen, free_memory.budget(chosen, "cpu"), "cpu")
    usual = next((e.usual for e in catalogue.entries() if e.id == model), 0)
    prompt = round(met["prompt"])
    expected = pace.of_plan(plan, catalogue.shape_of(model), chosen, machine, usual, prompt)
    assert expected is not None
    model_s = expected.sample_s + expected.update_s
    met_s = met["sample_s"] + met["update_s"]
    return {
        "round": name,
        "model": Path(model).name,
        "expected": {"sample_s": expected.sample_s, "update_s": expected.update_s},
        "measured": met,
        "factor": model_s / met_s,
        "machine": asdict(machine),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="*")
    parser.add_argument("--work", type=Path, help="folder for the made model, kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="a larger round too: some minutes")
    parser.add_argument("--prefer", type=int, default=0)
    options = parser.parse_args()
    if options.prefer:
        os.setsid() if os.getpid() != os.getsid(0) else None
        Path("/proc/self/autogroup").write_text(str(-options.prefer))
    with tempfile.TemporaryDirectory(prefix="waggle-pace-") as folder:
        rounds = [("as it comes", model, ()) for model in options.model]
        if not rounds:
            from model import make_model

            made = str(make_model(options.work or Path(folder), "0.5b"))
            names = ("small", "middle", "large")[: 3 if options.full else 2]
            rounds = [("solo", "waggle-tiny", ())]
            rounds += [(name, made, ROUNDS[name]) for name in names]
        held = [hold(*each, options.rounds) for each in rounds]
    print(f"\n{'model':<20} {'round':<12} {'':<9} {'sample':>8} {'update':>8} {'both':>8}")
    for row in held:
        for name in ("expected", "measured"):
            a, b = row[name]["sample_s"], row[name]["update_s"]
            head = f"{row['model']:<20} {row['round']:<12}" if name == "expected" else " " * 33
            print(f"{head} {name:<9} {a:>7.2f}s {b:>7.2f}s {a + b:>7.2f}s")
    worst = max(max(row["factor"], 1 / row["factor"]) for row in held)
    print(f"\nworst factor {worst:.2f}")
    print(json.dumps({"worst_factor": worst, "rounds": held}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
