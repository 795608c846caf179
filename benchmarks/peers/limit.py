"""How far a contestant is from the limits of the machine it runs on, measured in the same run.

Measured with the work's threads: reading memory (sum of a large array), and multiplying matrices in
float32, bfloat16 and int8 (`linear_dynamic`, where torch has an engine for it).

The model of the work, for a transformer with L weights in its layers and E = vocabulary x width in
the tied head. A token forward costs 2 L operations, its logits 2 E; a pass back costs twice the
pass forward when weights are trained, once when only an adapter is. Attention scores (2 % here) and
everything else that is not a matrix multiplication are left out.

- *Sampling*: each prompt once forward, then `new_tokens` - 1 steps with all completions in one
  batch. A step takes the longer of reading L + E weights once (in the format) and computing
  2 (L + E) operations for each completion.
- *Update*: each prompt once, each completion once, forward and back, logits for completion tokens
  only, and then the optimiser: AdamW moves 7 floats a trained weight (weight, gradient and two
  moments read; weight and moments written), Adafactor 3.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from model import SHAPES
from work import Work

BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}
OPTIMIZER_FLOATS = {"adamw": 7, "adafactor": 3, "adamw8bit": 3.5}


def best_of(repeats: int, action: Callable[[], Any]) -> float:
    """Seconds of the fastest of `repeats` calls, after one that is not counted."""
    action()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def measure(threads: int, size: int = 2048, mib: int = 1024) -> dict[str, Any]:
    """Bytes per second read, and operations per second of a `size`-cubed product by format."""
    import torch

    torch.set_num_threads(threads)
    block = torch.ones(mib * 2**18)
    bandwidth = block.numel() * 4 / best_of(5, block.sum)
    del block
    operations: dict[str, float] = {}
    a, b = torch.randn(size, size), torch.randn(size, size)
    for name in ("float32", "bfloat16"):
        x, y = a.to(getattr(torch, name)), b.to(getattr(torch, name))
        operations[name] = 2 * size**3 / best_of(5, lambda x=x, y=y: x @ y.T)
    if [e for e in torch.backends.quantized.supported_engines if e not in ("none", "qnnpack")]:
        quantized = torch.quantize_per_tensor(b, 0.05, 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(quantized, None)
        product = best_of(5, lambda: torch.ops.quantized.linear_dynamic(a, packed))
        operations["int8"] = 2 * size**3 / product
    return {"bytes_per_s": bandwidth, "operations_per_s": operations}


def weights(shape: str) -> tuple[int, int]:
    """Of the layers, and of the head."""
    s = SHAPES[shape]
    width, head = s["hidden_size"], s["hidden_size"] // s["num_attention_heads"]
    attention = 2 * width * width + 2 * width * head * s["num_key_value_heads"]
    layers = s["num_hidden_layers"] * (attention + 3 * width * s["intermediate_size"])
    return layers, width * s["vocab_size"]


def bounds(work: Work, shape: str, machine: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Least seconds of sampling and update by number format, with this machine's figures."""
    layers, head = weights(shape)
    prompts = work.groups * work.prompt_tokens
    sampled = work.completions * work.new_tokens
    passes = 3 if work.recipe == "full" else 2
    found: dict[str, dict[str, float]] = {"sample_s": {}, "update_s": {}}
    for name, rate in machine["operations_per_s"].items():
        read = (layers + head) * BYTES[name] / machine["bytes_per_s"]
        computed = 2 * (layers + head) * work.completions / rate
        prefill = 2 * (layers * prompts + head * work.groups) / rate
        found["sample_s"][name] = prefill + (work.new_tokens - 1) * max(read, computed)
        if name == "int8":
            continue
        update = passes * 2 * (layers * (prompts + sampled) + head * sampled) / rate
        if work.recipe == "full":
            floats = OPTIMIZER_FLOATS[work.optimizer] * (layers + head)
            update += floats * 4 / machine["bytes_per_s"]
        found["update_s"][name] = update
    return found


def shares(figures: dict[str, Any], limits: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The bound as a share of what a contestant took; above 1 where it used a faster format."""
    return {
        phase: {name: seconds / figures[phase] for name, seconds in by_format.items()}
        for phase, by_format in limits.items()
    }
