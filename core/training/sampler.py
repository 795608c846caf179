"""Samples groups of completions from a causal language model, all rows in one batch.

Each prompt is prefilled once and its KV cache repeated for the group; finished rows leave the
batch. The log-probability of every token is that of the distribution it was drawn from
(temperature and filters applied). Randomness is one uniform number per row and position, drawn up
front from the caller's generator: the same seed gives the same completions, whatever leaves the
batch when. It knows nothing of tasks, texts or rewards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.errors import WaggleError
from core.protocols import Interrupted
from core.schema import SamplingSection
from core.training.batches import pad_prompts, prefill
from core.training.cache import new_cache

COMPACT_BELOW = 0.75
"""Rows leave the batch once less than this share is unfinished: copying the cache costs too."""


@dataclass(frozen=True)
class Completion:
    """token_ids, with EOS when it was drawn; logprobs in nats, as long; finished: EOS was drawn."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool


def sample(
    model: Any,
    prompts: Sequence[Sequence[int]],
    generations: int,
    sampling: SamplingSection,
    *,
    eos_ids: Sequence[int],
    pad_id: int,
    generator: torch.Generator,
    stop: threading.Event,
    on_finished: Callable[[int], None] | None = None,
) -> list[list[Completion]]:
    """`generations` completions of each prompt, in order. A temperature of 0 is greedy.

    The model must be in `eval` mode. `on_finished` hears how many rows are finished, when that
    changes. Raises Interrupted when `stop` is set (looked at before every token), WaggleError
    when the model's output is not a number. The generator advances by the same amount for the
    same shape of request, whatever is sampled.
    """
    device = model.device
    rows = len(prompts) * generations
    cap = sampling.max_new_tokens
    chances = None
    if sampling.temperature > 0:
        chances = torch.rand(rows, cap, dtype=torch.float64, generator=generator)
        chances = chances.to(device, _precision(device))
    if stop.is_set():
        raise Interrupted
    tokens = torch.full((rows, cap), pad_id, device=device)
    logprobs = torch.zeros(rows, cap, device=device)
    lengths = torch.full((rows,), cap, device=device)
    finished = torch.zeros(rows, dtype=torch.bool, device=device)
    ends = torch.tensor(list(eos_ids), device=device)

    with torch.inference_mode():
        padded = pad_prompts(prompts, pad_id, device)
        width = padded.ids.shape[1]
        cache = new_cache(model, room=cap)
        logits = prefill(model, padded, cache)[:, -1]
        logits = logits.repeat_interleave(generations, dim=0)
        cache.batch_repeat_interleave(generations)
        mask = torch.ones(rows, width + cap, dtype=torch.long, device=device)
        mask[:, :width] = padded.mask.repeat_interleave(generations, dim=0)
        positions = padded.lengths.repeat_interleave(generations)
        here = torch.arange(rows, device=device)
        """Which row of the result each row of the batch is."""
        told = 0
        for column in range(cap):
            if stop.is_set():
                raise Interrupted
            scores = distribution(logits, sampling)
            chosen = scores.argmax(-1) if chances is None else draw(scores, chances[here, column])
            tokens[here, column] = chosen
            logprobs[here, column] = scores.gather(1, chosen[:, None])[:, 0]
            ended = torch.isin(chosen, ends) & ~finished[here]
            gone = here[ended]
            lengths[gone] = column + 1
            finished[gone] = True
            done = int(finished.sum())
            if on_finished is not None and done != told:
                on_finished(done)
                told = done
            if done == rows or column == cap - 1:
                break
            if rows - done <= COMPACT_BELOW * len(here):
                keep = (~finished[here]).nonzero()[:, 0]
                cache.batch_select_indices(keep)
                here, mask, positions = here[keep], mask[keep], positions[keep]
                chosen = chosen[keep]
            logits = model(
                input_ids=chosen[:, None],
                attention_mask=mask[:, : width + column + 1],
                position_ids=positions[:, None],
                past_key_values=cache,
                use_cache=True,
            ).logits[:, -1]
            positions = positions + 1
    return _collect(tokens, logprobs, lengths, finished, generations)


def distribution(logits: Tensor, sampling: SamplingSection) -> Tensor:
    """Log-probabilities (B, V) after temperature, top-k, top-p and min-p, in that order.

    Temperature 0 leaves the logits unscaled: only their order matters then.
    """
    scores = logits.float()
    if sampling.temperature > 0 and sampling.temperature != 1.0:
        scores = scores / sampling.temperature
    if 0 < sampling.top_k < scores.shape[-1]:
        least = scores.topk(sampling.top_k, dim=-1).values[:, -1:]
        scores = scores.masked_fill(scores < least, float("-inf"))
    if sampling.top_p < 1.0:
        ordered, order = scores.sort(dim=-1, descending=True)
        before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
        dropped = torch.zeros_like(scores, dtype=torch.bool)
        dropped.scatter_(1, order, before >= sampling.top_p)
        scores = scores.masked_fill(dropped, float("-inf"))
    if sampling.min_p > 0.0:
        probabilities = scores.softmax(-1)
        least = probabilities.amax(-1, keepdim=True) * sampling.min_p
        scores = scores.masked_fill(probabilities < least, float("-inf"))
    return scores.log_softmax(-1)


def draw(scores: Tensor, chances: Tensor) -> Tensor:
    """One token per row by the inverse of the cumulative distribution.

    scores: (B, V) log-probabilities. chances: (B,), uniform in [0, 1). A token of probability 0
    is never drawn, since the cumulative sum does not grow there.
    """
    cumulative = scores.exp().cumsum(-1, dtype=_precision(scores.device))
    target = (chances * cumulative[:, -1])[:, None]
    chosen = torch.searchsorted(cumulative, target, right=True)[:, 0]
    return chosen.clamp_(max=scores.shape[-1] - 1)


def _precision(device: torch.device) -> torch.dtype:
    """Of cumulative sums over the vocabulary: double, but Apple's GPUs have none."""
    return torch.float32 if device.type == "mps" else torch.float64


def _collect(
    tokens: Tensor, logprobs: Tensor, lengths: Tensor, finished: Tensor, generations: int
) -> list[list[Completion]]:
    if not bool(torch.isfinite(logprobs).all()):
        raise WaggleError(
            "The model no longer gives usable probabilities",
            "a sampled token's log-probability is not a finite number",
            "Go back to an older checkpoint, or lower training.learning_rate",
        )
    completions = [
        Completion(tuple(ids[:n]), tuple(values[:n]), ended)
        for ids, values, n, ended in zip(
            tokens.tolist(), logprobs.tolist(), lengths.tolist(), finished.tolist(), strict=True
        )
    ]
    return [
        completions[start : start + generations]
        for start in range(0, len(completions), generations)
    ]
