"""What is computed how on this machine: threads, rollout format, format of an update's products.

Configured, remembered from a checkpoint, or else measured, in this order. Kept with the checkpoint:
another number of threads or another format would round otherwise, and a resumed run would not be
the one that was interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.footprint import Recipe
from core.schema import Config
from core.training import halves
from core.training.models import LoadedModel, choose_threads
from core.training.probe import Measured, Probe, allowed_cores, measure
from core.training.quantized import unavailable
from core.training.rollout_weights import FORMATS

SMALL = 20_000_000
"""Parameters below which a decode step is so short that a moment suffices to measure it."""
TINY = 4_000_000
"""Parameters below which threads wait for one another for as long as they help; on a busy machine
much longer."""
QUIET = 0.6
"""Processes that want a core, per core, up to which the machine counts as quiet."""


@dataclass(frozen=True)
class Choices:
    """products: number format of an update's matrix products, `float32` or `bfloat16`."""

    probe: Probe
    products: str

    @property
    def alike(self) -> bool:
        """Whether sampler and trainer compute with the same numbers, up to their last digit."""
        return self.probe.format == "exact" and self.products == "float32"

    def __str__(self) -> str:
        said = str(self.probe)
        return f"{said}; updates in bfloat16" if self.products == "bfloat16" else said

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"probe": self.probe.to_dict(), "products": self.products}


def choose(loaded: LoadedModel, config: Config, recipe: Recipe) -> Choices:
    """Measure what is not configured; up to about two seconds."""
    cpu = loaded.device.type == "cpu"
    exact = cpu and str(loaded.dtype) == "torch.float32"
    formats: Sequence[str] = (config.sampling.rollout_format,)
    if config.sampling.rollout_format == "auto":
        formats = FORMATS if exact and recipe.rollout_copy else ("exact",)
    rows = config.game.groups * config.game.generations
    tokens = rows * config.sampling.max_new_tokens
    rows = min(rows, recipe.sample_rows)
    threads = config.model.threads or _unmeasured(config.swarm.nodes, loaded.parameters)
    if threads and len(formats) == 1:
        dtype = str(loaded.dtype).removeprefix("torch.")
        probe = Probe(threads, formats[0], tokens, Measured(rows, dtype))
    else:
        probe = measure(
            loaded.model,
            rows,
            tokens,
            budget_s=0.3 if loaded.parameters < SMALL else 2.0,
            formats=formats,
            threads=(threads,) if threads else (),
        )
    # A GPU's weights are in the format that it multiplies in.
    products = config.training.products if exact else "float32"
    if products == "auto":
        pays = halves.speedup(loaded.model) >= halves.PAYS
        products = "bfloat16" if pays else "float32"
    return Choices(probe, products)


def _unmeasured(nodes: int, parameters: int) -> int:
    """Threads where measuring them would tell what else runs now, not what the machine can do.

    A busy minute must not decide for a node that runs for months. 0: it is quiet, measure.
    """
    if parameters < TINY:
        return 1
    cores = allowed_cores(os.cpu_count() or 1)
    if nodes == 1 and os.getloadavg()[0] <= QUIET * cores:
        return 0
    return max(1, choose_threads(0) // nodes)


def remembered(stored: Mapping[str, Any] | None, config: Config) -> Choices | None:
    """What `to_dict` gave, where this machine and the configuration still allow it."""
    try:
        probe = Probe.from_dict((stored or {})["probe"])
        products = str((stored or {})["products"])
    except (KeyError, TypeError, ValueError):
        return None
    possible = probe.threads <= allowed_cores(1 << 16) and probe.format not in unavailable()
    wished = (
        config.model.threads in (0, probe.threads)
        and config.sampling.rollout_format in ("auto", probe.format)
        and config.training.products in ("auto", products)
    )
    return Choices(probe, products) if possible and wished else None
