"""One optimiser step over many weights: clipping, refusal of broken gradients, exact state.

It knows which rule moves which weight, keeps float32 master copies of weights in a 16-bit format
(at the learning rates of RL most updates are smaller than the spacing of 16-bit numbers) and
measures what a step did. Works on a piece of a weight at a time: beside weights, gradients and the
rule's state it needs a few MiB, and Adafactor one float32 copy of a 16-bit gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from core.schema import TrainingSection
from core.training import schedule
from core.training.adafactor import Adafactor
from core.training.adam8bit import SMALLEST, Adam8bit
from core.training.rules import AdamW, Rule, State, norms, pieces, total_norm

KINDS = ("adamw", "adafactor", "adamw8bit")
_MASTER = "master"


@dataclass(frozen=True)
class StepResult:
    """What a step did. All zero but the norm when it was not taken."""

    norm: float
    """2-norm of the whole gradient before clipping; NaN or infinity when it is broken."""

    taken: bool

    update_ratio: float = 0.0
    """norm(change) / norm(weights before), over all weights, in float32."""

    changed_fraction: float = 0.0
    """Share of the weights, as the model computes with them, that are another number now."""


class Optimizer:
    """AdamW, Adafactor or 8-bit AdamW over named weights."""

    def __init__(
        self,
        weights: Mapping[str, torch.nn.Parameter],
        training: TrainingSection,
        *,
        kind: str,
        peak: float,
    ) -> None:
        """`kind` is one of `KINDS` (ValueError otherwise), `peak` the peak learning rate.

        `weights` are what is trained, e.g. `model.named_parameters()` that require a gradient;
        each tensor once. They are changed in place.
        """
        self._training = training
        self._peak = peak
        self._weights = dict(weights)
        self._rules = rules(self._weights, kind, training.weight_decay)
        self._state: dict[str, State] = {}
        self._masters: dict[str, Tensor] = {}
        for name, weight in self._weights.items():
            weight.data = weight.data.contiguous()
            if weight.dtype != torch.float32:
                self._masters[name] = weight.detach().float()

    def learning_rate(self, step: int) -> float:
        """Of the step that follows `step` finished ones."""
        return schedule.learning_rate(
            step,
            peak=self._peak,
            warmup=self._training.warmup_steps,
            schedule=self._training.schedule,
            total=self._training.schedule_steps,
        )

    @torch.no_grad()
    def step(self, step: int) -> StepResult:
        """Take one step with the weights' `grad` and clear it.

        A gradient norm that is not finite leaves weights and state as they were.
        """
        gradients = {
            name: weight.grad.contiguous()
            for name, weight in self._weights.items()
            if weight.grad is not None
        }
        self.clear()
        norm = total_norm([part for g in gradients.values() for part in norms(g)])
        if not norm < float("inf"):
            return StepResult(norm, False)
        limit = self._training.max_grad_norm
        if 0 < limit < norm:
            for gradient in gradients.values():
                gradient.mul_(limit / (norm + 1e-6))
        rate = self.learning_rate(step)
        tally = _Tally()
        for name, weight in self._weights.items():
            gradient_of = gradients.pop(name, None)
            if gradient_of is None:
                tally.still(weight)
            else:
                self._move(name, weight, gradient_of, rate, tally)
        return StepResult(norm, True, *tally.result())

    def _move(
        self, name: str, weight: Tensor, gradient: Tensor, rate: float, tally: _Tally
    ) -> None:
        rule = self._rules[name]
        if name not in self._state:
            self._state[name] = rule.start(weight)
        change = rule.plan(gradient, self._state[name], rate)
        flat = weight.view(-1)
        master = self._masters[name].view(-1) if name in self._masters else flat
        for start, stop in pieces(flat):
            piece, shown = master[start:stop], flat[start:stop]
            before, shown_before = piece.clone(), shown
            change(piece, start, stop)
            if master is not flat:
                shown_before = shown.clone()
                shown.copy_(piece)
                tally.moved(before, piece, (shown_before != shown).sum())
            else:
                tally.moved(before, piece, None)

    def clear(self) -> None:
        """Drop all gradients."""
        for weight in self._weights.values():
            weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Everything that must be kept for an exact resume, by name; not copied."""
        out = {
            f"{self._rules[name].name}.{key}.{name}": value
            for name, state in self._state.items()
            for key, value in state.items()
        }
        return out | {f"{_MASTER}.{name}": master for name, master in self._masters.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `tensors`, for a model whose weights are restored too; others are ignored.

        KeyError or ValueError when they are not of these weights and this kind of optimiser.
        Changes nothing then.
        """
        known = {_MASTER, AdamW.name, Adafactor.name, Adam8bit.name}
        left = {name for name in tensors if name.partition(".")[0] in known}
        expected = {f"{_MASTER}.{name}": master for name, master in self._masters.items()}
        begun = []
        for name, weight in self._weights.items():
            prefix = self._rules[name].name
            if f"{prefix}.step.{name}" in left:
                begun.append(name)
                start = self._rules[name].start(torch.empty_like(weight, device="meta"))
                expected |= {f"{prefix}.{key}.{name}": like for key, like in start.items()}
        for full_name, like in expected.items():
            _require_fit(full_name, tensors[full_name], like)
        if left - set(expected):
            raise ValueError(f"{min(left - set(expected))} is of another optimiser or model")
        # Read once more, one at a time: of a mapping that reads files, nothing lies here twice.
        self._state = {name: self._state_of(name, tensors) for name in begun}
        for name, master in self._masters.items():
            master.copy_(tensors[f"{_MASTER}.{name}"])

    def _state_of(self, name: str, tensors: Mapping[str, Tensor]) -> State:
        rule, weight = self._rules[name], self._weights[name]
        state = {}
        for key in rule.start(torch.empty_like(weight, device="meta")):
            device = "cpu" if key == "step" else weight.device
            state[key] = tensors[f"{rule.name}.{key}.{name}"].to(device, copy=True)
        return state


def rules(weights: Mapping[str, Tensor], kind: str, weight_decay: float) -> dict[str, Rule]:
    """The rule that moves each weight. ValueError for another kind than those of `KINDS`."""
    if kind not in KINDS:
        raise ValueError(f"there is no optimiser {kind!r}")
    plain = AdamW(weight_decay)
    if kind == "adamw":
        return dict.fromkeys(weights, plain)
    if kind == "adafactor":
        return dict.fromkeys(weights, Adafactor(weight_decay))
    small = Adam8bit(weight_decay)
    return {n: small if w.numel() >= SMALLEST else plain for n, w in weights.items()}


def state_bytes(weights: Mapping[str, Tensor], kind: str) -> int:
    """Bytes that an optimiser keeps for these weights, master copies included.

    Weights on the `meta` device will do.
    """
    total = 0
    for name, rule in rules(weights, kind, 0.0).items():
        weight = weights[name]
        state = rule.start(torch.empty_like(weight, device="meta"))
        total += sum(t.numel() * t.element_size() for t in state.values())
        total += 0 if weight.dtype == torch.float32 else 4 * weight.numel()
    return total


def _require_fit(name: str, value: Tensor, like: Tensor) -> None:
    if value.shape != like.shape or value.dtype != like.dtype:
        raise ValueError(f"{name} has another shape or type than this model needs")


class _Tally:
    """Sums what the pieces of a step did; on a GPU without waiting for each."""

    def __init__(self) -> None:
        self._norms: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._changed: list[Tensor] = []
        self._elements = 0

    def still(self, weight: Tensor) -> None:
        """A weight that had no gradient."""
        self._norms += norms(weight)
        self._elements += weight.numel()

    def moved(self, before: Tensor, after: Tensor, changed: Tensor | None) -> None:
        """A piece of a weight; uses up `before`. `changed` counts what differs in the model."""
        self._norms.append(torch.linalg.vector_norm(before))
        self._elements += before.numel()
        before.sub_(after)
        self._changes.append(torch.linalg.vector_norm(before))
        self._changed.append(before.count_nonzero() if changed is None else changed)

    def result(self) -> tuple[float, float]:
        """norm(change) / norm(weights before), and the share of weights that changed."""
        size = total_norm(self._norms)
        changed = int(torch.stack(self._changed).sum()) if self._changed else 0
        return (
            total_norm(self._changes) / size if size else 0.0,
            changed / self._elements if self._elements else 0.0,
        )
