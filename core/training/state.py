"""The files of a checkpoint: weights, the trainer's tensors and facts, written and restored.

All weights: a Hugging Face model folder, which `from_pretrained` loads. An adapter: only the
adapter, the base model is not repeated. Beside them `trainer-*.safetensors` with optimiser and
random states, and `trainer.json` with the rest. Nothing here is pickled: loading runs no code.
Restoring reads one tensor at a time into the place where it belongs, so it needs no second copy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from core.errors import StorageError, WaggleError
from core.training import lora
from core.training.checkpoint import read_manifest, verify, write_folder
from core.training.tensorfiles import SHARD_BYTES, TensorFiles, as_os_error, write_tensors

FACTS = "trainer.json"
TRAINER = "trainer"
_PEFT = "base_model.model."
FORMAT = 2
_SMALL_FILES = 32 << 20
"""Room for a tokenizer, the facts and the manifest."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint that verified. tensors: the trainer's, read from the files as they are asked
    for. facts: what `save` was given."""

    folder: Path
    tensors: Mapping[str, Tensor]
    facts: dict[str, Any]


def save(
    path: Path,
    model: Any,
    tokenizer: Any,
    *,
    about: Mapping[str, str],
    tensors: Mapping[str, Tensor],
    facts: dict[str, Any],
    adapter: bool,
) -> int:
    """Write a checkpoint, whole or not at all; its bytes.

    about: what the checkpoint is of, compared on loading: base model, recipe, optimiser. tensors:
    everything beside the weights that an exact resume needs. facts: JSON. adapter: the base is
    frozen, only the adapter is written. StorageError when the disk refuses or has no room.
    """

    def fill(folder: Path) -> None:
        write_weights(folder, model, tokenizer, about["model"] if adapter else None)
        write_trainer(folder, tensors, facts)

    weights = lora.adapter_tensors(model) if adapter else _distinct(model)
    needed = sum(t.nbytes for t in (*weights.values(), *tensors.values())) + _SMALL_FILES
    return write_folder(path, fill, about=about, needed_bytes=needed)


def load(path: Path, about: Mapping[str, str]) -> Saved:
    """Check a checkpoint and read its facts; weights follow with `restore_weights`.

    StorageError when it is damaged, WaggleError when it is whole but not `about` the same.
    """
    require_same(path, read_manifest(path).about, about)
    verify(path)
    tensors, facts = read_trainer(path)
    return Saved(path, tensors, facts)


def require_same(path: Path, made: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """WaggleError, naming what differs, unless a checkpoint was made for the same."""
    differing = {key: value for key, value in wanted.items() if made.get(key) != value}
    if not differing:
        return
    was = ", ".join(f"{key} {made.get(key, 'unknown')}" for key in differing)
    now = ", ".join(f"{key} {value}" for key, value in differing.items())
    settings = {"model": "model.id", "recipe": "training.recipe", "optimizer": "training.optimizer"}
    back = " and ".join(
        f"{settings[key]}={made[key]}" for key in differing if key in settings and key in made
    )
    raise WaggleError(
        f"The checkpoint {path} does not fit this configuration",
        f"it was made with {was}; now it is {now}",
        (f"Set {back} to go on with it, or move" if back else "Move")
        + f" the folder {path.parent} away to begin anew",
    )


def write_weights(folder: Path, model: Any, tokenizer: Any, adapter_of: str | None) -> None:
    """A folder that `from_pretrained` loads, or with the name of a base model the adapter alone,
    in the files that peft reads.

    OSError when the disk refuses.
    """
    try:
        if adapter_of is not None:
            lora.write_adapter(folder, model, adapter_of)
        else:
            model.save_pretrained(folder, max_shard_size=SHARD_BYTES)
            tokenizer.save_pretrained(folder)
    except SafetensorError as error:
        raise as_os_error(error) from error


def restore_weights(folder: Path, model: Any, adapter: bool) -> None:
    """The inverse of `write_weights`, into the model's own tensors.

    ValueError, and no change, when a name or a shape is not the model's.
    """
    if adapter:
        lora.load_adapter(model, read_adapter(folder))
        return
    saved = _files(folder, "model")
    own = model.state_dict()
    if not set(saved) <= set(own):
        # Files name some architectures' weights otherwise than the model does; then transformers
        # has to translate, at the price of a second copy.
        from core.training.weights import load_weights_of

        translated = load_weights_of(str(folder), model.dtype)
        _require_shapes({n: tuple(t.shape) for n, t in translated.items()}, own)
        model.load_state_dict(translated)
        return
    _require_shapes(saved.shapes(), own)
    with torch.no_grad():
        for name, value in saved.items():
            own[name].copy_(value)


def read_adapter(folder: Path) -> dict[str, Tensor]:
    """What `lora.adapter_tensors` gave; peft writes its own prefix before each name."""
    files = _files(folder, "adapter_model")
    return {name.removeprefix(_PEFT): value for name, value in files.items()}


def _distinct(model: Any) -> dict[str, Tensor]:
    """Parameters and buffers that are written: tied ones once."""
    seen = {tensor.data_ptr(): (name, tensor) for name, tensor in model.state_dict().items()}
    return dict(seen.values())


def _require_shapes(saved: Mapping[str, tuple[int, ...]], own: Mapping[str, Tensor]) -> None:
    """Every saved tensor has the model's shape, and every weight of the model is saved.

    A tied weight is saved under one of its names.
    """
    for name, shape in saved.items():
        if name not in own or tuple(own[name].shape) != shape:
            raise ValueError(f"its {name} is not one of this model's")
    filled = {own[name].data_ptr() for name in saved}
    missing = [name for name, tensor in own.items() if tensor.data_ptr() not in filled]
    if missing:
        raise ValueError(f"it has no {missing[0]}")


def write_trainer(folder: Path, tensors: Mapping[str, Tensor], facts: dict[str, Any]) -> None:
    """OSError when the disk refuses, TypeError when `facts` is not JSON."""
    (folder / FACTS).write_text(json.dumps({"format": FORMAT, **facts}, indent=1))
    write_tensors(folder, TRAINER, tensors)


def read_trainer(folder: Path) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
    """StorageError when the files are missing, damaged or of another format."""
    facts = read_facts(folder)
    return _files(folder, TRAINER), facts


def read_facts(folder: Path) -> dict[str, Any]:
    """What `save` was told, without reading a tensor. StorageError when it cannot be read."""
    try:
        facts = json.loads((folder / FACTS).read_text())
        if facts["format"] != FORMAT:
            raise ValueError(f"it has format {facts['format']}, this Waggle reads {FORMAT}")
        return dict(facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"The trainer's state in {folder} cannot be read",
            str(error),
            "Move that folder away; an older checkpoint is used then",
        ) from error


def rng_tensors(generator: torch.Generator) -> dict[str, Tensor]:
    """All random states that training draws from: the sampler's, and torch's own for dropout.

    Tasks are drawn from generators seeded by their ids, so Python's `random` and numpy's global
    state take no part.
    """
    out = {"rng.sampler": generator.get_state(), "rng.torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        out["rng.cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        out["rng.mps"] = torch.mps.get_rng_state()
    return out


def restore_rng(tensors: Mapping[str, Tensor], generator: torch.Generator) -> None:
    generator.set_state(tensors["rng.sampler"])
    torch.set_rng_state(tensors["rng.torch"])
    if torch.cuda.is_available() and "rng.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng.cuda"])
    if torch.backends.mps.is_available() and "rng.mps" in tensors:
        torch.mps.set_rng_state(tensors["rng.mps"])


def _files(folder: Path, stem: str) -> TensorFiles:
    return TensorFiles(sorted(folder.glob(f"{stem}*.safetensors")))
