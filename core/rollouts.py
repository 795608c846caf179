"""Tasks and rollouts as every room of the house sees them: plain, frozen, without torch.

A *task* is named by (dataset, seed, index) and rebuilt from that name by anybody. A *rollout* is
one completion; a *group* is the rollouts of one task by one peer in one round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, order=True)
class TaskId:
    """The name of a task. Text form `dataset/seed/index`, for example `chain_sum/17/4021`."""

    dataset: str
    seed: int
    index: int

    def __str__(self) -> str:
        return f"{self.dataset}/{self.seed}/{self.index}"

    @classmethod
    def parse(cls, text: str) -> TaskId:
        """Raise ValueError unless `text` is exactly what `str` would give for a sane id."""
        if len(text) > 128:
            raise ValueError("task id is too long")
        dataset, seed, index = text.split("/")
        if not dataset.isidentifier() or not (seed.isdecimal() and index.isdecimal()):
            raise ValueError(f"not a task id: {text!r}")
        task = cls(dataset, int(seed), int(index))
        if str(task) != text or task.seed >= 2**63 or task.index >= 2**63:
            raise ValueError(f"not a task id in its only spelling: {text!r}")
        return task


@dataclass(frozen=True)
class Task:
    """A task rebuilt locally. `answer` and `metadata` never come from a peer."""

    id: TaskId
    question: str
    answer: str
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)


@dataclass(frozen=True)
class Rollout:
    """One completion.

    text: the decoded completion, without special tokens.
    token_ids: as sampled, EOS included when it was sampled; empty for a foreign rollout.
    logprobs: log-probability in nats of each sampled token under the distribution it was drawn
        from, as long as `token_ids`; claimed by the peer, or empty, for a foreign rollout.
    finished: the model ended it (EOS); False means that the token cap truncated it.
    reward: None until scored here.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    finished: bool = True
    reward: float | None = None


@dataclass(frozen=True)
class RolloutGroup:
    """The rollouts of one task, by one peer, in one round of the coordinator."""

    task: TaskId
    peer_id: str
    round: int
    rollouts: tuple[Rollout, ...]

    @property
    def rewards(self) -> tuple[float, ...]:
        """Rewards of scored rollouts, in order; raises ValueError when one is not scored."""
        values = tuple(r.reward for r in self.rollouts if r.reward is not None)
        if len(values) != len(self.rollouts):
            raise ValueError("the group is not scored")
        return values

    @property
    def carries_signal(self) -> bool:
        """Whether the rewards differ, so that group-relative advantages are not all zero."""
        rewards = self.rewards
        return bool(rewards) and max(rewards) - min(rewards) > 1e-6

    @property
    def digest(self) -> str:
        """Hex SHA-256 over task and completion texts: equal for a copied group, whoever sent it."""
        h = hashlib.sha256(str(self.task).encode())
        for rollout in self.rollouts:
            text = rollout.text.encode("utf-8", "surrogatepass")
            h.update(len(text).to_bytes(4, "big") + text)
        return h.hexdigest()
