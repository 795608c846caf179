"""`waggle export`: a checkpoint of this home as a Hugging Face folder, beside a running node."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from core.home import Home


def export(home: Home, folder: str, *, checkpoint: str, force: bool, as_json: bool) -> int:
    """Write the folder and print what it is; 0 when done."""
    from core.training.export import export as write

    told = not as_json and sys.stderr.isatty()
    done = write(
        home.checkpoints,
        Path(folder),
        wanted=checkpoint,
        force=force,
        progress=_progress if told else None,
    )
    if as_json:
        print(json.dumps(dataclasses.asdict(done)))
        return 0
    print(f"{done.path}: {done.model} after {done.steps} steps, saved in round {done.round}")
    merged = ", the adapter merged" if done.recipe == "lora" else ""
    print(f"  {done.size_bytes / 1e6:.1f} MB{merged}; transformers loads it with from_pretrained")
    return 0


def _progress(done: int, total: int) -> None:
    sys.stderr.write(
        f"\r\x1b[Kdownloading the base model: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
    )
    sys.stderr.write("\n" if done >= total else "")
    sys.stderr.flush()
