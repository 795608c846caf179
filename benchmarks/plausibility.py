"""How often does a node refuse an honest peer's group as implausible, and what does asking cost?

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/plausibility.py [--stages 0 25 50 150]
        [--groups 96]

Two nodes train waggle-tiny alone, each with its own tasks and random numbers. At every stage, in
rounds, each judges what both write at every stage, from the model as shipped to the last one: with
exact and with int8 weights, and at other temperatures than its own. What is usual it has learned
from its own rounds so far, as in a swarm. Only groups that carry a signal are judged, as in
admission. Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from core.gate.plausibility import Plausibility
from core.rollouts import RolloutGroup
from core.schema import (
    AdmissionSection,
    Config,
    GameSection,
    ModelSection,
    SamplingSection,
    TrainingSection,
)
from core.training.engine import TorchEngine
from core.training.games import load_game
from core.training.games.reasoning import ReasoningGame
from core.training.rollout_weights import RolloutWeights
from core.worker import score

SEEDS = (1, 2)
WAYS = {
    "as here": (1.0, "exact"),
    "int8": (1.0, "int8"),
    "T 0.7": (0.7, "exact"),
    "T 1.2": (1.2, "exact"),
}
NEVER = threading.Event()


@dataclass(frozen=True)
class Stage:
    """One node after so many rounds: its checkpoint, and all that it has sampled until then."""

    seed: int
    rounds: int
    checkpoint: str
    own: tuple[tuple[RolloutGroup, ...], ...]


def configured(seed: int) -> Config:
    """As the profile of a swarm of one."""
    return Config(
        model=ModelSection(threads=1),
        game=GameSection(groups=16, generations=8),
        sampling=SamplingSection(max_new_tokens=32, rollout_format="exact"),
        training=TrainingSection(
            learning_rate=2e-4, schedule="linear", schedule_steps=200, seed=seed
        ),
    )


def sampled(
    game: ReasoningGame, engine: TorchEngine, peer_id: str, number: int, way: str = ""
) -> list[RolloutGroup]:
    """The scored groups of a peer's round; way: other than by the engine's own settings."""
    tasks = [game.task(task_id) for task_id in game.schedule(peer_id, number)]
    if way:
        temperature, numbers = WAYS[way]
        groups = engine.complete(
            tasks,
            generations=engine.config.game.generations,
            sampling=replace(engine.config.sampling, temperature=temperature),
            generator=torch.Generator().manual_seed(number),
            stop=NEVER,
            weights=RolloutWeights(engine.model, numbers),
        )
    else:
        groups = engine.sample(tasks, NEVER)
    return [
        replace(score(game, task, group), peer_id=peer_id, round=number)
        for task, group in zip(tasks, groups, strict=True)
    ]


def trained(game: ReasoningGame, seed: int, stages: list[int], folder: str) -> Iterator[Stage]:
    """One node, stopped at each of these rounds before its update."""
    engine = TorchEngine(configured(seed))
    own: list[tuple[RolloutGroup, ...]] = []
    for number in range(max(stages) + 1):
        groups = sampled(game, engine, f"node-{seed}", number)
        own.append(tuple(groups))
        if number in stages:
            path = f"{folder}/{seed}-{number}"
            engine.save(path, {})
            yield Stage(seed, number, path, tuple(own))
        engine.update(groups, {group.task: game.task(group.task) for group in groups})


def loaded(stage: Stage) -> TorchEngine:
    engine = TorchEngine(configured(stage.seed))
    engine.load(stage.checkpoint)
    engine.choose()
    return engine


def sent(game: ReasoningGame, stage: Stage, way: str, n: int) -> list[RolloutGroup]:
    """About n groups of this node at this stage, as a peer gets them; those with a signal."""
    engine = loaded(stage)
    found: list[RolloutGroup] = []
    for number in range(max(1, n // engine.config.game.groups)):
        groups = sampled(game, engine, f"peer-{stage.seed}-{stage.rounds}-{way}", number, way)
        found += [_bare(group) for group in groups if group.carries_signal]
    return found


def _bare(group: RolloutGroup) -> RolloutGroup:
    return replace(group, rollouts=tuple(replace(r, token_ids=()) for r in group.rollouts))


def judged(
    game: ReasoningGame, stage: Stage, offers: dict[tuple[Stage, str], list[RolloutGroup]]
) -> list[dict[str, Any]]:
    """What this node refuses of each offer, four groups at a time, and the seconds it took."""
    engine = loaded(stage)
    judge = Plausibility(engine, game, AdmissionSection())
    for own in stage.own:
        judge.learn(own)
    rows = []
    for (peer, way), groups in offers.items():
        started = time.monotonic()
        reasons = [
            why
            for first in range(0, len(groups), 4)
            for why in judge(groups[first : first + 4]).values()
        ]
        rows.append(
            {
                "judge": [stage.seed, stage.rounds],
                "peer": [peer.seed, peer.rounds],
                "way": way,
                "groups": len(groups),
                "refused": len(reasons),
                "repeated": sum("which I never write" in why for why in reasons),
                "seconds": time.monotonic() - started,
            }
        )
    return rows


def cost(game: ReasoningGame, stage: Stage, foreign: list[RolloutGroup]) -> dict[str, float]:
    """Milliseconds of judging 8 groups of others, beside an update over these and 16 own."""
    engine = loaded(stage)
    judge = Plausibility(engine, game, AdmissionSection())
    own = list(stage.own[-1])
    groups = [*own, *foreign[:8]]
    tasks = {group.task: game.task(group.task) for group in groups}
    took: dict[str, list[float]] = defaultdict(list)
    for _ in range(5):
        started = time.perf_counter()
        judge.learn(own)
        judge(foreign[:8])
        took["judge_ms"].append(1e3 * (time.perf_counter() - started))
        started = time.perf_counter()
        engine.update(groups, tasks)
        took["update_ms"].append(1e3 * (time.perf_counter() - started))
    return {name: round(min(values), 1) for name, values in took.items()}


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Shares refused, by what tells the pairs apart."""
    last = max(row["judge"][1] for row in rows)
    same = [row for row in rows if row["way"] == "as here"]
    parts = {
        "all of the same settings": same,
        "itself, other tasks": [r for r in same if r["judge"] == r["peer"]],
        f"the model as shipped, by a node of round {last}": [
            r for r in same if r["judge"][1] == last and r["peer"][1] == 0
        ],
        f"a node of round {last}, by the model as shipped": [
            r for r in same if r["judge"][1] == 0 and r["peer"][1] == last
        ],
        **{f"{way}": [r for r in rows if r["way"] == way] for way in WAYS if way != "as here"},
    }
    out = {}
    for name, chosen in parts.items():
        groups, refused = (sum(r[key] for r in chosen) for key in ("groups", "refused"))
        out[name] = {
            "groups": groups,
            "refused": refused,
            "repeated": sum(r["repeated"] for r in chosen),
            "share": round(refused / max(1, groups), 5),
        }
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stages", type=int, nargs="+", default=[0, 25, 50, 150])
    parser.add_argument("--groups", type=int, default=96, help="groups of each peer (96)")
    options = parser.parse_args()
    game = load_game(configured(0))
    try:
        with tempfile.TemporaryDirectory(prefix="waggle-plausibility-") as folder:
            stages = [s for seed in SEEDS for s in trained(game, seed, options.stages, folder)]
            offers = {(s, way): sent(game, s, way, options.groups) for s in stages for way in WAYS}
            rows = [row for stage in stages for row in judged(game, stage, offers)]
            middle = stages[len(options.stages) // 2]
            costs = cost(game, middle, offers[(stages[0], "as here")])
    finally:
        game.close()
    shares = summary(rows)
    print("groups  refused  share   whose, by whom")
    for name, row in shares.items():
        print(f"{row['groups']:>6}  {row['refused']:>7}  {row['share']:6.2%}  {name}")
    print(json.dumps({"benchmark": "plausibility", "shares": shares, **costs, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
