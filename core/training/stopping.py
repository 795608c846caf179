"""When a completion ends: at a token of its own, or once its text closes with a tag.

Looking at text costs a decode, so only rows whose newest token can complete the tag are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Stopping:
    """Which rows end with the token just drawn. One for each sampling; holds no row's state."""

    def __init__(
        self,
        eos_ids: Sequence[int],
        device: torch.device,
        closing: str = "",
        tokenizer: Any = None,
    ) -> None:
        """closing: text that ends a completion when it appears, for example `</answer>`."""
        self._ends = torch.tensor(list(eos_ids), dtype=torch.long, device=device)
        self._closing = closing
        self._tokenizer = tokenizer
        self._tail = torch.zeros(0, dtype=torch.long, device=device)
        if closing:
            tail = tokens_with(tokenizer, closing[-1])
            self._tail = torch.tensor(tail, dtype=torch.long, device=device)

    def ended(self, tokens: Tensor, column: int) -> Tensor:
        """(B,) bool. tokens: (B, cap), of which `column` was drawn last."""
        newest = tokens[:, column]
        ended = torch.isin(newest, self._ends)
        if self._closing:
            candidates = (torch.isin(newest, self._tail) & ~ended).nonzero()[:, 0].tolist()
            # A tag is at most as many tokens as it has bytes.
            first = max(0, column + 1 - 2 * len(self._closing))
            for row in candidates:
                text = self._tokenizer.decode(tokens[row, first : column + 1].tolist())
                if self._closing in text:
                    ended[row] = True
        return ended


_TOKENS: dict[tuple[int, str], list[int]] = {}


def tokens_with(tokenizer: Any, character: str) -> list[int]:
    """Ids of every token whose text has `character` in it."""
    key = (id(tokenizer), character)
    if key not in _TOKENS:
        texts = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        _TOKENS[key] = [i for i, text in enumerate(texts) if text and character in text]
    return _TOKENS[key]
