"""Measures what this machine's CPU does for a round, in about a second; prints it as JSON.

`python -m core.training.speed` is started by `core/measuring.py`. It multiplies with the sampler's
own kernels and draws with its own draw, on random numbers: no model is loaded. Each figure is a
mean: what else runs on the machine now will make rounds longer too.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import linear

from core import children
from core.schema import SamplingSection
from core.training import drawing
from core.training.models import choose_threads
from core.training.quantized import (
    Bfloat16Linear,
    Int8Linear,
    int8_kernel,
    packing_for,
    unavailable,
)

INPUTS, OUTPUTS, MATRICES = 1024, 4096, 8
"""Of the matrices that are multiplied in turn: 128 MiB, so that they come from memory as a model's
weights do, not from a cache."""
FEW, MANY, UPDATE_ROWS = 8, 128, 512
READ_FLOATS = 1 << 26
VOCABULARY = 151_936
DRAWN_ROWS = 16
OPERATIONS = 50
EACH_S = 0.1
"""Given to each figure."""
Products = Sequence[Callable[[Tensor], object]]


def mean(work: Callable[[], object], within_s: float = EACH_S) -> float:
    """Seconds of a run, on average: after the first one, for so long."""
    work()
    begun = time.perf_counter()
    runs = 0
    while True:
        work()
        runs += 1
        lasted = time.perf_counter() - begun
        if lasted > within_s:
            return lasted / runs


def per_weight(products: Products, x: Tensor) -> float:
    """Seconds of multiplying one weight with every row of x."""

    def every() -> None:
        for product in products:
            product(x)

    return mean(every) / (len(products) * INPUTS * OUTPUTS)


@torch.inference_mode()
def measure() -> dict[str, object]:
    """What `core.pace.Machine` holds, as plain JSON."""
    threads = choose_threads(0)
    torch.set_num_threads(threads)
    weight = torch.randn(OUTPUTS, INPUTS, generator=torch.Generator().manual_seed(0))
    weights = [weight.clone() for _ in range(MATRICES)]
    many = weight[:UPDATE_ROWS].clone()
    update = {
        "float32": per_weight([partial(linear, weight=w) for w in weights], many) / UPDATE_ROWS,
        "bfloat16": per_weight([partial(_half, w.bfloat16()) for w in weights], many) / UPDATE_ROWS,
    }
    sample = {
        name: [per_weight(products, many[:rows].clone()) for rows in (FEW, MANY)]
        for name, products in _formats(weights)
    }
    fresh = mean(lambda: [w.bfloat16() for w in weights]) / (MATRICES * INPUTS * OUTPUTS)
    wide = torch.ones(READ_FLOATS)
    move = mean(lambda: wide.mul_(1.0)) / (8 * READ_FLOATS)
    logits = torch.randn(DRAWN_ROWS, VOCABULARY)
    chances = torch.linspace(0.0, 0.99, DRAWN_ROWS, dtype=torch.float64)
    sampling = SamplingSection()
    draw = mean(lambda: drawing.draw(drawing.scores(logits, sampling), chances))
    torch.set_num_threads(1)
    alone = per_weight([partial(linear, weight=w) for w in weights[:1]], many) / UPDATE_ROWS
    small = torch.randn(MANY, 1, 160)

    def operations() -> None:
        x = small
        for _ in range(OPERATIONS):
            x = x * 1.0

    return {
        "threads": threads,
        "few": FEW,
        "many": MANY,
        "sample": sample,
        "update": update,
        "alone": alone,
        "move": move,
        "fresh": fresh,
        "draw": draw / DRAWN_ROWS / VOCABULARY,
        "operation": mean(operations) / OPERATIONS,
    }


def _half(weight: Tensor, x: Tensor) -> Tensor:
    """As an update multiplies in bfloat16."""
    return linear(x.bfloat16(), weight).float()


def _formats(weights: Sequence[Tensor]) -> Iterator[tuple[str, Products]]:
    """Every number format that the sampler could use here, with its own kernels."""
    yield "exact", [partial(linear, weight=w) for w in weights]
    missing = unavailable()
    if "bfloat16" not in missing:
        yield "bfloat16", [Bfloat16Linear(w) for w in weights]
    kernel = int8_kernel()
    if not isinstance(kernel, str):
        with packing_for(kernel):
            packed = [Int8Linear(w, kernel) for w in weights]
        yield "int8", packed


def main() -> None:
    out = children.claim_stdout()
    children.exit_with_parent()
    with os.fdopen(out, "w") as told:
        json.dump(measure(), told)


if __name__ == "__main__":
    main()
