"""Matrix products of an update in bfloat16, where the machine multiplies that much faster.

Weights, gradients and the optimiser stay float32, and so does everything between two products, as
in torch's autocast; unlike there, only half-size inputs are kept for the backward pass. Whether it
pays is found out by multiplying. Knows linear layers, no losses.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from core.training.rollout_weights import linears

PAYS = 1.5
"""bfloat16 must multiply this many times as fast: less would not be worth its rounding."""
TOKENS = 512
SMALL = 1 << 20
"""Elements of a weight below which the products are too small for the format to matter."""


@contextmanager
def half_products(model: nn.Module) -> Iterator[None]:
    """While entered, the model's linear layers multiply in bfloat16, forwards and backwards."""
    layers = list(linears(model))
    latest = _Latest()
    for layer in layers:
        layer.forward = _forward_of(layer, latest)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def speedup(model: nn.Module) -> float:
    """How many times as fast this machine multiplies in bfloat16: by the model's largest layer.

    0 where the model is too small for it, or not in float32 on a CPU.
    """
    layers = [m for m in linears(model) if m.weight.numel() < m.in_features * 32_768]
    weight = max((layer.weight for layer in layers), key=Tensor.numel, default=None)
    if weight is None or weight.device.type != "cpu" or weight.dtype != torch.float32:
        return 0.0
    if weight.numel() < SMALL:
        return 0.0
    x = torch.randn(TOKENS, weight.shape[1], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = _fastest(lambda: functional.linear(x, weight))
        half = _fastest(lambda: _product(x.bfloat16(), weight.bfloat16()).float())
    return exact / half


def _fastest(work: Any, times: int = 4) -> float:
    """The least of some runs: what else runs on the machine only ever adds to it."""
    work()
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _product(x: Tensor, weight: Tensor) -> Tensor:
    return functional.linear(x, weight)


class _Latest:
    """The input rounded last: query, key and value share theirs, and so do gate and up."""

    def __init__(self) -> None:
        self._of: Tensor | None = None
        self._half: Tensor | None = None

    def half(self, x: Tensor) -> Tensor:
        if self._of is not x or self._half is None:
            self._of, self._half = x, x.detach().bfloat16()
        return self._half


class _HalfLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, half: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(half, weight)
        out = _product(half, weight.bfloat16()).to(x.dtype)
        return out if bias is None else out.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        half, weight = ctx.saved_tensors
        wants_x, _, wants_weight, wants_bias = ctx.needs_input_grad
        slope_half = slope.bfloat16()
        flat = slope_half.flatten(0, -2)
        return (
            (slope_half @ weight.bfloat16()).to(slope.dtype) if wants_x else None,
            None,
            (flat.t() @ half.flatten(0, -2)).to(weight.dtype) if wants_weight else None,
            slope.flatten(0, -2).sum(0) if wants_bias else None,
        )


def _forward_of(layer: nn.Linear, latest: _Latest) -> Any:
    def forward(x: Tensor) -> Tensor:
        out: Tensor = _HalfLinear.apply(x, latest.half(x), layer.weight, layer.bias)
        return out

    return forward
