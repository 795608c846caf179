"""How surprising completions are to the local policy: one forward pass, without gradient.

For what peers sent: texts are tokenised here, as an update would do it. Knows nothing of limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.protocols import Surprise
from core.rollouts import RolloutGroup, Task, TaskId
from core.schema import Config
from core.training.logprobs import score
from core.training.models import LoadedModel
from core.training.packing import pack
from core.training.prompts import ANSWER_CLOSE, completion_ids, prompt_ids
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
            found[number][place] = Surprise(row.ids, tuple(values.tolist()))
    return found
