"""Log-probabilities of given completions under the model: the scoring half of an update.

Everything that scores goes through here, so that sampler, trainer and reference agree: packed
groups, hidden states before each completion token, the head in chunks. Knows nothing of rewards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from core.schema import SamplingSection
from core.training import head
from core.training.layout import attention
from core.training.packing import Packed, pack
from core.training.rows import Row


def hidden_states(model: Any, packed: Packed, embeddings: Tensor | None = None) -> Tensor:
    """(N, H) of the last layer. embeddings: (N, H) of the tokens, where a gradient should end."""
    if embeddings is None:
        embeddings = model.get_input_embeddings()(packed.ids)
    with attention(model):
        out: Tensor = model.get_decoder()(
            inputs_embeds=embeddings[None],
            position_ids=packed.positions[None],
            use_cache=False,
            layout=packed.layout,
        ).last_hidden_state[0]
    return out


def pieces(lengths: Sequence[int], limit: int) -> Iterator[tuple[range, slice]]:
    """Neighbouring rows, whole, of at most `limit` tokens together, or one longer row.

    Yields which rows, and which tokens.
    """
    first = start = at = 0
    for i, length in enumerate(lengths):
        if i > first and at + length - start > limit:
            yield range(first, i), slice(start, at)
            first, start = i, at
        at += length
    if len(lengths) > first:
        yield range(first, len(lengths)), slice(start, at)


@torch.no_grad()
def score(model: Any, packed: Packed, sampling: SamplingSection) -> tuple[Tensor, Tensor]:
    """logps and entropy, (M,) in nats, of every completion token; without gradient."""
    before = hidden_states(model, packed).index_select(0, packed.before)
    lm_head = model.get_output_embeddings()
    limit = head.chunk_rows(lm_head.weight.shape[0])
    chunks = [
        head.forward(lm_head, hidden, targets, sampling, keep=False)
        for hidden, targets in zip(before.split(limit), packed.targets.split(limit), strict=True)
    ]
    return torch.cat([c.logps for c in chunks]), torch.cat([c.entropy for c in chunks])


def completion_logprobs(
    model: Any,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[int],
    completions: Sequence[Sequence[int]],
    sampling: SamplingSection,
) -> list[Tensor]:
    """The log-probability of each token of `completions[i]` after `prompts[rows[i]]`.

    rows must be ascending. Equal to one forward pass over each sequence alone, up to rounding.
    """
    made = [
        Row(i, group, tuple(ids), (), (), 0.0, False, True, False)
        for i, (group, ids) in enumerate(zip(rows, completions, strict=True))
    ]
    packed = pack(prompts, made, model.device)
    logps, _ = score(model, packed, sampling)
    return list(logps.split(list(packed.lengths)))
