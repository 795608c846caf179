"""The gradient of one update: forward and backward over micro-batches, and what was seen there.

It adds gradients up on the model and takes no step; whether there was anything to learn from is in
the tally. The model must be in `train` mode. The transformer runs under autograd; embedding and LM
head, by far the largest weights of a small model, are done by hand so that neither the logits nor a
second gradient of their size ever exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.schema import Config
from core.training import head
from core.training.grpo import foreign_weight, importance_weights, policy_loss
from core.training.halves import half_products
from core.training.layout import attention
from core.training.logprobs import hidden_states, pieces, score
from core.training.models import LoadedModel
from core.training.packing import Packed, pack
from core.training.rows import Row, Rows, micro_batches
from core.training.tally import Tally, padded

Reference = Callable[[], AbstractContextManager[Any]]
"""Gives the starting model for the KL term, for as long as it is entered."""


@dataclass(frozen=True)
class Pass:
    """How this pass over the rows is to be done.

    budget: tokens of a micro-batch. exact: the sampler computed with the trainer's own numbers.
    old: log-probs of each row, by its number, at the first of several steps; empty at that one.
    half: multiply in bfloat16, but for the logits.
    """

    budget: int
    exact: bool
    old: Mapping[int, Tensor]
    reference: Reference | None = None
    half: bool = False


def trainable(rows: Sequence[Row], config: Config) -> list[Row]:
    """Rows with a part in the gradient. Without advantage only the KL term pulls.

    Leaving the others out changes no gradient: the normaliser counts them all the same.
    """
    return [row for row in rows if not row.masked and (row.advantage or config.training.beta)]


def accumulate(
    loaded: LoadedModel, config: Config, data: Rows, trained: Sequence[Row], how: Pass
) -> Tally:
    """Add the gradient of the loss over `trained` up on the model; what was seen meanwhile."""
    tally = Tally()
    # Around the backward passes too: with checkpointing they compute each layer once more.
    with attention(loaded.model), half_products(loaded.model) if how.half else nullcontext():
        head_half = None
        if how.half:
            head_half = loaded.model.get_output_embeddings().weight.detach().bfloat16()
        for batch in micro_batches(trained, data.prompts, how.budget):
            _micro_batch(loaded, config, data, batch, how, tally, head_half)
            tally.micro_batches += 1
    return tally


def _micro_batch(
    loaded: LoadedModel,
    config: Config,
    data: Rows,
    batch: list[Row],
    how: Pass,
    tally: Tally,
    head_half: Tensor | None,
) -> None:
    model, sampling = loaded.model, config.sampling
    packed = pack(data.prompts, batch, loaded.device)
    reference = None
    if how.reference is not None:
        with how.reference() as starting:
            reference = score(starting, packed, sampling)[0]
    table = model.get_input_embeddings()
    embeddings = table(packed.ids).detach().requires_grad_(table.weight.requires_grad)
    hidden = hidden_states(model, packed, embeddings)
    before = hidden.detach().index_select(0, packed.before)
    slopes = torch.empty_like(before)
    lm_head = model.get_output_embeddings()
    limit = head.chunk_rows(lm_head.weight.shape[0])
    for which, tokens in pieces(packed.lengths, limit):
        rows = [batch[i] for i in which]
        lengths = [packed.lengths[i] for i in which]
        states, targets = before[tokens], packed.targets[tokens]
        reference_here = None if reference is None else reference[tokens]
        if len(targets) <= limit:
            # Whole completions: their loss is known, so their logits are needed only once.
            chunk = head.forward(lm_head, states, targets, sampling)
            loss = _Rows(rows, lengths, chunk.logps, chunk.entropy, reference_here)
            slope = loss.slope(config, data, how, tally)
            slopes[tokens] = head.backward(lm_head, chunk, slope, sampling.temperature, head_half)
            continue
        parts = list(zip(states.split(limit), targets.split(limit), strict=True))
        seen = [head.forward(lm_head, s, t, sampling, keep=False) for s, t in parts]
        logps, entropy = torch.cat([c.logps for c in seen]), torch.cat([c.entropy for c in seen])
        slope = _Rows(rows, lengths, logps, entropy, reference_here).slope(config, data, how, tally)
        done = []
        for (s, t), part in zip(parts, slope.split(limit), strict=True):
            chunk = head.forward(lm_head, s, t, sampling)
            done.append(head.backward(lm_head, chunk, part, sampling.temperature, head_half))
        slopes[tokens] = torch.cat(done)
    _back(packed, hidden, slopes, embeddings, table)


def _back(packed: Packed, hidden: Tensor, slopes: Tensor, embeddings: Tensor, table: Any) -> None:
    """Through the transformer, and into the embedding's gradient in place.

    `index_add_` takes its rows in order on a CPU, so that a resumed run adds in the same order.
    """
    at_hidden = torch.zeros_like(hidden).index_add_(0, packed.before, slopes)
    del slopes
    hidden.backward(at_hidden)
    if embeddings.grad is None:
        return
    gradient = embeddings.grad
    if table.padding_idx is not None:
        gradient = gradient.masked_fill((packed.ids == table.padding_idx)[:, None], 0.0)
    if table.weight.grad is None:
        table.weight.grad = torch.zeros_like(table.weight)
    table.weight.grad.index_add_(0, packed.ids, gradient)


class _Rows:
    """Whole completions with their log-probs, padded to one another: small (B, T) tensors."""

    def __init__(
        self,
        rows: list[Row],
        lengths: list[int],
        logps: Tensor,
        entropy: Tensor,
        reference: Tensor | None,
    ) -> None:
        self.rows = rows
        self._lengths = lengths
        self._logps = self._pad(logps)
        self._entropy = self._pad(entropy)
        self._reference = None if reference is None else self._pad(reference)
        self._mask = self._pad(torch.ones_like(logps))

    def slope(self, config: Config, data: Rows, how: Pass, tally: Tally) -> Tensor:
        """The loss's derivative by each log-probability, (M,); what was seen goes to the tally."""
        training, mask = config.training, self._mask
        logps = self._logps.requires_grad_()
        now = logps.detach()
        weights = self._weights(now)
        advantage = torch.tensor([row.advantage for row in self.rows], device=now.device) * weights
        sampled = self._sampled(now)
        if how.old:
            old = padded([how.old[row.number] for row in self.rows])
        elif how.exact:
            old = torch.where(sampled.isnan(), now, sampled)
        else:
            old = now
        importance = None
        if not how.exact and training.importance_cap > 0:
            first = old if how.old else now
            importance = importance_weights(first, sampled, mask, training.importance_cap)
        result = policy_loss(
            logps,
            old,
            advantage,
            mask,
            data.normaliser,
            loss_type=training.loss_type,
            epsilon_low=training.epsilon_low,
            epsilon_high=training.epsilon_high,
            beta=training.beta,
            ref_logps=self._reference,
            delta=training.delta,
            importance=importance,
        )
        result.loss.backward()
        tally.add(
            self.rows,
            mask,
            result,
            weights,
            logps=now,
            old=old,
            sampled=sampled,
            entropy=self._entropy,
        )
        tally.pull += float(advantage.abs().sum()) + training.beta
        gradient = logps.grad
        assert gradient is not None
        return torch.cat([row[:n] for row, n in zip(gradient, self._lengths, strict=True)])

    def _pad(self, flat: Tensor) -> Tensor:
        return padded(flat.split(self._lengths))

    def _sampled(self, now: Tensor) -> Tensor:
        """What the sampler said; NaN for foreign completions, which have nothing comparable."""
        said = [
            row.old_logps or (float("nan"),) * length
            for row, length in zip(self.rows, self._lengths, strict=True)
        ]
        return padded([now.new_tensor(values) for values in said], float("nan"))

    def _weights(self, now: Tensor) -> Tensor:
        mask = self._mask
        means = ((now * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)).tolist()
        values = [
            foreign_weight(row.advantage, mean, row.claimed) if row.foreign else 1.0
            for row, mean in zip(self.rows, means, strict=True)
        ]
        return torch.tensor(values, device=now.device)
