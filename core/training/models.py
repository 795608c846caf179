"""Finds and loads a causal language model with its tokenizer, by name, path or Hugging Face id.

It knows where models come from and what a model needs so that a node can train it. It runs no code
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
from core.schema import ModelSection

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
    """A folder or a Hugging Face id. WaggleError for a path that is not a model folder."""
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


def load_model(section: ModelSection) -> LoadedModel:
    """Load weights and tokenizer onto the chosen device, in `eval` mode.

    WaggleError when the model cannot be found, read or used here; its text names which.
    """
    source = resolve(section.id)
    device = choose_device(section.device)
    dtype = choose_dtype(section.dtype)
    threads = choose_threads(section.threads)
    torch.set_num_threads(threads)
    _quiet_transformers()
    tokenizer = _load_tokenizer(section.id, source)
    model = _load_weights(section.id, source, dtype).to(device).eval()
    eos_ids = _eos_ids(model, tokenizer, section.id)
    pad_id = tokenizer.pad_token_id
    if pad_id is None:
        tokenizer.pad_token = tokenizer.eos_token
        pad_id = tokenizer.pad_token_id
    return LoadedModel(
        id=section.id,
        model=model,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        eos_id=eos_ids[0],
        eos_ids=eos_ids,
        pad_id=int(pad_id),
        parameters=sum(p.numel() for p in model.parameters()),
        threads=threads,
    )


def load_weights_of(path: str, dtype: torch.dtype) -> Any:
    """The weights of a model folder as a state dict on the CPU, every name of the model filled."""
    _quiet_transformers()
    return _load_weights(path, path, dtype).state_dict()


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


def choose_dtype(wanted: str) -> torch.dtype:
    """`auto` is float32: smaller formats lose most updates, and are slower on most CPUs."""
    return torch.float32 if wanted == "auto" else getattr(torch, wanted)


def choose_threads(wanted: int) -> int:
    """0 chooses the physical cores this process may use, one of them left free beyond two."""
    if wanted:
        return wanted
    import psutil

    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        physical = min(physical, len(os.sched_getaffinity(0)))
    return physical if physical <= 2 else physical - 1


def _quiet_transformers() -> None:
    """Progress bars and warnings of these libraries would land in the middle of the console."""
    from huggingface_hub.utils import logging as hub
    from transformers.utils import logging

    hub.set_verbosity_error()
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _load_tokenizer(model_id: str, source: str) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(model_id, source, "tokenizer", error) from error
    if not tokenizer.chat_template:
        raise WaggleError(
            f"The model {model_id} has no chat template",
            "its tokenizer does not say how a question is asked",
            "Choose an instruct or chat variant of the model",
        )
    if tokenizer.eos_token_id is None:
        raise WaggleError(
            f"The model {model_id} has no end-of-sequence token",
            "completions could never end",
            "Set eos_token in its tokenizer_config.json, or choose another model",
        )
    return tokenizer


def _load_weights(model_id: str, source: str, dtype: torch.dtype) -> Any:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, trust_remote_code=False, use_safetensors=True
        )
    except SafetensorError as error:
        raise WaggleError(
            f"The weights of {model_id} are damaged",
            f"safetensors says: {error}",
            "Copy or download the model again",
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _unreadable(model_id, source, "weights", error) from error


def _unreadable(model_id: str, source: str, part: str, error: Exception) -> WaggleError:
    """Sort what transformers raises into the causes that a person can act upon."""
    text = str(error)
    first = text.strip().splitlines()[0][:300] if text.strip() else type(error).__name__
    if Path(source).is_dir():
        return WaggleError(
            f"The {part} of {model_id} cannot be read",
            first,
            "Check the folder: it needs config.json, *.safetensors and the tokenizer's files",
        )
    if "trust_remote_code" in text:
        return WaggleError(
            f"The model {model_id} brings its own Python code",
            "Waggle never runs code from a model",
            "Choose a model whose architecture transformers itself contains",
        )
    offline = ("connect", "offline", "Connection", "resolve", "timed out", "local_files_only")
    if any(word in text for word in offline):
        return WaggleError(
            f"The {part} of {model_id} cannot be fetched",
            "it is not on this machine and the Hugging Face Hub cannot be reached",
            "Check the spelling and the internet connection, or use waggle-tiny or a local folder",
        )
    return WaggleError(f"There is no usable model {model_id}", first, _choices())


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
