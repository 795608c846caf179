"""How surprising completions are to the local policy: one forward pass, without gradient.

For what peers sent: texts are tokenised here, as an update would do it. The right answer itself
surprises nobody: a peer that can do more than this node writes what is unlikely here, and where its
answer is the task's own, letter for letter, nobody chose these letters. Knows nothing of limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.protocols import Surprise
from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.schema import Config
from core.training.logprobs import score
from core.training.models import LoadedModel
from core.training.packing import pack
from core.training.prompts import ANSWER_CLOSE, ANSWER_OPEN, completion_ids, prompt_ids
from core.training.rows import Row, micro_batches


def surprises(
    loaded: LoadedModel,
    groups: Sequence[RolloutGroup],
    tasks: Mapping[TaskId, Task],
    config: Config,
    budget: int,
) -> list[list[Surprise]]:
    """Of every rollout of every group, in order; empty for one without tokens.

    At the temperature that is sampled with, but without the sampler's filters (top-k, top-p,
    min-p): whether a token passes them flips with rounding. budget: tokens of a forward pass.
    KeyError for a group whose task is missing in `tasks`.
    """
    cap = config.sampling.max_new_tokens
    closing = ANSWER_CLOSE if config.sampling.stop_at_answer else ""
    smooth = replace(config.sampling, top_k=0, top_p=1.0, min_p=0.0)
    prompts = [prompt_ids(loaded.tokenizer, tasks[group.task]) for group in groups]
    rows: list[Row] = []
    found: list[list[Surprise]] = []
    places: list[tuple[int, int]] = []
    for number, group in enumerate(groups):
        found.append([Surprise((), ())] * len(group.rollouts))
        for place, rollout in enumerate(group.rollouts):
            ids, finished = list(rollout.token_ids), rollout.finished
            if not ids:
                ids, finished = completion_ids(
                    loaded.tokenizer, rollout.text, finished, loaded.eos_id, cap, closing
                )
            if ids:
                places.append((number, place))
                rows.append(Row(len(rows), number, tuple(ids), (), (), 0.0, True, finished, False))
    for batch in micro_batches(rows, prompts, budget):
        packed = pack(prompts, batch, loaded.device)
        logps, _ = score(loaded.model, packed, smooth)
        for row, values in zip(batch, (-logps).split(list(packed.lengths)), strict=True):
            number, place = places[row.number]
            group, nats = groups[number], values.tolist()
            answer = tasks[group.task].answer
            for known in _answer_tokens(loaded.tokenizer, group.rollouts[place], answer):
                if known < len(nats):
                    nats[known] = 0.0
            found[number][place] = Surprise(row.ids, tuple(nats))
    return found


def _answer_tokens(tokenizer: Any, rollout: Rollout, answer: str) -> Sequence[int]:
    """The places of the tokens that spell the answer, where it is exactly the task's own.

    None for a rollout that was sampled here, whose tokens need not be those of its text.
    """
    text = rollout.text
    end = text.rfind(ANSWER_CLOSE)
    start = text.rfind(ANSWER_OPEN, 0, end) + len(ANSWER_OPEN) if end >= 0 else -1
    if rollout.token_ids or start < len(ANSWER_OPEN) or text[start:end] != answer:
        return ()
    if not tokenizer.is_fast:  # it cannot tell which characters a token covers
        return ()
    offsets = tokenizer(
        text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
    )["offset_mapping"]
    return [i for i, (first, last) in enumerate(offsets) if first < end and last > start]
