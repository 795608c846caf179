"""Samples groups of completions from a causal language model, all rows in one batch.

Each prompt is prefilled once and its keys and values kept once for the whole group; finished rows
leave the batch. The log-probability of every token is that of the distribution it was drawn from
(temperature and filters applied). Randomness is one uniform number per row and position, drawn up
front from the caller's generator: the same seed gives the same completions, whatever leaves the
batch when. It knows nothing of tasks or rewards.
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
from core.training import drawing
from core.training.decoding import DecodeLayout, PrefillLayout
from core.training.layout import Layout, attention
from core.training.stopping import Stopping

COMPACT_BELOW = 0.75
"""Rows leave the batch once less than this share is unfinished: copying their keys costs too."""


@dataclass(frozen=True)
class Completion:
    """token_ids, with EOS when it was drawn; logprobs in nats, as long.

    finished: the model ended it, by EOS or by the closing tag; False when the cap cut it.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool


def sample(
    model: Any,
    prompts: Sequence[Sequence[int]],
    generations: int,
    sampling: SamplingSection,
    *,
    stopping: Stopping,
    generator: torch.Generator,
    stop: threading.Event,
    on_finished: Callable[[int], None] | None = None,
) -> list[list[Completion]]:
    """`generations` completions of each prompt, in order. A temperature of 0 is greedy.

    The model must be in `eval` mode. `on_finished` hears how many rows are finished, when that
    changes. Raises ValueError for an empty prompt, Interrupted when `stop` is set (looked at
    before every token), WaggleError when the model's output is not a number. The generator
    advances by the same amount for the same shape of request, whatever is sampled.
    """
    if not prompts or not all(prompts):
        raise ValueError("a prompt has no tokens")
    device = model.device
    rows = len(prompts) * generations
    cap = sampling.max_new_tokens
    chances = None
    if sampling.temperature > 0:
        chances = torch.rand(rows, cap, dtype=torch.float64, generator=generator)
        chances = chances.to(device, torch.float32 if device.type == "mps" else torch.float64)
    if stop.is_set():
        raise Interrupted
    tokens = torch.zeros(rows, cap, dtype=torch.long, device=device)
    logprobs = torch.zeros(rows, cap, device=device)
    lengths = torch.full((rows,), cap, device=device)
    finished = torch.zeros(rows, dtype=torch.bool, device=device)

    with torch.inference_mode(), attention(model):
        flat = torch.tensor([token for prompt in prompts for token in prompt], device=device)
        prefilled = PrefillLayout([len(prompt) for prompt in prompts], device)
        places = torch.cat([torch.arange(len(prompt), device=device) for prompt in prompts])
        hidden = _forward(model, flat[None], places[None], prefilled)[0]
        last = prefilled.lengths.cumsum(0) - 1
        logits = _logits(model, hidden[last]).repeat_interleave(generations, dim=0)
        positions = prefilled.lengths.repeat_interleave(generations)
        groups = torch.arange(len(prompts), device=device).repeat_interleave(generations)
        layout = DecodeLayout(prefilled, groups, cap)
        here = torch.arange(rows, device=device)
        """Which row of the result each row of the batch is."""
        told = 0
        for column in range(cap):
            if stop.is_set():
                raise Interrupted
            scores = drawing.scores(logits, sampling)
            if chances is None:
                chosen, chosen_logps = drawing.greedy(scores)
            else:
                chosen, chosen_logps = drawing.draw(scores, chances[here, column])
            tokens[here, column] = chosen
            logprobs[here, column] = chosen_logps
            ended = stopping.ended(tokens[here], column) & ~finished[here]
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
                layout.keep(keep)
                here, positions, chosen = here[keep], positions[keep], chosen[keep]
            hidden = _forward(model, chosen[:, None], positions[:, None], layout)
            layout.advance()
            logits = _logits(model, hidden[:, 0])
            positions = positions + 1
    return _collect(tokens, logprobs, lengths, finished, generations)


def _forward(model: Any, ids: Tensor, positions: Tensor, layout: Layout) -> Tensor:
    """The last hidden states (B, N, hidden)."""
    hidden: Tensor = model.get_decoder()(
        input_ids=ids, position_ids=positions, use_cache=False, layout=layout
    ).last_hidden_state
    return hidden


def _logits(model: Any, hidden: Tensor) -> Tensor:
    logits: Tensor = model.get_output_embeddings()(hidden)
    return logits


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
