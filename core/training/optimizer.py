"""One AdamW step at a time: warm-up, gradient clipping, refusal of broken gradients, exact state.

Weights kept in a 16-bit format get a float32 master copy, on which the step is taken: at the
learning rates of RL most updates are smaller than the spacing of 16-bit numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from core.schema import TrainingSection

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Optimizer:
    """AdamW over all weights of `model`, with linear warm-up to a constant learning rate."""

    def __init__(self, model: Any, training: TrainingSection) -> None:
        self._training = training
        self._weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._masters = {
            name: weight
            if weight.dtype == torch.float32
            else torch.nn.Parameter(weight.detach().float())
            for name, weight in self._weights.items()
        }
        self._adam = torch.optim.AdamW(
            list(self._masters.values()),
            lr=training.learning_rate,
            betas=(0.9, 0.999),
            eps=1e-8,
            weight_decay=training.weight_decay,
            fused=True,
        )

    def learning_rate(self, step: int) -> float:
        """Of the step that follows `step` finished ones."""
        warmup = self._training.warmup_steps
        return self._training.learning_rate * min(1.0, (step + 1) / (warmup + 1))

    def step(self, step: int) -> tuple[float, bool]:
        """Take one step and clear the gradients.

        Returns the gradient norm before clipping and whether the step was taken: a norm that is
        not finite leaves weights and moments as they were.
        """
        for name, weight in self._weights.items():
            master = self._masters[name]
            if master is not weight:
                master.grad = None if weight.grad is None else weight.grad.float()
                weight.grad = None
        gradients = [m.grad for m in self._masters.values() if m.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        taken = bool(torch.isfinite(norm))
        if taken:
            if self._training.max_grad_norm > 0:
                torch.nn.utils.clip_grads_with_norm_(
                    self._masters.values(), self._training.max_grad_norm, norm
                )
            for group in self._adam.param_groups:
                group["lr"] = self.learning_rate(step)
            self._adam.step()
            with torch.no_grad():
                for name, weight in self._weights.items():
                    if self._masters[name] is not weight:
                        weight.copy_(self._masters[name])
        self.clear()
        return float(norm), taken

    def clear(self) -> None:
        """Drop all gradients."""
        for parameter in (*self._weights.values(), *self._masters.values()):
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Everything that must be kept for an exact resume, by name."""
        out: dict[str, Tensor] = {}
        for name, master in self._masters.items():
            for key in _MOMENTS:
                if master in self._adam.state:
                    out[f"adam.{key}.{name}"] = self._adam.state[master][key]
            if master is not self._weights[name]:
                out[f"master.{name}"] = master.detach()
        return out

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `tensors`, for a model whose weights are already restored.

        KeyError or ValueError when they do not belong to this model. Changes nothing then.
        """
        state: dict[Tensor, dict[str, Tensor]] = {}
        for name, master in self._masters.items():
            if f"adam.step.{name}" not in tensors:
                continue
            moments = {key: tensors[f"adam.{key}.{name}"] for key in _MOMENTS}
            if any(moments[key].shape != master.shape for key in _MOMENTS[1:]):
                raise ValueError(f"the optimiser state of {name} has another shape")
            state[master] = {key: value.to(master.device).clone() for key, value in moments.items()}
        masters = {
            name: tensors[f"master.{name}"]
            for name, master in self._masters.items()
            if master is not self._weights[name]
        }
        self._adam.state.clear()
        self._adam.state.update(state)
        with torch.no_grad():
            for name, value in masters.items():
                self._masters[name].copy_(value)
