"""How tokens of one forward pass attend to one another: sequences that share a prompt, unpadded.

The linear layers of a model see one flat row of real tokens, [1, N, ...]; only attention knows
which of them belong together. A transformers model runs so inside `attention(model)`, with a
`Layout` passed as `layout=` to its forward; nothing else of the model changes. A group's prompt
stands once, its completions behind it each see it and themselves: exact (Prefix Grouper, arXiv
2506.05433). Knows nothing of token ids, caches or losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface

NAME = "waggle"
BLOCK_CELLS = 1 << 24
"""Most attention weights per head that are padded into one call; larger blocks are split."""


class Layout(Protocol):
    """Attention of one forward pass."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """query: (B, heads, N, D), key and value: (B, kv_heads, N, D); gives (B, N, heads, D)."""


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return layout.attend(module.layer_idx, query, key, value, scale), None


AttentionInterface.register(NAME, _attend)


@contextmanager
def attention(model: Any) -> Iterator[None]:
    """While entered, the model's layers attend as the `layout` of each forward says."""
    config = model.config
    usual = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = usual


@dataclass(frozen=True)
class Span:
    """Where a group lies in the flat row: its prompt, then each completion's length, in order."""

    start: int
    prompt: int
    completions: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + self.prompt + sum(self.completions)


class PackedLayout:
    """Groups one behind the other, for training: causal, differentiable, safe to compute twice.

    Dropout within attention is not supported: the models of RL have none.
    """

    def __init__(self, spans: Sequence[Span], device: torch.device) -> None:
        self._tokens = spans[-1].end
        self._blocks = [_Block(block, self._tokens, device) for block in _blocks(spans)]
        order = torch.cat([block.order for block in self._blocks])
        self._inverse = torch.empty_like(order)
        self._inverse[order] = torch.arange(len(order), device=device)
        self._in_order = bool((order[1:] > order[:-1]).all())

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        # One row of zeros behind the real ones stands for padding; nothing flows back into it.
        q, k, v = (
            functional.pad(x[0].transpose(0, 1), (0, 0, 0, 0, 0, 1)) for x in (query, key, value)
        )
        parts = [part for block in self._blocks for part in block.attend(q, k, v, scale)]
        out = parts[0] if len(parts) == 1 else torch.cat(parts)
        return (out if self._in_order else out.index_select(0, self._inverse))[None]


class _Block:
    """Some groups, padded to one another inside attention only.

    order: (tokens,), the place in the flat row of each token of what `attend` gives.
    """

    def __init__(self, spans: Sequence[Span], filler: int, device: torch.device) -> None:
        self.groups = len(spans)
        self.width = max(span.prompt for span in spans)
        self.copies = max(len(span.completions) for span in spans)
        self.length = max((n for span in spans for n in span.completions), default=0)
        prompts = torch.full((self.groups, self.width), filler)
        answers = torch.full((self.groups, self.copies, self.length), filler)
        for i, span in enumerate(spans):
            prompts[i, : span.prompt] = torch.arange(span.start, span.start + span.prompt)
            at = span.start + span.prompt
            for j, n in enumerate(span.completions):
                answers[i, j, :n] = torch.arange(at, at + n)
                at += n
        real_prompts, real_answers = prompts != filler, answers != filler
        self.order = torch.cat([prompts[real_prompts], answers[real_answers]]).to(device)
        self._prompts = prompts.flatten().to(device)
        self._answers = answers.flatten().to(device)
        self._real_prompts = _places(real_prompts, device)
        self._real_answers = _places(real_answers, device)
        self._mask = self._see(spans).to(device)

    def _see(self, spans: Sequence[Span]) -> Tensor:
        """(rows or 1, 1, T, L + T), True where a completion's token may look."""
        own = torch.ones(self.length, self.length, dtype=torch.bool).tril()
        lengths = torch.tensor([span.prompt for span in spans])
        if bool((lengths == self.width).all()):
            prompt = torch.ones(self.length, self.width, dtype=torch.bool)
            return torch.cat([prompt, own], dim=1)[None, None]
        seen = torch.arange(self.width) < lengths[:, None]
        prompt = seen[:, None, None, None, :].expand(-1, self.copies, 1, self.length, -1)
        own = own.expand(self.groups, self.copies, 1, -1, -1)
        return torch.cat([prompt, own], dim=-1).flatten(0, 1)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, scale: float) -> list[Tensor]:
        """q, k, v: (N + 1, heads, D). The attended tokens (n, heads, D) in this block's order."""
        shape = (self.groups, self.width)
        query, key, value = (
            x.index_select(0, self._prompts).unflatten(0, shape).transpose(1, 2) for x in (q, k, v)
        )
        # Padding stands behind each prompt: a causal mask alone keeps real tokens from seeing it.
        seen = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scale, enable_gqa=True
        )
        parts = [seen.transpose(1, 2).flatten(0, 1).index_select(0, self._real_prompts)]
        if self.length:
            shape = (self.groups * self.copies, self.length)
            prompt = (self._spread(key), self._spread(value))
            query, key, value = (
                x.index_select(0, self._answers).unflatten(0, shape).transpose(1, 2)
                for x in (q, k, v)
            )
            answered = functional.scaled_dot_product_attention(
                query,
                torch.cat([prompt[0], key], dim=2),
                torch.cat([prompt[1], value], dim=2),
                attn_mask=self._mask,
                scale=scale,
                enable_gqa=True,
            )
            parts.append(answered.transpose(1, 2).flatten(0, 1).index_select(0, self._real_answers))
        return parts

    def _spread(self, prompt: Tensor) -> Tensor:
        return prompt[:, None].expand(-1, self.copies, -1, -1, -1).flatten(0, 1)


def _places(real: Tensor, device: torch.device) -> Tensor:
    return real.flatten().nonzero()[:, 0].to(device)


def _blocks(spans: Sequence[Span]) -> list[list[Span]]:
    """Neighbours together, as long as what is padded stays small."""
    blocks: list[list[Span]] = []
    for span in spans:
        if not blocks or _cells([*blocks[-1], span]) > BLOCK_CELLS:
            blocks.append([])
        blocks[-1].append(span)
    return blocks


def _cells(spans: Sequence[Span]) -> int:
    length = max((n for span in spans for n in span.completions), default=0)
    copies = max(len(span.completions) for span in spans)
    return len(spans) * copies * length * (max(span.prompt for span in spans) + length)
