"""Linear layers computed on a CPU with int8 or bfloat16 copies of their weights.

It knows how a weight matrix is packed, how packed copies multiply, and whether this build of torch
on this processor can do it, found out by computing something and looking at the result. Which
layers of a model use it, and when, is `rollout_weights.py`'s work. No gradient flows through it.

int8: weights are symmetric with one scale per output; activations with one scale per row, so that
an outlier costs only its own row its precision, and a row's result does not depend on the rows
beside it. The kernels are FBGEMM's where torch has them (`torch.ops.quantized`, deprecated as an
API of torch.ao but not replaced: hence the self-test).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import linear

ROWS_AT_ONCE = 1024
"""Rows of a weight quantised together: the float32 temporary stays in the cache."""

SMALLEST = 1e-30
"""Stands in for the largest magnitude of a row of zeros; its reciprocal is still finite."""

PADDING = 512
"""FBGEMM packs the inputs of a matrix in blocks of this many."""

INT8_ERROR = 0.03
"""The self-test allows this relative error; rounding makes about 0.011, saturation over 0.3."""


class PackedLinear(Protocol):
    """`x @ weight.T` for float32 x (..., in) -> (..., out); a bias is the caller's."""

    size_bytes: int

    def __call__(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Int8Kernel:
    """How int8 matrices multiply here.

    engine: of torch.backends.quantized, as the matrix is packed. static: the input's scale can
    be given (FBGEMM); otherwise the kernel looks for the range itself, and one more row fixes
    what it finds. levels: activations become integers of -levels..levels; 63 where the
    processor adds pairs of products in 16 bits (no VNNI), which 127 would saturate.
    """

    engine: str
    static: bool
    levels: int

    def multiply(self, x: Tensor, packed: Any) -> Tensor:
        """x: (N, in), every entry in [-1, 1]."""
        ops = torch.ops.quantized
        if self.static:
            return ops.linear_with_input_q_dq_qweight_dq_output_fp32(
                x, 1.0 / self.levels, self.levels + 1, packed
            )
        ends = x.new_zeros(1, x.shape[1])
        ends[0, 0], ends[0, -1] = 1.0, -1.0
        return ops.linear_dynamic(torch.cat((x, ends)), packed, self.levels < 127)[:-1]


class Int8Linear:
    """One weight matrix (out, in) as int8, made inside `packing_for` of its kernel."""

    def __init__(self, weight: Tensor, kernel: Int8Kernel) -> None:
        self._kernel = kernel
        self._packed = torch.ops.quantized.linear_prepack(quantize(weight), None)
        self._outputs = len(weight)
        padded = -(-weight.shape[1] // PADDING) * PADDING if kernel.static else weight.shape[1]
        self.size_bytes = len(weight) * (padded + 12)

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        largest = rows.abs().amax(-1, keepdim=True).clamp_min_(SMALLEST)
        out = self._kernel.multiply(rows / largest, self._packed).mul_(largest)
        return out.view(*x.shape[:-1], self._outputs)


class Bfloat16Linear:
    """One weight matrix (out, in) as bfloat16; sums are float32, the result is rounded once."""

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight.detach().to(torch.bfloat16)
        self.size_bytes = 2 * weight.numel()

    def __call__(self, x: Tensor) -> Tensor:
        return linear(x.to(torch.bfloat16), self._weight).float()


def quantize(weight: Tensor) -> Tensor:
    """A per-channel qint8 tensor: each row of (out, in) scaled by its own largest magnitude."""
    weight = weight.detach()
    scales = torch.empty(len(weight), dtype=torch.float64)
    out = torch._empty_per_channel_affine_quantized(
        weight.shape,
        scales=scales,
        zero_points=torch.zeros(len(weight), dtype=torch.long),
        axis=0,
        dtype=torch.qint8,
    )
    # Scales and integers are written through views, so that no second copy of either exists.
    integers = torch.empty(0, dtype=torch.int8).set_(
        out.untyped_storage(), 0, weight.shape, (weight.shape[1], 1)
    )
    scales = out.q_per_channel_scales()
    for start in range(0, len(weight), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        rows = weight[part].float()
        largest = rows.abs().amax(1).clamp_min_(SMALLEST)
        scales[part] = largest / 127.0
        integers[part] = (rows * (127.0 / largest)[:, None]).round_()
    return out


@contextmanager
def packing_for(kernel: Int8Kernel) -> Iterator[None]:
    """Inside, torch packs int8 matrices for this kernel. A setting of the whole process."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = kernel.engine
    try:
        yield
    finally:
        torch.backends.quantized.engine = before


@cache
def int8_kernel() -> Int8Kernel | str:
    """The first kernel that computes correctly on this machine, or why there is none."""
    failures = []
    supported = torch.backends.quantized.supported_engines
    for engine in ("fbgemm", "onednn", "qnnpack"):
        if engine not in supported:
            continue
        for levels in (127, 63):
            kernel = Int8Kernel(engine, engine == "fbgemm", levels)
            try:
                # torch warns, once, that it will drop these operations: hence this very test.
                with torch.inference_mode(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    error = int8_error(kernel)
            except (RuntimeError, AttributeError) as raised:
                failures.append(f"{engine}: {str(raised).splitlines()[0][:120]}")
                break
            if error < INT8_ERROR:
                return kernel
            failures.append(f"{engine} with {levels} levels: off by {error:.0%}")
    return "; ".join(failures) or "this build of torch has no int8 kernels"


def int8_error(kernel: Int8Kernel) -> float:
    """Relative error of a product that is largest where 16-bit sums would saturate."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(48, 128, generator=generator)
    x = torch.randn(20, 128, generator=generator)
    weight[0], weight[1], x[0], x[1] = 1.0, -1.0, 1.0, 1e-3
    exact = linear(x, weight)
    with packing_for(kernel):
        packed = Int8Linear(weight, kernel)
    error = (packed(x) - exact).norm(dim=1) / exact.norm(dim=1)
    return float(error.max())


@cache
def bfloat16_failure() -> str:
    """Why bfloat16 products cannot be used here; empty when they can."""
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(48, 128, generator=generator), torch.randn(20, 128, generator=generator)
    try:
        error = float((Bfloat16Linear(weight)(x) - linear(x, weight)).norm() / x.norm())
    except RuntimeError as raised:
        return str(raised).splitlines()[0][:200]
    return "" if error < 0.1 else f"products are off by {error:.0%}"


def unavailable() -> dict[str, str]:
    """Formats that cannot be used on this machine, with the reason."""
    kernel, failure = int8_kernel(), bfloat16_failure()
    out = {"bfloat16": failure} if failure else {}
    return out | ({"int8": kernel} if isinstance(kernel, str) else {})
