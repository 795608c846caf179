"""Forwards of small layers in fewer operations than their modules take, with the same results.

While one token per row is decoded, a layer that only shuffles a few numbers costs as much as it
has operations. It knows RMS norms (one operation instead of five) and peft's LoRA layers (two
beside the base layer, instead of four and much Python). Putting them in place and taking them
away again is `rollout_weights.py`'s work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm

Forward = Callable[..., Tensor]


def fused_norms(model: nn.Module) -> Iterator[tuple[nn.Module, Forward]]:
    """RMS norms that `rms_norm` computes just as they do, tried out on each one's own weight."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if not type(module).__name__.endswith("RMSNorm") or not isinstance(weight, Tensor):
            continue
        if not hasattr(module, "variance_epsilon") or "forward" in module.__dict__:
            continue
        x = torch.randn(2, weight.numel(), generator=generator).to(weight.device, weight.dtype)
        forward = _norm(module)
        with torch.no_grad():
            if torch.allclose(module(x), forward(x), rtol=1e-5, atol=1e-6):
                yield module, forward


def _norm(module: Any) -> Forward:
    def forward(x: Tensor) -> Tensor:
        return rms_norm(x, module.weight.shape, module.weight, module.variance_epsilon)

    return forward


def fused_adapters(model: nn.Module) -> Iterator[tuple[nn.Module, Forward]]:
    """peft's LoRA layers with one plain adapter (2106.09685), of the base layer's own dtype."""
    layers = [module for module in model.modules() if hasattr(module, "base_layer")]
    if not layers:
        return
    from peft.tuners.lora import Linear

    for layer in layers:
        if type(layer) is not Linear or layer.merged or layer.lora_variant:
            continue
        names = layer.active_adapters
        if (
            len(names) != 1
            or names[0] not in layer.lora_A
            or layer.lora_B[names[0]].bias is not None
        ):
            continue
        if layer.lora_A[names[0]].weight.dtype == layer.get_base_layer().weight.dtype:
            yield layer, _adapter(layer, names[0])


def _adapter(layer: Any, name: str) -> Forward:
    down, up, scaling = layer.lora_A[name], layer.lora_B[name], layer.scaling[name]

    def forward(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if layer.disable_adapters or layer.training or args or kwargs:
            return type(layer).forward(layer, x, *args, **kwargs)
        out = layer.base_layer(x)
        low = linear(x.reshape(-1, x.shape[-1]), down.weight)
        return out.view(-1, out.shape[-1]).addmm_(low, up.weight.T, alpha=scaling).view_as(out)

    return forward
