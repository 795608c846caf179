"""The questions that GenRL nodes of a swarm are asked, by their digest.

A GenRL node names a task by the MD5 of its question and sends question, answer and metadata along.
None of that is believed: what such a node can have been asked follows from its configuration.

Its data manager runs reasoning-gym's `ReseedingDataset` over a `CompositeDataset`. Item i of chunk
c is drawn by choosing a dataset with Random(seed + c + i), and then taking item i *of it*, from the
fixed seed that it has in the original's datasets.yaml. So the running seed decides only which
dataset comes when, never what a question is: a dataset has as many questions as a chunk has items
(500), nine datasets make 4,500. They are made here once, in under a second.

When a node is asked which of them depends on when it was started, which nobody else knows; so there
is no schedule to hold such a peer to. Not found here, and therefore refused: questions of a dataset
without a fixed seed in the configuration, and of a reasoning-gym that makes other tasks than ours.
"""

from __future__ import annotations

import hashlib

from core.rollouts import TaskId
from core.training.tasks import TaskSet


def digest(question: str) -> str:
    """The original's name for a question: hex MD5. A name, not a protection."""
    return hashlib.md5(question.encode(), usedforsecurity=False).hexdigest()


def known_questions(task_set: TaskSet) -> dict[str, TaskId]:
    """Every question that a GenRL node of this task set may send, by digest.

    Empty when no dataset of the set has a `genrl_seed`.
    """
    found: dict[str, TaskId] = {}
    for spec in task_set.datasets:
        if spec.genrl_seed is None:
            continue
        for index in range(task_set.index_range):
            task_id = TaskId(spec.name, spec.genrl_seed, index)
            found.setdefault(digest(task_set.build(task_id).question), task_id)
    return found
