"""Log-probabilities of given completions under the model, with gradients.

Prompts that several completions share are run once: their KV cache is repeated for the completions
(exact, and gradients flow through it). The LM head sees completion positions only. Nothing here
knows of rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from core.training.batches import pad_prompts, pad_right, prefill
from core.training.cache import new_cache


@dataclass(frozen=True)
class Scored:
    """All (B, T), right-padded. logps in nats, with gradient; entropy in nats, without.

    mask: 1.0 where there is a token. Padded places of the others hold finite, meaningless values.
    """

    logps: Tensor
    entropy: Tensor
    mask: Tensor


def completion_logprobs(
    model: Any,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[int],
    completions: Sequence[Sequence[int]],
    *,
    temperature: float,
    pad_id: int,
) -> Scored:
    """Score `completions[i]`, the continuation of `prompts[rows[i]]`, for every i.

    Equal to one forward pass over each unpadded sequence, up to rounding.
    """
    device = model.device
    padded = pad_prompts(prompts, pad_id, device)
    index = torch.tensor(list(rows), device=device)
    ids = pad_right(completions, pad_id, torch.long, device)
    lengths = torch.tensor([len(c) for c in completions], device=device)
    steps = torch.arange(ids.shape[1], device=device)
    mask = steps < lengths[:, None]

    cache = new_cache(model)
    first = prefill(model, padded, cache)
    parts = [_score(first.index_select(0, index), ids[:, :1], temperature)]
    if ids.shape[1] > 1:
        # Not batch_select_indices: its backward adds up in no fixed order on several CPU threads,
        # and a resumed run would drift from an uninterrupted one.
        cache.reorder_cache(cast(torch.LongTensor, index))
        # The last token of the longest completion predicts nothing, so it is not fed.
        logits = model(
            input_ids=ids[:, :-1],
            attention_mask=torch.cat([padded.mask[index], mask[:, :-1].long()], dim=1),
            position_ids=padded.lengths[index, None] + steps[:-1],
            past_key_values=cache,
            use_cache=True,
        ).logits
        parts.append(_score(logits, ids[:, 1:], temperature))
    logps = torch.cat([part[0] for part in parts], dim=1)
    entropy = torch.cat([part[1] for part in parts], dim=1)
    return Scored(logps, entropy, mask.to(logps.dtype))


def _score(logits: Tensor, ids: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    scores = logits.float()
    if temperature != 1.0:
        scores = scores / temperature
    scores = scores.log_softmax(-1)
    with torch.no_grad():
        entropy = -(scores.exp() * scores).sum(-1)
    return scores.gather(-1, ids[..., None])[..., 0], entropy
