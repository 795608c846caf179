"""From scored groups to the rows that an update works through, in micro-batches.

A row is one completion with its prompt, advantage and provenance. It knows tokenizers and
advantages; it runs no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.rollouts import RolloutGroup, Task, TaskId
from core.schema import Config
from core.training.grpo import Normaliser, advantages
from core.training.prompts import ANSWER_CLOSE, completion_ids, prompt_ids


@dataclass(frozen=True)
class Row:
    """number: which row of the update. ids: completion tokens. old_logps: the sampler's, or
    empty. claimed: a foreign peer's. masked: no part in the loss (truncated, or nothing in it).
    """

    number: int
    group: int
    ids: tuple[int, ...]
    old_logps: tuple[float, ...]
    claimed: tuple[float, ...]
    advantage: float
    foreign: bool
    finished: bool
    masked: bool


@dataclass(frozen=True)
class Rows:
    """The rows of one update. prompts: token ids per group. normaliser: over all rows."""

    rows: tuple[Row, ...]
    prompts: tuple[tuple[int, ...], ...]
    normaliser: Normaliser


def build_rows(
    groups: Sequence[RolloutGroup],
    tasks: Mapping[TaskId, Task],
    tokenizer: Any,
    eos_id: int,
    config: Config,
) -> Rows:
    """Tokenise what is foreign and compute advantages over all groups.

    A rollout without token ids is foreign. KeyError for a group whose task is missing in `tasks`,
    ValueError for a rollout without reward.
    """
    cap = config.sampling.max_new_tokens
    closing = ANSWER_CLOSE if config.sampling.stop_at_answer else ""
    scaled = advantages([g.rewards for g in groups], config.training.scale_rewards)
    rows: list[Row] = []
    prompts: list[tuple[int, ...]] = []
    for number, (group, values) in enumerate(zip(groups, scaled, strict=True)):
        prompts.append(tuple(prompt_ids(tokenizer, tasks[group.task])))
        for rollout, advantage in zip(group.rollouts, values.tolist(), strict=True):
            foreign = not rollout.token_ids
            ids, finished = list(rollout.token_ids), rollout.finished
            if foreign:
                ids, finished = completion_ids(
                    tokenizer, rollout.text, finished, eos_id, cap, closing
                )
            whole = len(rollout.logprobs) == len(ids)
            rows.append(
                Row(
                    number=len(rows),
                    group=number,
                    ids=tuple(ids),
                    old_logps=rollout.logprobs if whole and not foreign else (),
                    claimed=rollout.logprobs if foreign else (),
                    advantage=advantage,
                    foreign=foreign,
                    finished=finished,
                    masked=not ids or (config.training.mask_truncated and not finished),
                )
            )
    tokens = sum(len(row.ids) for row in rows if not row.masked)
    return Rows(tuple(rows), tuple(prompts), Normaliser(max(1, len(rows)), tokens, cap))


def micro_batches(
    rows: Sequence[Row], prompts: Sequence[Sequence[int]], budget: int
) -> list[list[Row]]:
    """Split rows into batches of at most `budget` packed tokens; a row alone may be longer.

    Rows of a group are neighbours, since they share a prompt, and groups of similar length come
    together, so that little is padded inside attention. Deterministic.
    """
    longest: dict[int, int] = {}
    for row in rows:
        longest[row.group] = max(longest.get(row.group, 0), len(row.ids))
    ordered = sorted(rows, key=lambda row: (longest[row.group], row.group, len(row.ids)))
    batches: list[list[Row]] = []
    tokens = 0
    for row in ordered:
        prompt = len(prompts[row.group])
        cost = len(row.ids) - 1
        if batches and batches[-1][-1].group != row.group:
            cost += prompt
        if not batches or tokens + cost > budget:
            batches.append([])
            tokens, cost = 0, prompt + len(row.ids) - 1
        batches[-1].append(row)
        tokens += cost
    return batches
