"""The training engine: samples groups and takes GRPO steps with one model on one device.

It owns the model, the optimiser and the sampler's random numbers. It scores nothing, knows no
peers and no rounds, and is called from one thread only.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from core.errors import WaggleError
from core.protocols import Progress, StepReport
from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.schema import Config, SamplingSection
from core.training import state
from core.training.checkpoint import verify, write_folder
from core.training.gradient import Reference, trainable
from core.training.metrics import length_metrics, reward_metrics
from core.training.models import LoadedModel, load_model
from core.training.optimizer import Optimizer
from core.training.prompts import decode, prompt_ids
from core.training.rows import build_rows
from core.training.sampler import sample
from core.training.stopping import Stopping
from core.training.update import Updated, reference_of, update

DEFAULT_BUDGET = 4096
"""Tokens of a micro-batch when neither the configuration nor a memory plan says."""
ANSWER_CLOSE = "</answer>"
SAMPLE_ROWS = 512
"""Most completions decoded at once; more tasks than that are sampled in turns."""


class TorchEngine:
    """Implements `core.protocols.Engine` with torch and transformers."""

    def __init__(self, config: Config, loaded: LoadedModel | None = None) -> None:
        """Load `config.model` (WaggleError when it cannot be), or take a model already loaded."""
        self.config = config
        self.loaded = loaded or load_model(config.model)
        self.model = self.loaded.model
        self.tokenizer = self.loaded.tokenizer
        self.step = 0
        self._optimizer = Optimizer(
            {n: p for n, p in self.model.named_parameters() if p.requires_grad},
            config.training,
            kind="adamw",
            peak=config.training.learning_rate,
        )
        self._generator = torch.Generator().manual_seed(config.training.seed)
        torch.manual_seed(config.training.seed)
        # The starting model, for the KL term: the weights as first loaded, even after a resume.
        self._reference: Reference | None = None
        if config.training.beta:
            self._reference = reference_of(load_model(config.model).model.requires_grad_(False))
        self._budget = config.training.micro_batch_tokens or DEFAULT_BUDGET
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
        return self.loaded.threads

    # --- sampling -----------------------------------------------------------------------------

    def sample(
        self, tasks: Sequence[Task], stop: threading.Event, progress: Progress | None = None
    ) -> list[RolloutGroup]:
        """G completions per task by the training settings and the training's random numbers.

        An interrupted sampling leaves the random numbers as they were before it.
        """
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
    ) -> list[RolloutGroup]:
        """`generations` unscored completions per task, in order; temperature 0 is greedy.

        Raises Interrupted when `stop` is set. Progress counts finished completions.
        """
        was_training = self.model.training
        self.model.eval()
        total = len(tasks) * generations
        at_once = max(1, SAMPLE_ROWS // generations)
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
        data = build_rows(groups, tasks, self.tokenizer, self.loaded.eos_id, self.config)
        foreign = [not any(r.token_ids for r in group.rollouts) for group in groups]
        metrics = {
            **reward_metrics([group.rewards for group in groups], foreign),
            **length_metrics([len(r.ids) for r in data.rows], [r.finished for r in data.rows]),
        }
        done = Updated(skipped="no_signal")
        trained = trainable(data.rows, self.config)
        if trained:
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
                    exact=True,
                    reference=self._reference,
                )
            finally:
                self.model.eval()
            self._budget = done.budget
            self.step += done.steps
            metrics |= done.metrics
        metrics |= self._process_metrics(started)
        finite = {k: v for k, v in metrics.items() if math.isfinite(v)}
        return StepReport(
            done.loss,
            done.grad_norm if math.isfinite(done.grad_norm) else 0.0,
            self.step,
            done.skipped,
            finite,
        )

    def _process_metrics(self, started: float) -> dict[str, float]:
        import psutil

        out = {
            "seconds_update": time.monotonic() - started,
            "rss_mib": psutil.Process().memory_info().rss / 2**20,
        }
        if self._sampled_s:
            out["seconds_sample"] = self._sampled_s
            out["tokens_per_s"] = self._sampled_tokens / self._sampled_s
        return out

    # --- state --------------------------------------------------------------------------------

    def save(self, path: str, extra: dict[str, object]) -> int:
        """A Hugging Face model folder with the trainer's state beside it, written atomically."""

        def fill(folder: Path) -> None:
            state.write_model(folder, self.model, self.tokenizer)
            state.write_trainer(
                folder,
                {**self._optimizer.tensors(), **state.rng_tensors(self._generator)},
                {"step": self.step, "model": self.config.model.id, "extra": extra},
            )

        return write_folder(Path(path), fill)

    def load(self, path: str) -> dict[str, object]:
        """Restore exactly what `save` wrote; WaggleError when it is damaged or does not fit."""
        folder = Path(path)
        verify(folder)
        tensors, facts = state.read_trainer(folder)
        weights = state.read_weights(folder, self.loaded.dtype)
        own = self.model.state_dict()
        if {n: w.shape for n, w in own.items()} != {n: w.shape for n, w in weights.items()}:
            raise self._misfit(path, facts)
        try:
            self._optimizer.restore(tensors)
            self.model.load_state_dict(weights)
            state.restore_rng(tensors, self._generator)
            self.step = int(facts["step"])
            return dict(facts["extra"])
        except (KeyError, ValueError) as error:
            raise self._misfit(path, facts) from error

    def _misfit(self, path: str, facts: dict[str, object]) -> WaggleError:
        return WaggleError(
            f"The checkpoint {path} does not fit the model {self.config.model.id}",
            f"it was made from {facts.get('model')}",
            "Start with that model, or move the checkpoints folder away to begin anew",
        )
