"""Smaller, faster weights for sampling, swapped in for as long as completions are sampled.

It knows which layers of a model are linear, keeps a packed copy of each, and lends the copies to
the model's own modules by replacing their `forward` inside a `with` block. The parameters stay
where they are, exact and shared: nothing of the training side notices. How a copy is computed is
`quantized.py`'s work; correcting for its rounding is the loss's (truncated importance sampling).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import WaggleError
from core.training.allocator import trim
from core.training.fused import fused_adapters, fused_norms
from core.training.quantized import (
    Bfloat16Linear,
    Int8Kernel,
    Int8Linear,
    PackedLinear,
    int8_kernel,
    packing_for,
    unavailable,
)

FORMATS = ("exact", "bfloat16", "int8")
"""Of the weights while sampling; exact: as they are."""


WITNESSES = 64
"""Entries of a weight by which a change is noticed that torch does not count."""


@dataclass(frozen=True)
class _Copy:
    """A packed weight and what it was packed from: changed since, when these differ.

    torch counts a tensor's changes, but not those of fused optimisers nor through `.data`; they
    change nearly every entry, so that a few entries spread over the weight tell.
    """

    packed: PackedLinear
    source: Tensor
    version: int
    address: int
    witnesses: Tensor

    @classmethod
    def of(cls, packed: PackedLinear, weight: Tensor) -> _Copy:
        return cls(packed, weight, weight._version, weight.data_ptr(), _witnesses(weight))

    def fits(self, weight: Tensor) -> bool:
        return (
            self.source is weight
            and self.version == weight._version
            and self.address == weight.data_ptr()
            and torch.equal(self.witnesses, _witnesses(weight))
        )


def _witnesses(weight: Tensor) -> Tensor:
    step = max(1, weight.numel() // WITNESSES)
    # An odd step walks through the columns as well.
    return weight.detach().flatten()[:: step | 1].clone()


class RolloutWeights:
    """A context manager: inside, the model's linear layers compute with packed copies.

    Every `nn.Linear` takes part, the LM head too; embeddings and biases stay exact, and so do
    peft's adapters (lora_A, lora_B), beside their packed base layer. RMS norms and adapters
    take fewer operations (`fused.py`), in every format. What enters and leaves stays float32.

    A weight is packed when it is first needed and again when it has changed, so a frozen one is
    packed once. Inside the block a gradient cannot be computed (RuntimeError).
    """

    def __init__(self, model: nn.Module, format: str) -> None:
        """WaggleError when `format` does not work on this machine, or the model is elsewhere."""
        if format not in FORMATS:
            raise ValueError(f"format must be one of {FORMATS}")
        self.format = format
        self._linears = list(linears(model)) if format != "exact" else []
        self.packs = 0
        """Matrices packed so far, over all refreshes."""
        self._copies: dict[nn.Module, _Copy] = {}
        self._swapped: list[tuple[nn.Module, Any]] = []
        reason = unavailable().get(format)
        if any(m.weight.device.type != "cpu" for m in self._linears):
            reason = "the model is not on the CPU"
        if reason:
            raise refusal(format, reason)
        self._model = model
        self._model_bytes = sum(p.nbytes for p in model.parameters())
        self._norms = list(fused_norms(model))

    @property
    def size_bytes(self) -> int:
        """Memory of the packed copies that exist now."""
        return sum(copy.packed.size_bytes for copy in self._copies.values())

    def refresh(self) -> int:
        """Pack what is missing or has changed since it was packed; how many matrices that were."""
        stale = [
            module
            for module in self._linears
            if module not in self._copies or not self._copies[module].fits(module.weight)
        ]
        if not stale:
            return 0
        for module in stale:
            self._copies.pop(module, None)
        # The largest first: it is the LM head, and the others are packed beside it.
        stale.sort(key=lambda module: -module.weight.numel())
        kernel = int8_kernel()
        with ExitStack() as stack:
            if isinstance(kernel, Int8Kernel):
                stack.enter_context(packing_for(kernel))
            pool = stack.enter_context(one_matrix_per_thread())
            for module, packed in zip(
                stale, pool.map(self._pack, [m.weight for m in stale]), strict=True
            ):
                self._copies[module] = _Copy.of(packed, module.weight)
                self.packs += 1
        trim(self._model_bytes)
        return len(stale)

    def _pack(self, weight: Tensor) -> PackedLinear:
        if self.format == "bfloat16":
            return Bfloat16Linear(weight)
        kernel = int8_kernel()
        assert isinstance(kernel, Int8Kernel), "looked at when this object was made"
        return Int8Linear(weight, kernel)

    def forget(self) -> None:
        """Free the copies of weights that training changes; the next refresh packs them anew.

        Call it before an update of the full weights, so that the peak does not hold both.
        Copies of frozen weights stay: packing them a second time would only cost time.
        """
        for module in [m for m in self._copies if m.weight.requires_grad]:
            del self._copies[module]
        trim(self._model_bytes)

    def release(self) -> None:
        """Free every copy."""
        self._copies.clear()
        trim(self._model_bytes)

    def __enter__(self) -> RolloutWeights:
        if self._swapped:
            raise RuntimeError("these rollout weights are in use already")
        self.refresh()
        for linear in self._linears:
            self._swap(linear, _linear_forward(self._copies[linear].packed, linear))
        for module, forward in (*self._norms, *fused_adapters(self._model)):
            self._swap(module, forward)
        return self

    def _swap(self, module: nn.Module, forward: Callable[[Tensor], Tensor]) -> None:
        """An attribute of the instance hides the method of its class."""
        self._swapped.append((module, module.__dict__.get("forward")))
        module.forward = forward

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for module, before in self._swapped:
            if before is None:
                del module.forward
            else:
                module.forward = before
        self._swapped.clear()


@contextmanager
def one_matrix_per_thread() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch has, each computing alone.

    Packing is a long row of small operations. Were each split over all cores, they would wait for
    one another thousands of times; on a busy machine that takes ten times as long as the work.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what threads that begin from now on take over
    try:
        with ThreadPoolExecutor(min(8, threads), thread_name_prefix="pack") as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def refusal(format: str, reason: str) -> WaggleError:
    return WaggleError(
        f"Completions cannot be sampled with {format} weights here",
        reason,
        "Set sampling.rollout_format to auto or exact",
    )


def linears(model: nn.Module) -> Iterator[nn.Linear]:
    """Every plain linear layer of the model itself, once: none that peft's adapters added."""
    added = {
        part
        for module in model.modules()
        for name in getattr(module, "adapter_layer_names", ())
        if isinstance(getattr(module, name), nn.Module)
        for part in getattr(module, name).modules()
    }
    for module in model.modules():
        if not isinstance(module, nn.Linear) or module in added:
            continue
        if type(module).forward is nn.Linear.forward:
            yield module


def _linear_forward(packed: PackedLinear, module: nn.Linear) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise RuntimeError("rollout weights only sample: no gradient flows through them")
        out = packed(x.float())
        if module.bias is not None:
            out += module.bias
        return out.to(x.dtype)

    return forward
