"""The training engine: samples groups and takes GRPO steps with one model on one device.

It owns the model, the optimiser and the sampler's random numbers. It scores nothing, knows no
peers and no rounds, and is called from one thread only.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from core.errors import WaggleError
from core.footprint import Recipe
from core.memory import Plan
from core.protocols import Progress, StepReport, Surprise
from core.rollouts import RolloutGroup, Task, TaskId
from core.schema import Config, SamplingSection
from core.training import lora, state
from core.training.allocator import tune
from core.training.choices import Choices, choose, remembered
from core.training.completing import Completer
from core.training.gradient import Reference, trainable
from core.training.grpo import check_clip
from core.training.metrics import length_metrics, reward_metrics, speed_metrics
from core.training.models import LoadedModel, load_model
from core.training.optimizer import Optimizer
from core.training.peaks import memory_metrics
from core.training.prompts import decode
from core.training.recompute import recompute_activations
from core.training.rollout_weights import RolloutWeights
from core.training.rows import Row, Rows, build_rows
from core.training.surprise import surprises
from core.training.update import Updated, update

UNPLANNED = Recipe("full", "adamw", False, 4096, True, 512)
"""Where no memory plan was made: for models whose size is of no concern."""


class TorchEngine:
    """Implements `core.protocols.Engine` with torch and transformers."""

    def __init__(
        self,
        config: Config,
        loaded: LoadedModel | None = None,
        plan: Plan | None = None,
        *,
        trains: bool = True,
    ) -> None:
        """Load `config.model` (WaggleError when it cannot be), or take a model already loaded.

        plan: how to train so that it fits; without one, as the configuration says. trains: False
        for an engine that only samples, and loads no optimiser.
        """
        check_clip(config.training.loss_type, config.training.epsilon_high)
        self.config = config
        self.recipe = plan.recipe if plan is not None and plan.recipe else _as_configured(config)
        self.loaded = loaded or load_model(config.model)
        self.model = self.loaded.model
        if self.loaded.device.type == "cpu":
            tune(sum(weight.nbytes for weight in self.model.parameters()))
        self.tokenizer = self.loaded.tokenizer
        self.step = 0
        self.choices: Choices | None = None
        """What is computed how; None until it was needed."""
        self._estimated_mib = plan.peak_mib if plan is not None and plan.recipe else 0.0
        adapter = self.recipe.trained == "lora"
        if adapter:
            lora.add_adapter(self.model, config.training)
        if self.recipe.gradient_checkpointing:
            recompute_activations(self.model)
        training = config.training
        self._trains = trains
        self._optimizer = Optimizer(
            lora.adapter_weights(self.model) if adapter else _weights(self.model),
            training,
            kind=self.recipe.optimizer,
            peak=training.lora_learning_rate if adapter else training.learning_rate,
        )
        self._generator = torch.Generator().manual_seed(training.seed)
        torch.manual_seed(training.seed)
        self._reference = self._starting_model() if training.beta and trains else None
        self._budget = self.recipe.micro_batch_tokens
        self._rollouts: RolloutWeights | None = None
        self._completer = Completer(self.loaded, self.recipe.sample_rows)
        self._sampled_s = 0.0
        self._sampled_tokens = 0

    @property
    def parameters(self) -> int:
        return self.loaded.parameters

    @property
    def dtype(self) -> str:
        """Of the weights, as configs name it: `float32`."""
        return str(self.loaded.dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        return str(self.loaded.device)

    @property
    def threads(self) -> int:
        return torch.get_num_threads()

    @property
    def drawn_with(self) -> dict[str, float | str]:
        """How completions are drawn: the settings, and the number format of the weights."""
        used = self.choices.probe.format if self.choices is not None else "exact"
        return {**asdict(self.config.sampling), "rollout_format": used}

    def _starting_model(self) -> Reference:
        """For the KL term: the weights as first loaded, even after a resume."""
        if self.recipe.trained == "lora":

            @contextmanager
            def base() -> Iterator[Any]:
                with lora.adapter_off(self.model):
                    yield self.model

            return base
        kept = load_model(self.config.model).model.requires_grad_(False)

        @contextmanager
        def loaded() -> Iterator[Any]:
            yield kept

        return loaded

    def choose(self) -> Choices:
        """How things are computed here: remembered, or else chosen and measured now."""
        if self.choices is None:
            self.choices = choose(self.loaded, self.config, self.recipe)
        probe = self.choices.probe
        torch.set_num_threads(probe.threads)
        if self._rollouts is None or self._rollouts.format != probe.format:
            self._rollouts = RolloutWeights(self.model, probe.format)
        return self.choices

    # --- sampling -----------------------------------------------------------------------------

    def sample(
        self, tasks: Sequence[Task], stop: threading.Event, progress: Progress | None = None
    ) -> list[RolloutGroup]:
        """G completions per task by the training settings and the training's random numbers.

        An interrupted sampling leaves the random numbers as they were before it.
        """
        self.choose()
        before = self._generator.get_state()
        started = time.monotonic()
        try:
            groups = self.complete(
                tasks,
                generations=self.config.game.generations,
                sampling=self.config.sampling,
                generator=self._generator,
                stop=stop,
                progress=progress,
                weights=self._rollouts,
            )
        except BaseException:
            self._generator.set_state(before)
            raise
        self._sampled_s = time.monotonic() - started
        self._sampled_tokens = sum(len(r.token_ids) for g in groups for r in g.rollouts)
        return groups

    def complete(
        self,
        tasks: Sequence[Task],
        *,
        generations: int,
        sampling: SamplingSection,
        generator: torch.Generator,
        stop: threading.Event,
        progress: Progress | None = None,
        weights: RolloutWeights | None = None,
    ) -> list[RolloutGroup]:
        """As `Completer.complete`. weights: faster, rounded ones; by default the exact ones."""
        was_training = self.model.training
        self.model.eval()
        try:
            with weights or RolloutWeights(self.model, "exact"):
                return self._completer.complete(
                    tasks,
                    generations=generations,
                    sampling=sampling,
                    generator=generator,
                    stop=stop,
                    progress=progress,
                )
        finally:
            self.model.train(was_training)

    # --- judging ------------------------------------------------------------------------------

    def surprise(
        self, groups: Sequence[RolloutGroup], tasks: Mapping[TaskId, Task]
    ) -> list[list[Surprise]]:
        """As `core.training.surprise`, in micro-batches no larger than an update's."""
        self.choose()
        return surprises(self.loaded, groups, tasks, self.config, self._budget)

    def decode(self, token_ids: Sequence[int]) -> str:
        return decode(self.tokenizer, list(token_ids))

    # --- training -----------------------------------------------------------------------------

    def update(self, groups: Sequence[RolloutGroup], tasks: dict[TaskId, Task]) -> StepReport:
        """One optimiser step over scored groups.

        Without any signal, or with a gradient that is not finite, no step is taken: weights,
        optimiser and step count stay as they are, and `skipped` says why. Peers' token ids and
        log-probs must not be passed as `token_ids`: a rollout with token ids counts as sampled
        here.
        """
        started = time.monotonic()
        self.choose()
        data = build_rows(groups, tasks, self.tokenizer, self.loaded.eos_id, self.config)
        foreign = [not any(r.token_ids for r in group.rollouts) for group in groups]
        metrics = {
            **reward_metrics(
                [group.rewards for group in groups], foreign, [g.task.dataset for g in groups]
            ),
            **length_metrics([len(r.ids) for r in data.rows], [r.finished for r in data.rows]),
        }
        done = Updated(skipped="no_signal")
        trained = trainable(data.rows, self.config)
        if trained:
            done = self._train(data, trained)
            metrics |= done.metrics
        metrics |= self._machine_metrics(time.monotonic() - started, metrics)
        finite = {k: v for k, v in metrics.items() if math.isfinite(v)}
        return StepReport(
            done.loss,
            done.grad_norm if math.isfinite(done.grad_norm) else 0.0,
            self.step,
            done.skipped,
            finite,
        )

    def _train(self, data: Rows, trained: Sequence[Row]) -> Updated:
        choices = self.choose()
        if self._rollouts is not None:
            self._rollouts.forget()
        self.model.train()
        try:
            done = update(
                self.loaded,
                self._optimizer,
                self.config,
                data,
                trained,
                step=self.step,
                budget=self._budget,
                exact=choices.alike and self.dtype == "float32",
                half=choices.products == "bfloat16",
                reference=self._reference,
            )
        finally:
            self.model.eval()
        # What did not fit once will not fit the next time.
        self._budget = done.budget
        self.step += done.steps
        return done

    def _machine_metrics(self, seconds: float, seen: Mapping[str, float]) -> dict[str, float]:
        out = speed_metrics(
            sampled_tokens=self._sampled_tokens,
            seconds_sample=self._sampled_s,
            trained_tokens=int(seen.get("trained_tokens", 0)),
            seconds_update=seconds,
        )
        out |= {"threads": float(self.threads), **memory_metrics(self.loaded.device)}
        if self._estimated_mib:
            out["estimated_peak_mib"] = self._estimated_mib
        return out

    # --- state --------------------------------------------------------------------------------

    @property
    def _about(self) -> dict[str, str]:
        """What a checkpoint must have been made of, to be loaded here."""
        return {
            "model": self.config.model.id,
            "recipe": self.recipe.trained,
            "optimizer": self.recipe.optimizer,
        }

    def save(self, path: str, extra: dict[str, object]) -> int:
        """A Hugging Face model folder, or an adapter, with the trainer's state: atomically."""
        return state.save(
            Path(path),
            self.model,
            self.tokenizer,
            about=self._about,
            tensors={**self._optimizer.tensors(), **state.rng_tensors(self._generator)},
            facts={
                "step": self.step,
                "budget": self._budget,
                "sample_rows": self._completer.rows,
                "choices": self.choices.to_dict() if self.choices is not None else None,
                "extra": extra,
            },
            adapter=self.recipe.trained == "lora",
        )

    def load(self, path: str) -> dict[str, object]:
        """Restore exactly what `save` wrote; WaggleError when it is damaged or does not fit."""
        saved = state.load(Path(path), self._about)
        try:
            state.restore_weights(saved.folder, self.model, self.recipe.trained == "lora")
            if self._trains:
                self._optimizer.restore(saved.tensors)
            state.restore_rng(saved.tensors, self._generator)
            self.step = int(saved.facts["step"])
            # What is free now may allow more; the same sums and draws come from the same sizes.
            self._budget = min(self._budget, int(saved.facts["budget"]))
            self._completer.rows = min(self._completer.rows, int(saved.facts["sample_rows"]))
            self.choices = remembered(saved.facts["choices"], self.config) or self.choices
            if self.choices is not None:
                self.choose()
            return dict(saved.facts["extra"])
        except (KeyError, ValueError) as error:
            raise WaggleError(
                f"The checkpoint {path} does not fit the model {self.config.model.id}",
                str(error),
                "Start with the model it was made from, or move the checkpoints folder away",
            ) from error


def _as_configured(config: Config) -> Recipe:
    """The recipe where nothing limits it."""
    training = config.training
    return replace(
        UNPLANNED,
        trained="lora" if training.recipe == "lora" else "full",
        optimizer="adamw" if training.optimizer == "auto" else training.optimizer,
        gradient_checkpointing=training.gradient_checkpointing == "on",
        micro_batch_tokens=training.micro_batch_tokens or UNPLANNED.micro_batch_tokens,
    )


def _weights(model: Any) -> dict[str, torch.nn.Parameter]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
