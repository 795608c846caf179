"""Measures what this machine's CPU does for a round, in about a second; prints it as JSON.

`python -m core.training.speed` is started by `core/measuring.py`. It multiplies with the sampler's
own kernels and draws with its own draw, on random numbers: no model is loaded. Of each figure the
least of some tries is taken: what else runs on the machine only ever adds to it.
"""

from __future__ import annotations

import json
import math
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
EACH_S = 0.06
"""Given to each figure, ..."""
SWEEPS = 2
"""... and at least so many tries, the first of which warms up."""
Products = Sequence[Callable[[Tensor], object]]


def least(works: Sequence[Callable[[], object]], threads: int) -> float:
    """Seconds of all of them in turn, each in its quickest run, with so many threads.

    Threads that wait for one another on a busy machine take many times what they would on a quiet
    one. One alone is timed by its own work; all together are never slower than that.
    """
    return min(_swept(works, count) for count in {threads, 1})


def _swept(works: Sequence[Callable[[], object]], threads: int) -> float:
    """What they give back lives until all have run: none writes to memory that another freed."""
    torch.set_num_threads(threads)
    now = time.thread_time if threads == 1 else time.perf_counter
    quickest = [math.inf] * len(works)
    begun = time.perf_counter()
    sweeps = 0
    while sweeps < SWEEPS or time.perf_counter() - begun < EACH_S:
        kept = []
        for place, work in enumerate(works):
            before = now()
            kept.append(work())
            quickest[place] = min(quickest[place], now() - before)
        sweeps += 1
    return sum(quickest)


def per_weight(products: Products, x: Tensor, threads: int) -> float:
    """Seconds of multiplying one weight with every row of x."""
    every = [partial(product, x) for product in products]
    return least(every, threads) / (len(products) * INPUTS * OUTPUTS)


@torch.inference_mode()
def measure() -> dict[str, object]:
    """What `core.pace.Machine` holds, as plain JSON."""
    threads = choose_threads(0)
    weight = torch.randn(OUTPUTS, INPUTS, generator=torch.Generator().manual_seed(0))
    weights = [weight.clone() for _ in range(MATRICES)]
    many = weight[:UPDATE_ROWS].clone()
    exact = [partial(linear, weight=w) for w in weights[:2]]
    half = [partial(_half, w.bfloat16()) for w in weights[:2]]
    wide = torch.ones(READ_FLOATS)
    logits = torch.randn(DRAWN_ROWS, VOCABULARY)
    chances = torch.linspace(0.0, 0.99, DRAWN_ROWS, dtype=torch.float64)
    sampling = SamplingSection()
    draw = lambda: drawing.draw(drawing.scores(logits, sampling), chances)  # noqa: E731
    small = torch.randn(MANY, 1, 160)

    def operations() -> None:
        x = small
        for _ in range(OPERATIONS):
            x = x * 1.0

    return {
        "threads": threads,
        "few": FEW,
        "many": MANY,
        "sample": {
            name: [per_weight(products, many[:rows].clone(), threads) for rows in (FEW, MANY)]
            for name, products in _formats(weights)
        },
        "update": {
            "float32": per_weight(exact, many, threads) / UPDATE_ROWS,
            "bfloat16": per_weight(half, many, threads) / UPDATE_ROWS,
        },
        "move": least([lambda: wide.mul_(1.0)], threads) / (8 * READ_FLOATS),
        "fresh": least([w.bfloat16 for w in weights], threads) / (MATRICES * INPUTS * OUTPUTS),
        "draw": least([draw], threads) / DRAWN_ROWS / VOCABULARY,
        "alone": per_weight(exact, many, 1) / UPDATE_ROWS,
        "operation": least([operations], 1) / OPERATIONS,
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
