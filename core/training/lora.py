"""A LoRA adapter (Hu et al., 2106.09685) on a causal language model, through peft.

The base is frozen and stays what it was: it can be quantised once, it is the reference of a KL
term when the adapter is off, and only the adapter is kept in checkpoints. The model's class, its
forward and its embeddings are untouched; each linear layer of the decoder becomes a peft layer
that holds the old one as `base_layer`. It knows nothing of optimisers and of checkpoint folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from core.errors import WaggleError
from core.schema import TrainingSection

if TYPE_CHECKING:
    from peft.tuners.lora import LoraLayer

WEIGHTS = "adapter_model.safetensors"
_NAME = "default"


def add_adapter(model: Any, training: TrainingSection) -> None:
    """Freeze `model` and put a trainable adapter on every linear layer of its decoder.

    Not on embeddings and not on the LM head. Adapters are float32 whatever the base is, and begin
    as a change of nothing (B = 0; A drawn from `training.seed`, without touching torch's own
    random state). WaggleError when the model has no linear layers.
    """
    from peft import LoraConfig, TaskType, inject_adapter_in_model

    alpha = training.lora_alpha
    config = LoraConfig(
        r=training.lora_rank,
        lora_alpha=int(alpha) if alpha == int(alpha) else alpha,  # type: ignore[arg-type]
        lora_dropout=0.0,
        target_modules=_targets(model),
        task_type=TaskType.CAUSAL_LM,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(training.seed)
        inject_adapter_in_model(config, model, adapter_name=_NAME)
    for weight in adapter_weights(model).values():
        weight.data = weight.data.float()


def adapter_weights(model: Any) -> dict[str, torch.nn.Parameter]:
    """What is trained, by the name that peft's files use: `model.layers.0.….lora_A.weight`."""
    weights: dict[str, torch.nn.Parameter] = {}
    for name, layer in _layers(model):
        a, b = _pair(layer)
        weights |= {f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}
    return weights


@contextmanager
def adapter_off(model: Any) -> Iterator[None]:
    """Within, the model is its base. Use it without gradients; backward passes come after."""
    layers = [layer for _, layer in _layers(model)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def adapter_tensors(model: Any) -> dict[str, Tensor]:
    """The adapter, by the names of `adapter_weights`; not copied."""
    return {name: weight.detach() for name, weight in adapter_weights(model).items()}


def load_adapter(model: Any, tensors: Mapping[str, Tensor]) -> None:
    """Put `adapter_tensors` back. ValueError, and nothing changed, when they do not fit."""
    weights = adapter_weights(model)
    if {n: t.shape for n, t in tensors.items()} != {n: w.shape for n, w in weights.items()}:
        raise ValueError("the adapter is of another model or another rank")
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(tensors[name])


def write_adapter(folder: Path, model: Any, base_id: str) -> None:
    """The two files that `peft.PeftModel.from_pretrained(base, folder)` loads.

    `base_id` is the name of the base that they record. OSError or safetensors' SafetensorError
    when the disk refuses.
    """
    from copy import copy

    from safetensors.torch import save_file

    config = copy(model.peft_config[_NAME])
    config.base_model_name_or_path = base_id
    config.inference_mode = True
    config.save_pretrained(str(folder))
    prefixed = {
        f"base_model.model.{name}": value.cpu().contiguous()
        for name, value in adapter_tensors(model).items()
    }
    save_file(prefixed, folder / WEIGHTS, metadata={"format": "pt"})


def merged_state_dict(model: Any) -> dict[str, Tensor]:
    """The weights of the plain model that computes what this one does, under the plain names.

    For `model.save_pretrained(folder, state_dict=...)`. The model itself stays as it is: adapted
    weights are new tensors (W + scale B A, in the format of W), all others are the model's own.
    """
    adapted = dict(_layers(model))
    merged: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        module, _, leaf = name.rpartition(".base_layer.")
        if module in adapted:
            merged[f"{module}.{leaf}"] = _merge(adapted[module], value, leaf)
        elif ".lora_A." not in name and ".lora_B." not in name:
            merged[name] = value
    return merged


@torch.no_grad()
def _merge(layer: LoraLayer, value: Tensor, leaf: str) -> Tensor:
    """A weight in float32 and back; a bias as it is, since adapters have none."""
    if leaf != "weight":
        return value
    a, b = _pair(layer)
    return torch.addmm(value.float(), b, a, alpha=layer.scaling[_NAME]).to(value.dtype)


def _pair(layer: Any) -> tuple[torch.nn.Parameter, torch.nn.Parameter]:
    """A [rank, in] and B [out, rank]."""
    return layer.lora_A[_NAME].weight, layer.lora_B[_NAME].weight


def _layers(model: Any) -> Iterator[tuple[str, LoraLayer]]:
    from peft.tuners.lora import LoraLayer

    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            yield name, module


def _targets(model: Any) -> list[str]:
    """What to adapt: short names (`q_proj`) where they are unambiguous, as people write them."""
    decoder = {id(module) for module in model.get_decoder().modules()}
    head = model.get_output_embeddings()
    chosen = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and id(module) in decoder and module is not head
    ]
    if not chosen:
        raise WaggleError(
            f"No LoRA adapter can be put on this {type(model).__name__}",
            "its decoder has no linear layers of the usual kind",
            "Train all weights (training.recipe: full), or choose another model",
        )
    short = {name.rpartition(".")[2] for name in chosen}
    meant = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in short]
    return sorted(short) if len(meant) == len(chosen) else chosen
