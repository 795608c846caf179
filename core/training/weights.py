"""Reads the weights of a model folder: configuration and safetensors, never pickles, never code.

It says which file is missing or damaged, and refuses what the engine cannot train before reading
gigabytes of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from core.errors import WaggleError
from core.training.support import check_architecture
from core.training.tokenizing import first_line


def load_weights(model_id: str, folder: Path, dtype: torch.dtype) -> Any:
    """A model of a folder on the CPU, one tensor after the other: there is never a second copy.

    WaggleError when files are missing or damaged, or when the engine cannot train its kind.
    """
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM

    check_files(model_id, folder)
    try:
        hf_config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        check_architecture(model_id, hf_config)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=hf_config,
            dtype=dtype,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except SafetensorError as error:
        raise WaggleError(
            f"The weights of {model_id} are damaged",
            f"safetensors says: {error}",
            "Copy or download the model again",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        own_code = "trust_remote_code" in str(error)
        raise WaggleError(
            f"The model {model_id} brings its own Python code"
            if own_code
            else f"The model {model_id} cannot be read",
            "Waggle never runs code from a model" if own_code else first_line(error),
            "Choose a model whose architecture transformers itself contains"
            if own_code
            else "Check its config.json, or choose another model",
        ) from error
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:  # transformers would go on with random numbers in their place
        raise WaggleError(
            f"The weights of {model_id} are incomplete",
            f"{len(missing)} tensors are missing, among them {missing[0]}",
            "Copy or download the model again",
        )
    return model


def load_weights_of(path: str, dtype: torch.dtype) -> Any:
    """The weights of a model folder as a state dict on the CPU, every name of the model filled."""
    quiet_transformers()
    return load_weights(path, Path(path), dtype).state_dict()


def check_files(model_id: str, folder: Path) -> None:
    """WaggleError, naming the file, unless the folder has its configuration and all its weights."""
    if not (folder / "config.json").is_file():
        raise WaggleError(
            f"The model {model_id} is incomplete",
            f"{folder} has no config.json",
            "Copy or download the model again",
        )
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return
    if index.is_file():
        try:
            shards = sorted(
                {str(name) for name in json.loads(index.read_text())["weight_map"].values()}
            )
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise WaggleError(
                f"The model {model_id} cannot be read",
                f"{index.name} is damaged: {first_line(error)}",
                "Copy or download the model again",
            ) from error
        missing = [name for name in shards if not (folder / name).is_file()]
        if missing:
            raise WaggleError(
                f"The weights of {model_id} are incomplete",
                f"{', '.join(missing[:3])} {'is' if len(missing) == 1 else 'are'} missing"
                f" ({len(shards) - len(missing)} of {len(shards)} files are there)",
                "Copy or download the model again",
            )
        return
    raise _no_weights(model_id, folder)


def _no_weights(model_id: str, folder: Path) -> WaggleError:
    if (folder / "adapter_config.json").is_file():
        return WaggleError(
            f"{model_id} is a LoRA adapter, not a model",
            "it has adapter_config.json and no model.safetensors",
            "Merge it into its base model first, or name the base model",
        )
    if any(folder.glob("*.gguf")):
        return WaggleError(
            f"The weights of {model_id} cannot be trained",
            "GGUF files are made for inference",
            "Name the model that they were made from",
        )
    pickled = sorted(p.name for pattern in ("*.bin", "*.pt", "*.pth") for p in folder.glob(pattern))
    return WaggleError(
        f"The model {model_id} has no weights that Waggle reads",
        f"{pickled[0]} is pickled, and a pickled file can run code when it is loaded"
        if pickled
        else "model.safetensors is missing; pickled weights (*.bin) can run code and are not read",
        "Choose a variant with safetensors, or write them with save_pretrained of transformers",
    )


def quiet_transformers() -> None:
    """Progress bars and warnings of these libraries would land in the middle of the console."""
    from huggingface_hub.utils import logging as hub
    from transformers.utils import logging

    hub.set_verbosity_error()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
