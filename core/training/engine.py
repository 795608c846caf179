"""The training engine: samples groups and takes GRPO steps with one model on one device.

It owns the model, the optimiser and the sampler's random numbers. It scores nothing, knows no
peers and no rounds, and is called from one thread only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from core.errors import WaggleError
from core.protocols import Progress, StepReport
from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.schema import Config, SamplingSection
from core.training import state
from core.training.batches import pad_right
from core.training.checkpoint import verify, write_folder
from core.training.grpo import Normaliser, foreign_weight, policy_loss
from core.training.logprobs import Scored, completion_logprobs
from core.training.metrics import length_metrics, reward_metrics
from core.training.models import LoadedModel, load_model
from core.training.optimizer import Optimizer
from core.training.prompts import decode, prompt_ids
from core.training.rows import Row, Rows, build_rows, micro_batches
from core.training.sampler import sample

LOGIT_CELLS = 1 << 27
"""Most logits of one micro-batch (512 MiB in float32; a backward pass holds about three times)."""
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
        self._optimizer = Optimizer(self.model, config.training)
        self._generator = torch.Generator().manual_seed(config.training.seed)
        torch.manual_seed(config.training.seed)
        # The starting model, for the KL term: the weights as first loaded, even after a resume.
        self._reference = None
        if config.training.beta:
            self._reference = load_model(config.model).model.requires_grad_(False)
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
                    eos_ids=self.loaded.eos_ids,
                    pad_id=self.loaded.pad_id,
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
        beta = self.config.training.beta
        trained = [r for r in data.rows if not r.masked and (r.advantage or beta)]
        loss, grad_norm, skipped = None, 0.0, "no_signal"
        if trained:
            tally = self._accumulate(data, trained)
            metrics |= tally.metrics(beta)
            if tally.weight > 0 or beta:
                metrics["learning_rate"] = self._optimizer.learning_rate(self.step)
                grad_norm, taken = self._optimizer.step(self.step)
                skipped = "" if taken else "non_finite"
                metrics["grad_norm"] = grad_norm
                if taken:
                    self.step += 1
                    loss = tally.loss
            else:
                self._optimizer.clear()
        metrics |= self._process_metrics(started)
        finite = {k: v for k, v in metrics.items() if abs(v) < float("inf")}
        return StepReport(
            loss, grad_norm if "grad_norm" in finite else 0.0, self.step, skipped, finite
        )

    def _accumulate(self, data: Rows, trained: list[Row]) -> _Tally:
        """Forward and backward over micro-batches; gradients add up on the model."""
        vocabulary = self.model.get_output_embeddings().weight.shape[0]
        cells = max(1, LOGIT_CELLS // vocabulary)
        tally = _Tally()
        self._optimizer.clear()
        self.model.train()
        try:
            for batch in micro_batches(trained, self.config.training.micro_batch, cells):
                self._backward(batch, data.prompts, data.normaliser, tally)
        finally:
            self.model.eval()
        return tally

    def _backward(
        self,
        batch: list[Row],
        prompts: Sequence[Sequence[int]],
        normaliser: Normaliser,
        tally: _Tally,
    ) -> None:
        training = self.config.training
        scored = self._score(self.model, batch, prompts)
        logps = scored.logps.detach()
        old = self._old_logps(batch, logps)
        weights = self._weights(batch, logps, scored.mask)
        advantage = torch.tensor([r.advantage for r in batch], device=logps.device) * weights
        reference = None
        if self._reference is not None:
            with torch.no_grad():
                reference = self._score(self._reference, batch, prompts).logps
        result = policy_loss(
            scored.logps,
            old,
            advantage,
            scored.mask,
            normaliser,
            loss_type=training.loss_type,
            epsilon_low=training.epsilon_low,
            epsilon_high=training.epsilon_high,
            beta=training.beta,
            ref_logps=reference,
        )
        result.loss.backward()
        tally.add(batch, scored, result.loss, weights, advantage)
        tally.add_tokens("kl", result.kl, scored.mask)
        tally.add_tokens("clip_ratio_low", result.clipped_low, scored.mask)
        tally.add_tokens("clip_ratio_high", result.clipped_high, scored.mask)

    def _score(self, model: object, batch: list[Row], prompts: Sequence[Sequence[int]]) -> Scored:
        numbers = list(dict.fromkeys(row.group for row in batch))
        place = {number: i for i, number in enumerate(numbers)}
        return completion_logprobs(
            model,
            [prompts[number] for number in numbers],
            [place[row.group] for row in batch],
            [row.ids for row in batch],
            temperature=self.config.sampling.temperature,
            pad_id=self.loaded.pad_id,
        )

    def _old_logps(self, batch: list[Row], logps: Tensor) -> Tensor:
        """The sampler's log-probs where they are of the same distribution, else the trainer's own.

        Filters (top-k, top-p, min-p) renormalise what the sampler draws from; foreign completions
        have no comparable log-probs. Both count as on-policy, with a ratio of exactly 1.
        """
        s = self.config.sampling
        if s.top_k or s.top_p < 1.0 or s.min_p > 0.0:
            return logps
        known = torch.tensor([bool(row.old_logps) for row in batch], device=logps.device)
        rows = [row.old_logps or (0.0,) * len(row.ids) for row in batch]
        return torch.where(known[:, None], pad_right(rows, 0.0, logps.dtype, logps.device), logps)

    @staticmethod
    def _weights(batch: list[Row], logps: Tensor, mask: Tensor) -> Tensor:
        means = ((logps * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)).tolist()
        values = [
            foreign_weight(row.advantage, mean, row.claimed) if row.foreign else 1.0
            for row, mean in zip(batch, means, strict=True)
        ]
        return torch.tensor(values, device=logps.device)

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


@dataclass
class _Tally:
    """Sums over the micro-batches of one update."""

    loss: float = 0.0
    weight: float = 0.0
    """Sum of |advantage| after weighting: 0 when nothing pulls anywhere."""
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
        self.weight += float(advantage.abs().sum())
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

    def metrics(self, beta: float) -> dict[str, float]:
        tokens = max(1, self.tokens)
        out = {name: total / tokens for name, total in self.sums.items() if name != "kl" or beta}
        out["trained_tokens"] = float(self.tokens)
        out["foreign_token_share"] = self.foreign_tokens / tokens
        if self.foreign_weights:
            out["foreign_weight_mean"] = sum(self.foreign_weights) / len(self.foreign_weights)
        if self.gap_tokens:
            out["logprob_gap_mean"] = self.gaps / self.gap_tokens
            out["logprob_gap_max"] = self.gap_max
        return out
