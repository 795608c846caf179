"""From tasks to groups of completions, in turns that fit into memory. Scores nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import torch

from core.protocols import Progress
from core.rollouts import Rollout, RolloutGroup, Task
from core.schema import SamplingSection
from core.training.models import LoadedModel
from core.training.outofmemory import out_of_memory
from core.training.prompts import ANSWER_CLOSE, decode, prompt_ids
from core.training.sampler import Completion, sample
from core.training.stopping import Stopping

logger = logging.getLogger(__name__)


class Completer:
    """Asks the model, as it is now; remembers how many completions at once the memory allowed."""

    def __init__(self, loaded: LoadedModel, rows: int) -> None:
        self._loaded = loaded
        self.rows = rows
        """Most completions decoded at once."""

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

        Raises Interrupted when `stop` is set. Progress counts finished completions. When memory
        runs out, a turn is done again, with the same random numbers, in two halves.
        """
        loaded, total = self._loaded, len(tasks) * generations
        closing = ANSWER_CLOSE if sampling.stop_at_answer else ""
        stopping = Stopping(loaded.eos_ids, loaded.device, closing, loaded.tokenizer)
        groups: list[RolloutGroup] = []
        while len(groups) < len(tasks):
            at_once = max(1, self.rows // generations)
            turn = tasks[len(groups) : len(groups) + at_once]
            before, state = len(groups) * generations, generator.get_state()

            def heard(done: int, before: int = before) -> None:
                if progress is not None:
                    progress(before + done, total)

            try:
                sampled = sample(
                    loaded.model,
                    [prompt_ids(loaded.tokenizer, task) for task in turn],
                    generations,
                    sampling,
                    stopping=stopping,
                    generator=generator,
                    stop=stop,
                    on_finished=heard,
                )
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or len(turn) == 1:
                    raise
                generator.set_state(state)
                self.rows = max(1, len(turn) // 2) * generations
                logger.warning("out of memory while sampling: now %d rows at once", self.rows)
                continue
            groups += [
                RolloutGroup(task.id, "", 0, tuple(map(self._rollout, completions)))
                for task, completions in zip(turn, sampled, strict=True)
            ]
        if progress is not None:
            progress(total, total)
        return groups

    def _rollout(self, completion: Completion) -> Rollout:
        ids = completion.token_ids
        shown = ids[:-1] if ids and ids[-1] in self._loaded.eos_ids else ids
        return Rollout(
            text=decode(self._loaded.tokenizer, list(shown)),
            token_ids=ids,
            logprobs=completion.logprobs,
            finished=completion.finished,
        )
