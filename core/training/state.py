"""The files of a checkpoint: a Hugging Face model folder plus the trainer's tensors and facts.

`trainer.safetensors` holds optimiser moments and random states, `trainer.json` the rest: nothing
here is pickled, so loading a checkpoint runs no code.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.errors import StorageError
from core.training.models import load_weights_of

TENSORS = "trainer.safetensors"
FACTS = "trainer.json"
FORMAT = 1


def write_model(folder: Path, model: Any, tokenizer: Any) -> None:
    """A folder that `from_pretrained` loads. OSError when the disk refuses."""
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except SafetensorError as error:
        raise _as_os_error(error) from error


def write_trainer(folder: Path, tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> None:
    """OSError when the disk refuses, TypeError when `facts` is not JSON."""
    on_cpu = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    (folder / FACTS).write_text(json.dumps({"format": FORMAT, **facts}, indent=1))
    try:
        save_file(on_cpu, folder / TENSORS)
    except SafetensorError as error:
        raise _as_os_error(error) from error


def read_trainer(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """StorageError when the files are missing, damaged or of another format."""
    try:
        facts = json.loads((folder / FACTS).read_text())
        if facts["format"] != FORMAT:
            raise ValueError(f"it has format {facts['format']}, this Waggle reads {FORMAT}")
        return load_file(folder / TENSORS), facts
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise StorageError(
            f"The trainer's state in {folder} cannot be read",
            str(error),
            "Move that folder away; an older checkpoint is used then",
        ) from error


def read_weights(folder: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """Every weight of the model by name, on the CPU."""
    return dict(load_weights_of(str(folder), dtype))


def rng_tensors(generator: torch.Generator) -> dict[str, Tensor]:
    """All random states that training draws from."""
    out = {"rng.sampler": generator.get_state(), "rng.torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        out["rng.cuda"] = torch.cuda.get_rng_state()
    return out


def restore_rng(tensors: Mapping[str, Tensor], generator: torch.Generator) -> None:
    generator.set_state(tensors["rng.sampler"])
    torch.set_rng_state(tensors["rng.torch"])
    if torch.cuda.is_available() and "rng.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng.cuda"])


def _as_os_error(error: SafetensorError) -> OSError:
    """safetensors tells a full disk only in its text."""
    full = "os error 28" in str(error) or "No space left" in str(error)
    return OSError(errno.ENOSPC if full else errno.EIO, str(error))
