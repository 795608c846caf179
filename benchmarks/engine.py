"""Waggle's engine beside another trainer's, on the same round of the same model, in one run.

    .venv/bin/python benchmarks/engine.py --against genrl [--repeat 3]
    .venv/bin/python benchmarks/engine.py --against trl [--recipe lora] [--precision bfloat16]

A round is 4 groups of 8 completions of 128 tokens on prompts of 150 tokens, by a model of
Qwen2.5-0.5B's shape with random weights (`peers/model.py`), on the CPU with 2 threads: sample, then
update. Every contestant is a process of its own, which first plays a round of 4-token completions
(optimiser state and allocator are then as in every later round of a node) and then the measured
one; its peak memory is the operating system's count for the whole process. With `--repeat`, the
order alternates; ratios are medians over the pairs.

GenRL 0.3.0 runs in an environment that this makes (`peers/environment.py`); it always trains every
weight in float32 with Adam. `--recipe` binds both sides; `--precision` and `--peer-optimizer` are
TRL's; the other settings are Waggle's.

Prints a table and, as its last line, one JSON object: `sampling_speedup` and `round_speedup` (how
many times faster Waggle is), `peak_memory_ratio` (Waggle's over the other's), every raw figure and
setting, and the share of the machine's limits (`peers/limit.py`) that each reaches.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, fields
from pathlib import Path
from statistics import median
from typing import Any

PEERS = Path(__file__).resolve().parent / "peers"
sys.path.insert(0, str(PEERS))

from environment import genrl_python  # noqa: E402
from limit import bounds, measure, shares  # noqa: E402
from model import SHAPES, make_model  # noqa: E402
from work import Work  # noqa: E402

RATIOS = {
    "sampling_speedup": lambda ours, theirs: theirs["sample_s"] / ours["sample_s"],
    "update_speedup": lambda ours, theirs: theirs["update_s"] / ours["update_s"],
    "round_speedup": lambda ours, theirs: theirs["round_s"] / ours["round_s"],
    "peak_memory_ratio": lambda ours, theirs: ours["peak_memory_gib"] / theirs["peak_memory_gib"],
}


def play(name: str, work: Work, folder: Path, limit_bytes: int = 0) -> dict[str, Any]:
    """What a contestant reports; CalledProcessError when it fails.

    limit_bytes: of private memory that the process may map (RLIMIT_DATA); 0 is no limit.
    """
    python = str(genrl_python(folder)) if name == "genrl" else sys.executable
    script = PEERS / f"{name}_round.py"
    environment = os.environ | {
        "OMP_NUM_THREADS": str(work.threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "WANDB_MODE": "disabled",
    }
    environment.pop("PYTHONSAFEPATH", None)  # the scripts in `peers` import one another

    def limited() -> None:
        if limit_bytes:
            resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))

    with tempfile.TemporaryDirectory(prefix="waggle-engine-") as scratch:
        spec, out = Path(scratch, "work.json"), Path(scratch, "out.json")
        spec.write_text(json.dumps(asdict(work)))
        print(f"{name}: load average {os.getloadavg()[0]:.2f}", file=sys.stderr, flush=True)
        subprocess.run(
            [python, str(script), str(spec), str(out)],
            check=True,
            stdout=sys.stderr,
            cwd=scratch,
            env=environment,
            preexec_fn=limited,
        )
        figures: dict[str, Any] = json.loads(out.read_text())
        return figures


def table(runs: list[dict[str, Any]], peer: str) -> None:
    print(f"{'':10}{'tokens/s':>10}{'sample s':>10}{'update s':>10}{'round s':>10}{'peak GiB':>10}")
    for run in runs:
        for name in ("waggle", peer):
            if name in run:
                row = [run[name][k] for k in ("tokens_per_s", "sample_s", "update_s", "round_s")]
                numbers = "".join(f"{x:10.2f}" for x in [*row, run[name]["peak_memory_gib"]])
                print(f"{name:10}{numbers}")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", choices=["genrl", "trl"], help="the other contestant")
    parser.add_argument("--repeat", type=int, default=1, help="pairs of rounds (1)")
    parser.add_argument("--recipe", choices=["full", "lora"], default="full")
    parser.add_argument("--optimizer", choices=["adamw", "adafactor", "adamw8bit"], default="adamw")
    parser.add_argument("--peer-optimizer", choices=["adamw", "adafactor"], default="adamw")
    parser.add_argument("--micro-batch-tokens", type=int, default=0)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument(
        "--rollout-format", choices=["auto", "exact", "bfloat16", "int8"], default="auto"
    )
    parser.add_argument("--checkpointing", choices=["auto", "on", "off"], default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "waggle-benchmarks",
        help="folder for the model and GenRL's environment",
    )
    parser.add_argument(
        "--smoke", action="store_true", help="a tiny model and round, to see that this works"
    )
    options = parser.parse_args(arguments)
    if not options.against and not options.smoke:
        parser.error("--against genrl or --against trl")
    if options.against == "genrl" and (options.recipe, options.peer_optimizer) != ("full", "adamw"):
        parser.error("GenRL trains every weight with Adam; leave --recipe and --peer-optimizer")
    return options


def main() -> int:
    options = parse()
    shape = "smoke" if options.smoke else "0.5b"
    chosen = {f.name: getattr(options, f.name) for f in fields(Work) if hasattr(options, f.name)}
    if options.smoke:
        chosen |= {"groups": 2, "generations": 4, "prompt_tokens": 12, "new_tokens": 8}
    options.work.mkdir(parents=True, exist_ok=True)
    model = make_model(options.work, shape)
    work = Work(model=str(model), vocabulary=SHAPES[shape]["vocab_size"], **chosen)
    machine = measure(work.threads, *((256, 16) if options.smoke else (2048, 1024)))
    limits = bounds(work, shape, machine)
    runs: list[dict[str, Any]] = []
    for pair in range(options.repeat):
        order = ["waggle", options.against] if options.against else ["waggle"]
        run = {name: play(name, work, options.work) for name in order[:: 1 - 2 * (pair % 2)]}
        for figures in run.values():
            figures["share_of_limit"] = shares(figures, limits)
        runs.append(run)
    table(runs, options.against)
    ratios: dict[str, Any] = {}
    if options.against:
        for name, ratio in RATIOS.items():
            ratios[name] = median(ratio(run["waggle"], run[options.against]) for run in runs)
            print(f"{name}: {ratios[name]:.2f}")
    result = {"benchmark": "engine", "against": options.against, **ratios, "machine": machine}
    print(json.dumps(result | {"limits": limits, "runs": runs}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
