"""A decode step on a slice of a model, to estimate what one on the whole costs here.

The slice shares its weights with the model: the first layers, and the first rows of the LM head.
Layers of a decoder are alike and cost the same, rows of the head too, so what is measured on the
slice is scaled up. The step is the sampler's own: the same attention, the same draw. It decides
nothing; `probe.py` does.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import torch
from torch import Tensor, nn

from core.schema import SamplingSection
from core.training import drawing
from core.training.decoding import DecodeLayout, PrefillLayout
from core.training.layout import attention
from core.training.rollout_weights import linears

SLICE_WEIGHTS = 1 << 24
"""Weights of the layers in a slice, at least: more than fits a cache of 16 MB as int8."""

HEAD_ROWS = 1 << 14
PROMPT = 32
STEPS = 256
"""Room for the tokens of a slice's rows."""

UPDATE_TOKENS = 256


class ModelSlice(nn.Module):
    """`layers` of `all_layers` decoder layers and `head_rows` of the LM head, on shared weights."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        decoder, head = model.get_decoder(), model.get_output_embeddings()
        self.all_layers = len(decoder.layers)
        per_layer = sum(m.weight.numel() for m in linears(decoder.layers[0]))
        self.layers = min(self.all_layers, -(-SLICE_WEIGHTS // max(1, per_layer)))
        # A shallow copy: the same modules under a registry of its own, so that cutting the list
        # of layers leaves the model whole.
        self.decoder = copy.copy(decoder)
        self.decoder._modules = dict(decoder._modules)
        self.decoder.layers = decoder.layers[: self.layers]
        self.head_rows = min(HEAD_ROWS, head.weight.shape[0])
        self.head = nn.Linear(1, 1, bias=False, device="meta")
        self.head.weight = nn.Parameter(
            head.weight.detach()[: self.head_rows], requires_grad=head.weight.requires_grad
        )
        self.head_share = self.head_rows / head.weight.shape[0]
        trained = [m.weight.numel() for m in linears(model) if m.weight.requires_grad]
        self.trained_share = sum(m.weight.numel() for m in linears(self)) / max(1, sum(trained))
        """Weights of the slice over those of the model that training changes."""
        self.any_trained = bool(trained)
        self.parameters_of_model = sum(m.weight.numel() for m in linears(model))


class Clock:
    """Times decode steps of `rows` completions, and the matrix products of an update."""

    def __init__(self, piece: ModelSlice, rows: int) -> None:
        self._piece = piece
        self._rows = rows
        self._prefilled = PrefillLayout([PROMPT], torch.device("cpu"))
        self._groups = torch.zeros(rows, dtype=torch.long)
        self._ids = torch.arange(rows)[:, None] % 16
        self._chances = torch.linspace(0.0, 0.99, rows, dtype=torch.float64)
        self._column = 0
        self._layout: DecodeLayout | None = None
        widest = max(linears(piece.decoder), key=lambda m: m.weight.numel())
        self._widest = widest.weight.detach()
        self._tokens = torch.ones(UPDATE_TOKENS, widest.in_features, dtype=self._widest.dtype)

    @torch.inference_mode()
    def step_ms(self) -> float:
        """One step of all rows, scaled to the whole model; call inside `RolloutWeights`."""
        piece = self._piece
        with attention(piece.decoder):
            if self._layout is None or self._column == STEPS:
                ids, places = torch.zeros(1, PROMPT, dtype=torch.long), torch.arange(PROMPT)[None]
                self._forward(ids, places, self._prefilled)
                self._layout = DecodeLayout(self._prefilled, self._groups, STEPS)
                self._column = 0
            places = torch.full((self._rows, 1), PROMPT + self._column)
            begun = _now()
            hidden = self._forward(self._ids, places, self._layout)
            self._layout.advance()
            self._column += 1
            between = _now()
            scores = drawing.scores(piece.head(hidden[:, 0]), SamplingSection())
            drawing.draw(scores, self._chances)
            ended = _now()
        layers = (between - begun) * piece.all_layers / piece.layers
        return 1000.0 * (layers + (ended - between) / piece.head_share)

    def _forward(self, ids: Tensor, places: Tensor, layout: Any) -> Tensor:
        hidden: Tensor = self._piece.decoder(
            input_ids=ids, position_ids=places, use_cache=False, layout=layout
        ).last_hidden_state
        return hidden

    @torch.inference_mode()
    def update_ms(self) -> float:
        """Matrix products of training on one token: a forward and twice that backward."""
        begun = _now()
        self._tokens @ self._widest.T
        seconds = _now() - begun
        share = self._widest.numel() / self._piece.parameters_of_model
        return 1000.0 * 3.0 * seconds / UPDATE_TOKENS / share


def _now() -> float:
    """Seconds. With one thread, of its own work: what else the machine does is not in it."""
    return time.thread_time() if torch.get_num_threads() == 1 else time.perf_counter()
