"""The game of single-turn reasoning tasks: who does which, and what an answer is worth.

Tasks follow from (rules, peer id, round) alone, so everybody can recompute everybody's. Answers
are scored by the dataset's own scorer in the sandboxed child; this file decides only which part of
a completion is the answer and that nothing but a full score counts. Knows nothing of models or of
the network.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
import itertools
import json
import math
from collections.abc import Sequence

from core.errors import WaggleError
from core.protocols import TaskEntry
from core.rollouts import Task, TaskId
from core.schema import Config
from core.training import tasks
from core.training.games.originals import known_questions
from core.training.prompts import ANSWER_CLOSE, ANSWER_OPEN
from core.training.scoring import MAX_ANSWER_CHARS, Scorer

_FULL_SCORE = 1.0 - 1e-6
_REDRAWS = 64


class ReasoningGame:
    """Implements `core.protocols.Game` over a task set. Owns the scorer; thread-safe.

    A peer has one seed a round, so that each of its datasets is built once; dataset and index
    are drawn for each slot. A slot's task does not depend on how many slots there are, so peers
    with fewer groups than this node are understood.
    """

    def __init__(self, config: Config, scorer: Scorer, task_set: tasks.TaskSet) -> None:
        self.task_set = task_set
        self.scorer = scorer
        self.rules_digest = task_set.digest
        self._groups = config.game.groups
        self._bounds = list(itertools.accumulate(d.weight for d in task_set.datasets))
        self._task = functools.lru_cache(maxsize=4096)(task_set.build)
        self._scheduled = functools.lru_cache(maxsize=256)(self._schedule)

    def schedule(self, peer_id: str, round: int) -> list[TaskId]:
        """The tasks of this peer in this round, all different where the set is large enough.

        None of them asks a question of the first `held_out_tasks` held-out tasks.
        """
        return list(self._scheduled(peer_id, round))

    def task(self, task_id: TaskId) -> Task:
        """Rebuild a training task. WaggleError for a name outside set, seed or index range."""
        if not self.task_set.trains_on(task_id):
            raise WaggleError(
                f"Task {task_id} is not one of task set {self.task_set.name}",
                "its dataset, seed or index is outside what is trained on",
            )
        return self._task(task_id)

    def held_out(self, n: int) -> list[TaskId]:
        """The first n tasks of the held-out seeds, which `schedule` and `task` never give."""
        return self.task_set.held_out(n)

    def held_out_task(self, task_id: TaskId) -> Task:
        """Rebuild a held-out task. WaggleError for any other."""
        if not self.task_set.evaluates_on(task_id):
            raise WaggleError(f"Task {task_id} is not a held-out task of {self.task_set.name}")
        return self._task(task_id)

    def score(self, task: Task, completions: Sequence[str]) -> list[float]:
        """1.0 for a completion whose answer gets the dataset's full score, else 0.0.

        The datasets' partial scores are no rewards: some give 0.01 to 0.05 for any answer, some
        a share for repeating the right one among others. WaggleError when the task is not of this
        set or the scorer cannot be started.
        """
        if not (self.task_set.trains_on(task.id) or self.task_set.evaluates_on(task.id)):
            raise WaggleError(f"Task {task.id} is not one of task set {self.task_set.name}")
        answers = [extract_answer(completion) for completion in completions]
        present = [answer for answer in answers if answer is not None]
        scores = iter(self.scorer.score(task.id, present) if present else ())
        return [0.0 if answer is None else strict_reward(next(scores)) for answer in answers]

    def cut_off(self) -> int:
        """See `core.protocols.Game.cut_off`."""
        return self.scorer.counts.timeouts + self.scorer.counts.fatal

    def find(self, question_digest: str) -> TaskId | None:
        """See `core.protocols.Questions`."""
        return self._known_questions.get(question_digest)

    def is_held_out(self, task_id: TaskId) -> bool:
        """See `core.protocols.Questions`."""
        kept = self._held_out_questions
        return bool(kept) and self._task(task_id).question in kept

    def entry(self, task_id: TaskId) -> TaskEntry:
        """See `core.protocols.Questions`."""
        question, answer, metadata = self.task_set.entry(task_id)
        metadata |= {"source_dataset": task_id.dataset, "dataset_index": 0, "split": "train"}
        return TaskEntry(question, answer, json.loads(json.dumps(metadata, default=str)))

    def close(self) -> None:
        self.scorer.close()

    def _schedule(self, peer_id: str, round: int) -> tuple[TaskId, ...]:
        start, end = self.task_set.seeds
        seed = start + self._draw("seed", peer_id, round) % (end - start)
        chosen: dict[TaskId, None] = {}
        for slot in range(self._groups):
            for attempt in range(_REDRAWS):
                draw = self._draw("task", peer_id, round, slot, attempt)
                pick, number = divmod(draw, 2**128)
                task_id = TaskId(
                    self._dataset(pick / 2**128), seed, number % self.task_set.index_range
                )
                if task_id not in chosen and not self.is_held_out(task_id):
                    break
            chosen[task_id] = None
        return tuple(chosen)

    def _dataset(self, share: float) -> str:
        """The dataset at `share` (0 to 1) of the summed weights."""
        last = len(self._bounds) - 1
        position = bisect.bisect_right(self._bounds, share * self._bounds[-1])
        return self.task_set.datasets[min(position, last)].name

    def _draw(self, *parts: str | int) -> int:
        """256 bits that only somebody with the same rules and parts gets."""
        text = "\0".join([self.rules_digest, *map(str, parts)])
        return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), "big")

    @functools.cached_property
    def _known_questions(self) -> dict[str, TaskId]:
        return known_questions(self.task_set)

    @functools.cached_property
    def _held_out_questions(self) -> frozenset[str]:
        ids = self.task_set.held_out(self.task_set.held_out_tasks)
        return frozenset(self.task_set.build(task_id).question for task_id in ids)


def extract_answer(completion: str) -> str | None:
    """The text of the last <answer>…</answer>, stripped; None when there is none to score.

    None, too, for an empty and for an over-long answer.
    """
    end = completion.rfind(ANSWER_CLOSE)
    start = completion.rfind(ANSWER_OPEN, 0, end) if end >= 0 else -1
    if start < 0 or end - start > MAX_ANSWER_CHARS:
        return None
    return completion[start + len(ANSWER_OPEN) : end].strip() or None


def strict_reward(score: float) -> float:
    """1.0 for a full score, 0.0 for everything else, NaN and infinities included."""
    return 1.0 if math.isfinite(score) and score >= _FULL_SCORE else 0.0
