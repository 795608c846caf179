"""Finds and loads a causal language model with its tokenizer, by name, path or Hugging Face id.

It knows where models come from and where they go: device, number format, threads. It runs no code
that a model folder brings along (`trust_remote_code=False`) and reads no pickled weights
(safetensors only).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import WaggleError
from core.home import REPO_ROOT
from core.protocols import Progress
from core.schema import ModelSection
from core.training.hub import fetch
from core.training.tokenizing import filler, load_tokenizer
from core.training.weights import load_weights, quiet_transformers

BUILT_IN = REPO_ROOT / "configs" / "models"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for sampling and training.

    eos_ids: every token that ends a completion; `eos_id` is the one that is trained as the end.
    parameters: number of distinct weights. threads: CPU threads that torch uses for it.
    """

    id: str
    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype
    eos_id: int
    eos_ids: tuple[int, ...]
    pad_id: int
    parameters: int
    threads: int


def built_in_models() -> list[str]:
    """Names of the models that come with Waggle."""
    if not BUILT_IN.is_dir():
        return []
    return sorted(p.name for p in BUILT_IN.iterdir() if (p / "config.json").is_file())


def resolve(model_id: str) -> str:
    """A folder or a Hugging Face id. WaggleError for a path that is no folder."""
    if not model_id.strip():
        raise WaggleError("No model is named", "model.id is empty", _choices())
    if model_id in built_in_models():
        return str(BUILT_IN / model_id)
    path = Path(model_id).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise WaggleError(
                f"{path} is not a model folder",
                "it has no config.json",
                "Give the folder that save_pretrained wrote, or a Hugging Face id",
            )
        return str(path)
    if model_id.startswith(("/", "./", "../", "~")) or path.exists():
        raise WaggleError(f"There is no model folder {path}", "", _choices())
    if not _HUB_ID.fullmatch(model_id):
        raise WaggleError(f"{model_id!r} is no model id", "", _choices())
    return model_id


def is_hub_id(model_id: str) -> bool:
    """Whether it names a repository on the Hugging Face Hub, not something on this machine."""
    try:
        return not Path(resolve(model_id)).is_dir()
    except WaggleError:
        return False


def load_model(section: ModelSection, progress: Progress | None = None) -> LoadedModel:
    """Load weights and tokenizer onto the chosen device, in `eval` mode, without dropout.

    progress: bytes of a download, (here, all). WaggleError when the model cannot be found, read or
    trained here; its text names which.
    """
    quiet_transformers()
    folder = locate(section.id, progress)
    device = choose_device(section.device)
    dtype = choose_dtype(section.dtype, device)
    threads = choose_threads(section.threads)
    torch.set_num_threads(threads)
    tokenizer = load_tokenizer(section.id, folder)
    model = load_weights(section.id, folder, dtype).to(device).eval()
    _without_dropout(model)
    eos_ids = _eos_ids(model, tokenizer, section.id)
    return LoadedModel(
        id=section.id,
        model=model,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        eos_id=eos_ids[0],
        eos_ids=eos_ids,
        pad_id=filler(tokenizer, model.get_input_embeddings().num_embeddings, eos_ids[0]),
        parameters=sum(p.numel() for p in model.parameters()),
        threads=threads,
    )


def locate(model_id: str, progress: Progress | None = None) -> Path:
    """The folder with a model's files, downloaded first when it is a Hugging Face id."""
    source = resolve(model_id)
    return Path(source) if Path(source).is_dir() else fetch(source, progress)


def choose_device(wanted: str) -> torch.device:
    """`auto` is cuda where torch has it, else the CPU. WaggleError when the wanted one is missing.

    mps is used on request only: for the small models of a CPU node it is slower than the CPU.
    """
    cuda = torch.cuda.is_available()
    mps = torch.backends.mps.is_available()
    if wanted == "auto":
        return torch.device("cuda" if cuda else "cpu")
    if (wanted == "cuda" and not cuda) or (wanted == "mps" and not mps):
        raise WaggleError(
            f"The device {wanted!r} cannot be used",
            "torch does not find it on this machine",
            "Set model.device to auto or cpu",
        )
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 where CUDA computes with it, float32 elsewhere.

    In bfloat16 the optimiser keeps float32 copies of the weights, because most updates of RL are
    smaller than the spacing of 16-bit numbers; tensor cores of compute capability 8 and later win
    far more than that costs. Older GPUs only emulate bfloat16, float16 overflows in training, and
    on CPU and MPS the copies would eat what the smaller weights save.
    """
    if wanted != "auto":
        chosen: torch.dtype = getattr(torch, wanted)
        return chosen
    modern = device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8
    return torch.bfloat16 if modern else torch.float32


def choose_threads(wanted: int) -> int:
    """0 chooses the physical cores this process may use, one of them left free beyond two."""
    if wanted:
        return wanted
    import psutil

    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        physical = min(physical, len(os.sched_getaffinity(0)))
    return physical if physical <= 2 else physical - 1


def _without_dropout(model: Any) -> None:
    """Dropout makes the trainer score other tokens than the sampler drew; RL needs none."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0


def _eos_ids(model: Any, tokenizer: Any, model_id: str) -> tuple[int, ...]:
    """The tokenizer's EOS first, then those that the generation config adds."""
    more = model.generation_config.eos_token_id if model.generation_config else None
    extra = [] if more is None else [more] if isinstance(more, int) else list(more)
    ids = tuple(dict.fromkeys([int(tokenizer.eos_token_id), *map(int, extra)]))
    vocabulary = model.get_input_embeddings().num_embeddings
    if ids[0] >= vocabulary or len(tokenizer) > vocabulary:
        raise WaggleError(
            f"The tokenizer of {model_id} does not fit its weights",
            f"{len(tokenizer)} tokens, but only {vocabulary} embeddings",
            "Use the tokenizer that belongs to the model",
        )
    return ids


def _choices() -> str:
    names = ", ".join(built_in_models()) or "none"
    return f"Name a built-in model ({names}), a Hugging Face id, or the path of a model folder"
