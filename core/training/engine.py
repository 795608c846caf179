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
from core.protocols import Progress, StepReport
from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.schema import Config, SamplingSection
from core.training import halves, lora, state
from core.training.gradient import Reference, trainable
from core.training.grpo import check_clip
from core.training.metrics import length_metrics, reward_metrics, speed_metrics
from core.training.models import LoadedModel, load_model
from core.training.optimizer import Optimizer
from core.training.peaks import memory_metrics
from core.training.probe import Measured, Probe, allowed_cores, measure
from core.training.prompts import ANSWER_CLOSE, decode, prompt_ids
from core.training.quantized import unavailable
from core.training.recompute import recompute_activations
from core.training.rollout_weights import FORMATS, RolloutWeights
from core.training.rows import Row, Rows, build_rows
from core.training.sampler import sample
from core.training.stopping import Stopping
from core.training.update import Updated, update

UNPLANNED = Recipe("full", "adamw", False, 4096, True, 512)
"""Where no memory plan was made: for models whose size is of no concern."""
SMALL = 20_000_000
"""Parameters below which a decode step is so short that a moment suffices to measure it."""


class TorchEngine:
    """Implements `core.protocols.Engine` with torch and transformers."""

    def __init__(
        self, config: Config, loaded: LoadedModel | None = None, plan: Plan | None = None
    ) -> None:
        """Load `config.model` (WaggleError when it cannot be), or take a model already loaded.

        plan: how to train so that it fits; without one, as the configuration says.
        """
        check_clip(config.training.loss_type, config.training.epsilon_high)
        self.config = config
        self.recipe = plan.recipe if plan is not None and plan.recipe else _as_configured(config)
        self.loaded = loaded or load_model(config.model)
        self.model = self.loaded.model
        self.tokenizer = self.loaded.tokenizer
        self.step = 0
        self.probe: Probe | None = None
        """What was measured, or remembered, about this machine; None until it was needed."""
        self.products = ""
        """Number format of an update's matrix products; empty until it was chosen."""
        self._estimated_mib = plan.peak_mib if plan is not None and plan.recipe else 0.0
        adapter = self.recipe.trained == "lora"
        if adapter:
            lora.add_adapter(self.model, config.training)
        if self.recipe.gradient_checkpointing:
            recompute_activations(self.model)
        training = config.training
        self._optimizer = Optimizer(
            lora.adapter_weights(self.model) if adapter else _weights(self.model),
            training,
            kind=self.recipe.optimizer,
            peak=training.lora_learning_rate if adapter else training.learning_rate,
        )
        self._generator = torch.Generator().manual_seed(training.seed)
        torch.manual_seed(training.seed)
        self._reference = self._starting_model() if training.beta else None
        self._budget = self.recipe.micro_batch_tokens
        self._rollouts: RolloutWeights | None = None
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
    def rollout_format(self) -> str:
        """Of the weights while sampling: one of `FORMATS`."""
        return self.probe.format if self.probe is not None else "exact"

    @property
    def machine(self) -> str:
        """What was measured to pay on this machine, for people."""
        said = str(self.probe) if self.probe is not None else f"{self.threads} threads"
        return f"{said}; {self.products} products" if self.products == "bfloat16" else said

    @property
    def drawn_with(self) -> dict[str, float | str]:
        """How completions are drawn: the settings, and the format of the weights."""
        return {**asdict(self.config.sampling), "rollout_format": self.rollout_format}

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

    # --- what this machine does best -----------------------------------------------------------

    def choose(self) -> Probe:
        """Threads and rollout format: as configured, as remembered, or else as measured now."""
        if self.probe is None:
            config, cpu = self.config, self.loaded.device.type == "cpu"
            wished = config.sampling.rollout_format
            if wished == "auto":
                usable = cpu and self.recipe.rollout_copy and self.dtype == "float32"
                formats: Sequence[str] = FORMATS if usable else ("exact",)
            else:
                formats = (wished,)
            rows = config.game.groups * config.game.generations
            tokens = rows * config.sampling.max_new_tokens
            rows = min(rows, self.recipe.sample_rows)
            threads = config.model.threads
            if threads and len(formats) == 1:
                self.probe = Probe(threads, formats[0], tokens, Measured(rows, self.dtype))
            else:
                self.probe = measure(
                    self.model,
                    rows,
                    tokens,
                    budget_s=0.3 if self.parameters < SMALL else 2.0,
                    formats=formats,
                    threads=(threads,) if threads else (),
                )
        torch.set_num_threads(self.probe.threads)
        self.products = self.products or self._choose_products()
        if self._rollouts is None or self._rollouts.format != self.probe.format:
            self._rollouts = RolloutWeights(self.model, self.probe.format)
        return self.probe

    def _choose_products(self) -> str:
        """The number format of an update's matrix products."""
        wished = self.config.training.products
        if wished == "auto":
            return "bfloat16" if halves.speedup(self.model) >= halves.PAYS else "float32"
        if self.loaded.device.type != "cpu" or self.dtype != "float32":
            return "float32"  # a GPU's weights are in the format that it multiplies in
        return wished

    @property
    def _alike(self) -> bool:
        """Whether sampler and trainer compute with the same numbers, up to their last digit."""
        return (
            self.rollout_format == "exact"
            and self.products == "float32"
            and self.dtype == "float32"
        )

    def _remember(self, stored: Any) -> None:
        """Go on with what was chosen before a restart, where this machine still can.

        Another number of threads or another format would round otherwise, and a resumed run would
        not be the one that was interrupted.
        """
        try:
            probe = Probe.from_dict(stored)
        except (KeyError, TypeError, ValueError):
            return
        config = self.config
        if probe.threads > allowed_cores(1 << 16) or probe.format in unavailable():
            return
        if config.model.threads not in (0, probe.threads):
            return
        if config.sampling.rollout_format not in ("auto", probe.format):
            return
        self.probe = probe
        self.choose()

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
        """`generations` unscored completions per task, in order; temperature 0 is greedy.

        Raises Interrupted when `stop` is set. Progress counts finished completions. weights:
        faster, rounded ones to sample with; by default the exact ones.
        """
        was_training = self.model.training
        self.model.eval()
        total = len(tasks) * generations
        at_once = max(1, self.recipe.sample_rows // generations)
        groups: list[RolloutGroup] = []
        closing = ANSWER_CLOSE if sampling.stop_at_answer else ""
        stopping = Stopping(self.loaded.eos_ids, self.loaded.device, closing, self.tokenizer)
        try:
            for start in range(0, len(tasks), at_once):
                turn = tasks[start : start + at_once]
                before = start * generations

                def heard(done: int, before: int = before) -> None:
                    if progress is not None:
                        progress(before + done, total)

                with weights or RolloutWeights(self.model, "exact"):
                    sampled = sample(
                        self.model,
                        [prompt_ids(self.tokenizer, task) for task in turn],
                        generations,
                        sampling,
                        stopping=stopping,
                        generator=generator,
                        stop=stop,
                        on_finished=heard,
                    )
                for task, completions in zip(turn, sampled, strict=True):
                    rollouts = tuple(
                        Rollout(
                            text=decode(self.tokenizer, self._without_eos(c.token_ids)),
                            token_ids=c.token_ids,
                            logprobs=c.logprobs,
                            finished=c.finished,
                        )
                        for c in completions
                    )
                    groups.append(RolloutGroup(task.id, "", 0, rollouts))
        finally:
            self.model.train(was_training)
        if progress is not None:
            progress(total, total)
        return groups

    def _without_eos(self, ids: tuple[int, ...]) -> list[int]:
        return list(ids[:-1] if ids and ids[-1] in self.loaded.eos_ids else ids)

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
                exact=self._alike,
                half=self.products == "bfloat16",
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
                "probe": self.probe.to_dict() if self.probe is not None else None,
                "products": self.products,
                "extra": extra,
            },
            adapter=self.recipe.trained == "lora",
        )

    def load(self, path: str) -> dict[str, object]:
        """Restore exactly what `save` wrote; WaggleError when it is damaged or does not fit."""
        saved = state.load(Path(path), self._about)
        try:
            self._optimizer.restore(saved.tensors)
            state.restore_weights(saved.folder, self.model, self.recipe.trained == "lora")
            state.restore_rng(saved.tensors, self._generator)
            self.step = int(saved.facts["step"])
            self._budget = min(self._budget, int(saved.facts["budget"]))
            if self.config.training.products in ("auto", saved.facts["products"]):
                self.products = str(saved.facts["products"])
            self._remember(saved.facts["probe"])
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
