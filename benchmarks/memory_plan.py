"""How well the memory plan foretells: its estimate beside the measured peak, case by case.

    .venv/bin/python benchmarks/memory_plan.py [--shape 0.5b] [--case adamw]

Each case is one recipe of one shape, in a process of its own that does what a node does: it makes
the plan, loads the model, samples a round, updates on it, samples and updates again, and saves. The
model has random weights of that shape and no completion ends early, so that the work is exactly
what the plan assumes. Measured is the peak resident memory as the kernel counts it (VmHWM), for
each phase by itself too (the count is reset between phases; Linux only).

Prints a table and, as its last line, one JSON object: `worst_error`, the largest relative error of
an estimated peak, and every case.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "peers")]

from model import SHAPES, make_model  # noqa: E402
from work import Work  # noqa: E402

SHAPES["135m"] = {
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "vocab_size": 49_152,
}
"""Of SmolLM2-135M."""
CASES: dict[str, dict[str, Any]] = {
    "adamw": {"recipe": "full", "optimizer": "adamw", "gradient_checkpointing": "off"},
    "adamw ckpt": {"recipe": "full", "optimizer": "adamw", "gradient_checkpointing": "on"},
    "adamw8bit ckpt": {"recipe": "full", "optimizer": "adamw8bit", "gradient_checkpointing": "on"},
    "adafactor": {"recipe": "full", "optimizer": "adafactor", "gradient_checkpointing": "off"},
    "adafactor ckpt": {"recipe": "full", "optimizer": "adafactor", "gradient_checkpointing": "on"},
    "lora": {"recipe": "lora", "optimizer": "adamw", "gradient_checkpointing": "off"},
    "lora ckpt": {"recipe": "lora", "optimizer": "adamw", "gradient_checkpointing": "on"},
}


def measured_bytes() -> int:
    """Peak resident memory since the last `reset`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not count peak memory")


def reset() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def child(spec: dict[str, Any]) -> dict[str, Any]:
    """One case, in this process."""
    from core import footprint, memory, shape
    from core.rollouts import Task, TaskId
    from core.schema import Config, GameSection, ModelSection, SamplingSection, TrainingSection

    work = Work(**spec["work"])
    config = Config(
        model=ModelSection(id=work.model, device="cpu", threads=work.threads),
        game=GameSection(groups=work.groups, generations=work.generations, foreign_groups=0),
        sampling=SamplingSection(
            max_new_tokens=work.new_tokens, rollout_format=work.rollout_format
        ),
        training=replace(TrainingSection(mask_truncated=False, seed=work.seed), **spec["training"]),
    )
    found = memory.plan(
        shape.read_config(Path(work.model, "config.json")),
        config,
        2**40,
        prompt_tokens=work.prompt_tokens,
    )
    assert found.recipe is not None
    for name in ("core.node", "core.training.games", "reasoning_gym", "web3"):
        importlib.import_module(name)  # what a node's process has loaded besides
    from core.training.engine import TorchEngine

    names = [TaskId("benchmark", work.seed, i) for i in range(work.groups)]
    tasks = {name: Task(name, q, "") for name, q in zip(names, work.questions(), strict=True)}
    seen: dict[str, int] = {}

    def phase(name: str, do: Any) -> Any:
        reset()
        result = do()
        seen[name] = max(seen.get(name, 0), measured_bytes())
        return result

    engine = phase("load", lambda: TorchEngine(config, plan=found))
    for _ in range(2):
        groups = phase("sample", lambda: engine.sample(list(tasks.values()), threading.Event()))
        rewarded = [
            replace(
                group,
                rollouts=tuple(
                    replace(rollout, reward=reward)
                    for rollout, reward in zip(group.rollouts, work.rewards(), strict=True)
                ),
            )
            for group in groups
        ]
        report = phase("update", lambda rewarded=rewarded: engine.update(rewarded, tasks))
        if report.skipped:
            raise RuntimeError(f"the update took no step: {report.skipped}")
    with tempfile.TemporaryDirectory(dir=spec["folder"]) as scratch:
        phase("save", lambda: engine.save(str(Path(scratch, "saved")), {}))
    shaped = shape.read_config(Path(work.model, "config.json"))
    sizes = footprint.phases(
        shaped, found.recipe, memory.work_of(config, prompt=work.prompt_tokens)
    )
    return {
        "recipe": str(found.recipe),
        "micro_batch_tokens": found.recipe.micro_batch_tokens,
        "machine": str(engine.choose()),
        "estimated": {name: sum(parts.values()) for name, parts in sizes.items()},
        "measured": seen,
        "phase": found.phase,
        "parts": dict(found.parts),
    }


def run(spec: dict[str, Any]) -> dict[str, Any]:
    environment = os.environ | {"OMP_NUM_THREADS": str(spec["work"]["threads"])}
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(spec)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    estimated, measured = max(result["estimated"].values()), max(result["measured"].values())
    return result | {
        "estimated_gib": estimated / 2**30,
        "measured_gib": measured / 2**30,
        "error": estimated / measured - 1,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--shape", action="append", choices=["0.5b", "135m", "tiny"])
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rollout-format", default="auto")
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--prompt-tokens", type=int, default=150)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "waggle-benchmarks",
        help="folder for the models",
    )
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(json.loads(options.child))))
        return 0
    options.work.mkdir(parents=True, exist_ok=True)
    SHAPES["tiny"] = {
        "hidden_size": 160,
        "num_hidden_layers": 4,
        "num_attention_heads": 5,
        "num_key_value_heads": 5,
        "intermediate_size": 448,
        "vocab_size": 2_000,
    }
    rows = []
    print(f"{'':22}{'estimated':>10}{'measured':>10}{'error':>8}   by phase, measured (estimated)")
    for shape in options.shape or ["tiny", "135m", "0.5b"]:
        model = make_model(options.work, shape)
        for name in options.case or list(CASES):
            work = {
                "model": str(model),
                "vocabulary": SHAPES[shape]["vocab_size"],
                "threads": options.threads,
                "rollout_format": options.rollout_format,
                "groups": options.groups,
                "new_tokens": options.new_tokens,
                "prompt_tokens": options.prompt_tokens,
            }
            spec = {"work": work, "training": CASES[name], "folder": str(options.work)}
            row = {"shape": shape, "case": name, **run(spec)}
            rows.append(row)
            told = ", ".join(
                f"{phase} {row['measured'][phase] / 2**30:.2f} ({size / 2**30:.2f})"
                for phase, size in row["estimated"].items()
            )
            print(
                f"{shape + ' ' + name:22}{row['estimated_gib']:10.2f}{row['measured_gib']:10.2f}"
                f"{row['error']:+8.1%}   {told}",
                flush=True,
            )
    worst = max(abs(row["error"]) for row in rows)
    print(json.dumps({"benchmark": "memory_plan", "worst_error": worst, "cases": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
