"""The gradient of one update: forward and backward over micro-batches, and what was seen there.

It adds gradients up on the model and takes no step; whether there was anything to learn from is in
the tally. The model must be in `train` mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.schema import Config, SamplingSection
from core.training.batches import pad_right
from core.training.grpo import foreign_weight, policy_loss
from core.training.logprobs import Scored, completion_logprobs
from core.training.models import LoadedModel
from core.training.rows import Row, Rows, micro_batches

LOGIT_CELLS = 1 << 27
"""Most logits of one micro-batch (512 MiB in float32; a backward pass holds about three times)."""


def trainable(rows: Sequence[Row], config: Config) -> list[Row]:
    """Rows with a part in the gradient. Without advantage only the KL term pulls.

    Leaving the others out changes no gradient: the normaliser counts them all the same.
    """
    return [row for row in rows if not row.masked and (row.advantage or config.training.beta)]


def accumulate(
    loaded: LoadedModel, reference: Any, config: Config, data: Rows, trained: Sequence[Row]
) -> Tally:
    """Add the gradient of the loss over `trained` up on the model; what was seen meanwhile.

    reference: the starting model for the KL term, or None.
    """
    model = loaded.model
    training = config.training
    temperature = config.sampling.temperature
    cells = max(1, LOGIT_CELLS // model.get_output_embeddings().weight.shape[0])
    tally = Tally(training.beta)
    for batch in micro_batches(trained, training.micro_batch, cells):
        scored = _score(model, batch, data, temperature, loaded.pad_id)
        logps = scored.logps.detach()
        weights = _weights(batch, logps, scored.mask)
        advantage = torch.tensor([row.advantage for row in batch], device=logps.device) * weights
        ref_logps = None
        if reference is not None:
            with torch.no_grad():
                ref_logps = _score(reference, batch, data, temperature, loaded.pad_id).logps
        result = policy_loss(
            scored.logps,
            _old_logps(batch, logps, config.sampling),
            advantage,
            scored.mask,
            data.normaliser,
            loss_type=training.loss_type,
            epsilon_low=training.epsilon_low,
            epsilon_high=training.epsilon_high,
            beta=training.beta,
            ref_logps=ref_logps,
        )
        result.loss.backward()
        tally.add(batch, scored, result.loss, weights, advantage)
        tally.add_tokens("kl", result.kl, scored.mask)
        tally.add_tokens("clip_ratio_low", result.clipped_low, scored.mask)
        tally.add_tokens("clip_ratio_high", result.clipped_high, scored.mask)
    return tally


def _score(model: Any, batch: list[Row], data: Rows, temperature: float, pad_id: int) -> Scored:
    numbers = list(dict.fromkeys(row.group for row in batch))
    place = {number: i for i, number in enumerate(numbers)}
    return completion_logprobs(
        model,
        [data.prompts[number] for number in numbers],
        [place[row.group] for row in batch],
        [row.ids for row in batch],
        temperature=temperature,
        pad_id=pad_id,
    )


def _old_logps(batch: list[Row], logps: Tensor, sampling: SamplingSection) -> Tensor:
    """The sampler's log-probs where they are of the same distribution, else the trainer's own.

    Filters (top-k, top-p, min-p) renormalise what the sampler draws from; foreign completions
    have no comparable log-probs. Both count as on-policy, with a ratio of exactly 1.
    """
    if sampling.top_k or sampling.top_p < 1.0 or sampling.min_p > 0.0:
        return logps
    known = torch.tensor([bool(row.old_logps) for row in batch], device=logps.device)
    rows = [row.old_logps or (0.0,) * len(row.ids) for row in batch]
    return torch.where(known[:, None], pad_right(rows, 0.0, logps.dtype, logps.device), logps)


def _weights(batch: list[Row], logps: Tensor, mask: Tensor) -> Tensor:
    means = ((logps * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)).tolist()
    values = [
        foreign_weight(row.advantage, mean, row.claimed) if row.foreign else 1.0
        for row, mean in zip(batch, means, strict=True)
    ]
    return torch.tensor(values, device=logps.device)


@dataclass
class Tally:
    """Sums over the micro-batches of one update."""

    beta: float
    loss: float = 0.0
    pull: float = 0.0
    """Sum of |advantage| after weighting, plus beta: 0 when nothing pulls anywhere."""
    tokens: int = 0
    foreign_tokens: int = 0
    foreign_weights: list[float] = field(default_factory=list)
    gaps: float = 0.0
    gap_tokens: int = 0
    gap_max: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)

    def add(
        self, batch: list[Row], scored: Scored, loss: Tensor, weights: Tensor, advantage: Tensor
    ) -> None:
        self.loss += float(loss.detach())
        self.pull += float(advantage.abs().sum()) + self.beta
        self.tokens += sum(len(row.ids) for row in batch)
        self.foreign_tokens += sum(len(row.ids) for row in batch if row.foreign)
        pairs = zip(batch, weights.tolist(), strict=True)
        self.foreign_weights += [weight for row, weight in pairs if row.foreign]
        self.add_tokens("entropy", scored.entropy, scored.mask)
        for row, values in zip(batch, scored.logps.detach().tolist(), strict=True):
            for old, new in zip(row.old_logps, values, strict=False):
                gap = abs(old - new)
                self.gaps += gap
                self.gap_max = max(self.gap_max, gap)
            self.gap_tokens += len(row.old_logps)

    def add_tokens(self, name: str, values: Tensor, mask: Tensor) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + float((values * mask).sum())

    def metrics(self) -> dict[str, float]:
        tokens = max(1, self.tokens)
        out = {
            name: total / tokens for name, total in self.sums.items() if name != "kl" or self.beta
        }
        out["trained_tokens"] = float(self.tokens)
        out["foreign_token_share"] = self.foreign_tokens / tokens
        if self.foreign_weights:
            out["foreign_weight_mean"] = sum(self.foreign_weights) / len(self.foreign_weights)
        if self.gap_tokens:
            out["logprob_gap_mean"] = self.gaps / self.gap_tokens
            out["logprob_gap_max"] = self.gap_max
        return out
