"""Does a round of a 0.5B model fit into a small machine? Waggle's engine under a memory limit.

    .venv/bin/python benchmarks/memory.py [--only lora]

The round of `engine.py` (4 groups of 8 completions of 128 tokens on 150-token prompts, after a
short one) with LoRA under 5 GB and with every weight by Adafactor under 8 GB. The engine is told by
`model.max_ram_gib`, as a user would; and the kernel holds it to the limit: RLIMIT_DATA caps the
private memory that the process may map, so that one allocation too many fails instead of being
swapped or counted afterwards. ALLOWANCE is for what is mapped and never touched (stacks of threads,
arenas of the allocator); the peak resident memory itself must stay under the limit.

Prints a table and, as its last line, one JSON object; `fits` says whether all did.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine import SHAPES, Work, make_model, play

CASES = {"lora": ("lora", "adamw", 5e9), "adafactor": ("full", "adafactor", 8e9)}
ALLOWANCE = 2**29


def measure(name: str, model: Path, folder: Path, threads: int) -> dict[str, Any]:
    recipe, optimizer, limit = CASES[name]
    work = Work(
        model=str(model),
        vocabulary=SHAPES["0.5b"]["vocab_size"],
        threads=threads,
        recipe=recipe,
        optimizer=optimizer,
        max_ram_gib=limit / 2**30,
    )
    figures = play("waggle", work, folder, limit_bytes=int(limit) + ALLOWANCE)
    peak = figures["peak_memory_gib"] * 2**30
    return {"limit_gb": limit / 1e9, "peak_gb": peak / 1e9, "fits": peak < limit, **figures}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=list(CASES), help="one of the cases")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "waggle-benchmarks",
        help="folder for the model",
    )
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    model = make_model(options.work, "0.5b")
    names = [options.only] if options.only else list(CASES)
    runs = {name: measure(name, model, options.work, options.threads) for name in names}
    print(f"{'':12}{'limit GB':>10}{'peak GB':>10}{'sample s':>10}{'update s':>10}")
    for name, run in runs.items():
        row = [run[k] for k in ("limit_gb", "peak_gb", "sample_s", "update_s")]
        print(f"{name:12}" + "".join(f"{x:10.2f}" for x in row))
    print(json.dumps({"benchmark": "memory", "fits": all(r["fits"] for r in runs.values())} | runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
