"""One update: the configured number of optimiser steps over the rows of a round.

It halves the micro-batch when memory runs out and finishes all the same; it takes no step without a
signal or with a gradient that is not finite. Knows nothing of texts, peers or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from core.errors import WaggleError
from core.schema import Config
from core.training.gradient import Pass, Reference, accumulate
from core.training.models import LoadedModel
from core.training.optimizer import Optimizer
from core.training.outofmemory import out_of_memory
from core.training.rows import Row, Rows
from core.training.tally import Tally

_LATER = ("approx_kl", "clip_ratio_low", "clip_ratio_high")


@dataclass
class Updated:
    """steps: how many were taken. loss: of the first one, None without any. skipped: why the
    first was not taken: `no_signal` or `non_finite`. budget: tokens of a micro-batch that fitted.
    """

    steps: int = 0
    loss: float | None = None
    grad_norm: float = 0.0
    skipped: str = ""
    budget: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


def update(
    loaded: LoadedModel,
    optimizer: Optimizer,
    config: Config,
    data: Rows,
    trained: Sequence[Row],
    *,
    step: int,
    budget: int,
    exact: bool,
    half: bool,
    reference: Reference | None,
) -> Updated:
    """Train on `trained` rows of `data`, after `step` finished steps.

    exact: whether the sampler computed with the trainer's own numbers. half: multiply in bfloat16.
    WaggleError when not even
    one completion fits into memory.
    """
    out = Updated(budget=budget)
    first: Tally | None = None
    for _ in range(config.training.iterations):
        how = Pass(out.budget, exact, first.logps if first else {}, reference, half)
        tally = _accumulate(loaded, optimizer, config, data, trained, how, out)
        if first is None:
            first = tally
            cap = 0.0 if exact else config.training.importance_cap
            out.metrics |= tally.metrics(beta=config.training.beta, cap=cap)
        else:
            # What moved and was clipped shows only once the policy is another.
            later = tally.metrics(beta=config.training.beta, cap=0.0)
            out.metrics |= {k: later[k] for k in _LATER}
        if tally.pull <= 0:
            optimizer.clear()
            out.skipped = out.skipped or ("" if out.steps else "no_signal")
            break
        result = optimizer.step(step + out.steps)
        if first is tally or result.taken:
            out.grad_norm = result.norm
            out.metrics |= {
                "grad_norm": result.norm,
                "learning_rate": optimizer.learning_rate(step + out.steps),
                "update_ratio": result.update_ratio,
                "weights_changed": result.changed_fraction,
            }
        if not result.taken:
            out.metrics["skipped_steps"] = 1.0
            out.skipped = "" if out.steps else "non_finite"
            break
        out.steps += 1
        out.metrics["optimizer_steps"] = float(out.steps)
        if out.loss is None:
            out.loss = tally.loss
    return out


def _accumulate(
    loaded: LoadedModel,
    optimizer: Optimizer,
    config: Config,
    data: Rows,
    trained: Sequence[Row],
    how: Pass,
    out: Updated,
) -> Tally:
    """All gradients anew with half the micro-batch whenever memory runs out."""
    while True:
        optimizer.clear()
        try:
            return accumulate(loaded, config, data, trained, how)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            one = max(len(data.prompts[row.group]) + len(row.ids) for row in trained)
            if how.budget <= one:
                raise _too_little(loaded) from error
        # Outside the handler: the traceback held on to the tensors that did not fit.
        optimizer.clear()
        if loaded.device.type == "cuda":
            torch.cuda.empty_cache()
        whole = sum(len(p) for p in data.prompts) + sum(len(row.ids) for row in trained)
        out.budget = max(one, min(how.budget, whole) // 2)
        out.metrics["out_of_memory_retries"] = out.metrics.get("out_of_memory_retries", 0.0) + 1
        how = replace(how, budget=out.budget)


def _too_little(loaded: LoadedModel) -> WaggleError:
    return WaggleError(
        f"There is not enough memory to train {loaded.id}",
        "not even one completion fits beside the weights",
        "Set training.recipe to lora, lower sampling.max_new_tokens, or choose a smaller model",
    )
