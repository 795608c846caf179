"""What one pass over the rows of an update saw: sums, and the tokens that its metrics come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.training.grpo import Loss
from core.training.metrics import TokenLog, mismatch_metrics, policy_metrics
from core.training.rows import Row


@dataclass
class Tally:
    """pull: sum of |advantage| after weighting, plus beta for each piece: 0 when nothing pulls
    anywhere. logps: of each row by its number, as the trainer computed them.
    """

    loss: float = 0.0
    pull: float = 0.0
    micro_batches: int = 0
    tokens: int = 0
    foreign_tokens: int = 0
    foreign_weights: list[float] = field(default_factory=list)
    logps: dict[int, Tensor] = field(default_factory=dict)
    log: TokenLog = field(default_factory=TokenLog)

    def add(
        self,
        rows: Sequence[Row],
        mask: Tensor,
        result: Loss,
        weights: Tensor,
        *,
        logps: Tensor,
        old: Tensor,
        sampled: Tensor,
        entropy: Tensor,
    ) -> None:
        """Everything (B, T) but weights (B,). sampled: NaN where the sampler's is not known."""
        self.loss += float(result.loss.detach())
        self.tokens += sum(len(row.ids) for row in rows)
        self.foreign_tokens += sum(len(row.ids) for row in rows if row.foreign)
        pairs = zip(rows, weights.tolist(), strict=True)
        self.foreign_weights += [weight for row, weight in pairs if row.foreign]
        for i, row in enumerate(rows):
            self.logps[row.number] = logps[i, : len(row.ids)]
        self.log.add(
            mask,
            logps=logps,
            old_logps=old,
            sampled=sampled,
            entropy=entropy,
            clipped_low=result.clipped_low,
            clipped_high=result.clipped_high,
            kl=result.kl,
        )

    def metrics(self, *, beta: float, cap: float) -> dict[str, float]:
        """cap: of the importance weights that were used, or 0."""
        out = {
            "trained_tokens": float(self.tokens),
            "micro_batches": float(self.micro_batches),
            "foreign_token_share": self.foreign_tokens / max(1, self.tokens),
        }
        if self.foreign_weights:
            out["foreign_weight_mean"] = sum(self.foreign_weights) / len(self.foreign_weights)
        if not self.tokens:
            return out
        log = self.log
        out |= policy_metrics(
            entropy=log["entropy"],
            logps=log["logps"],
            old_logps=log["old_logps"],
            clipped_low=log["clipped_low"],
            clipped_high=log["clipped_high"],
            kl=log["kl"] if beta else None,
        )
        return out | mismatch_metrics(log["logps"], log["sampled"], cap)


def padded(rows: Sequence[Tensor], value: float = 0.0) -> Tensor:
    """(B, T) from B tensors of their own lengths."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value)
