"""Which groups of a round a person is shown, and how much of them: pure, from what the round has.

At most `EXAMPLES` groups, of every kind that there is: my own most telling one and one without a
signal, of others those that were trained on, one that the draw left over, and refused ones with
different reasons. All their texts together take at most `ROUND_BYTES` in the journal, whatever a
peer sends; the journal keeps only the newest of these events when it is thinned.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from core import events, rounds
from core.errors import WaggleError
from core.gate.admission import Rejection
from core.parts import RoundState
from core.protocols import PeerRecord
from core.rollouts import Rollout, RolloutGroup, Task, TaskId

EXAMPLES = 5
ROUND_BYTES = 5_000
"""As JSON, where a character outside ASCII takes 6 bytes or 12."""
OTHERS = 2
"""Trained groups of others, and refused ones, at most."""
MAX_REWARDS = 32
MAX_ID, MAX_DETAIL = 128, 200
GAP = "…"
"""Stands where the middle of a text was left out: how it begins and ends tells most."""
STD_FLOOR, NO_SPREAD = 1e-4, 1e-6
"""As in `core/training/grpo.py`."""

TaskOf = Callable[[TaskId], Task]


@dataclass(frozen=True)
class Example:
    """A group to show. task: as rebuilt here, None where it was not. why: of a refused one."""

    group: RolloutGroup
    outcome: str
    task: Task | None
    record: PeerRecord | None = None
    detail: str = ""


def examples(now: RoundState, task_of: TaskOf, scale: str) -> list[events.RolloutShown]:
    """The events of a round whose groups are scored and, where there are others, admitted.

    scale: training.scale_rewards, for the advantages of what is trained on.
    """
    chosen = list(islice(_chosen(now, task_of), EXAMPLES))
    batch = [reward for group in (*now.own, *now.foreign) for reward in group.rewards]
    shares = len(chosen) + 1  # the first one is looked at most: it has two
    return [
        _shown(each, now, ROUND_BYTES * (1 if number else 2) // shares, scale, batch)
        for number, each in enumerate(chosen)
    ]


def advantages(rewards: Sequence[float], scale: str, batch: Sequence[float]) -> list[float]:
    """Of the completions of a group, as `core.training.grpo.advantages` computes them.

    batch: all rewards of the update, for the scale `batch`.
    """
    if len(rewards) < 2 or max(rewards) - min(rewards) <= NO_SPREAD:
        return [0.0] * len(rewards)
    mean, by = statistics.fmean(rewards), 1.0
    if scale == "group":
        by = statistics.stdev(rewards) + STD_FLOOR
    elif scale == "batch":
        by = statistics.stdev(batch) + STD_FLOOR
    return [(reward - mean) / by for reward in rewards]


def excerpt(text: str, size_bytes: int) -> str:
    """At most so many bytes of JSON: the whole text, or its beginning and its end."""
    if len(text) <= size_bytes and sum(map(_cost, text)) <= size_bytes:
        return text
    room = size_bytes - _cost(GAP)
    if room <= 0:
        return ""
    head = _first(text[:size_bytes], room * 2 // 3)
    tail = _first(text[-size_bytes:][::-1], room - room * 2 // 3)[::-1]
    return f"{head}{GAP}{tail}"


# --- which ------------------------------------------------------------------------------------


def _chosen(now: RoundState, task_of: TaskOf) -> Iterator[Example]:
    telling = rounds.most_telling(now.own)
    if telling is not None:
        yield _own(telling, now)
    dull = next((g for g in now.own if not g.carries_signal and g is not telling), None)
    if dull is not None:
        yield _own(dull, now)
    refused = list(islice(_refused(now, task_of), OTHERS))
    trained = sorted(now.foreign, key=lambda group: min(group.rewards) - max(group.rewards))
    for group in islice(_one_each(trained), OTHERS if not refused else 1):
        yield Example(group, "trained", now.tasks.get(group.task))
    yield from refused
    used = {id(group) for group in now.foreign}
    spare = next((group for group in now.admitted if id(group) not in used), None)
    if spare is not None:
        yield Example(spare, "spare", _task(spare, task_of))


def _own(group: RolloutGroup, now: RoundState) -> Example:
    outcome = "trained" if group.carries_signal else "no_signal"
    return Example(group, outcome, now.tasks.get(group.task))


def _one_each(groups: Sequence[RolloutGroup]) -> Iterator[RolloutGroup]:
    """The first of every peer."""
    seen = set()
    for group in groups:
        if group.peer_id not in seen:
            seen.add(group.peer_id)
            yield group


def _refused(now: RoundState, task_of: TaskOf) -> Iterator[Example]:
    """One of every reason, of those that have something to show. Nothing in them is trusted."""
    seen = set()
    for record, why in now.refused:
        if why.group is None or why.reason in seen or not _texts(why.group):
            continue
        seen.add(why.reason)
        yield Example(why.group, why.reason, _refused_task(why, task_of), record, why.detail)


def _refused_task(why: Rejection, task_of: TaskOf) -> Task | None:
    """Only of a group that was scored: then its task was rebuilt here already."""
    return _task(why.group, task_of) if why.group is not None and _scored(why.group) else None


def _task(group: RolloutGroup, task_of: TaskOf) -> Task | None:
    try:
        return task_of(group.task)
    except WaggleError:
        return None  # it was rebuilt a moment ago; without it the texts still say much


def _texts(group: RolloutGroup) -> list[Rollout]:
    return [rollout for rollout in group.rollouts if isinstance(rollout.text, str)]


def _scored(group: RolloutGroup) -> bool:
    return bool(group.rollouts) and all(r.reward is not None for r in group.rollouts)


# --- how much ---------------------------------------------------------------------------------


def _shown(
    each: Example, now: RoundState, size_bytes: int, scale: str, batch: Sequence[float]
) -> events.RolloutShown:
    group, task, record = each.group, each.task, each.record
    shown = _texts(group)
    rewards = list(group.rewards) if _scored(group) else []
    best, worst = rounds.best_and_worst(group) if rewards else (0, 0)
    if best == worst:  # none is better: the first and the last
        worst = len(shown) - 1
    learnt = advantages(rewards, scale, batch) if rewards and each.outcome == "trained" else None
    one = shown[best]
    other = shown[worst] if worst != best else Rollout("")
    answer = excerpt(task.answer if task else "", size_bytes // 10)
    question = excerpt(task.question if task else "", size_bytes // 4)
    room = size_bytes - sum(map(_cost, answer)) - sum(map(_cost, question))
    best_text = excerpt(one.text, max(room // 2, room - sum(map(_cost, other.text[:room]))))
    name = record.name if record is not None else now.names.get(group.peer_id, "")
    return events.RolloutShown(
        round=now.number,
        task=excerpt(str(group.task), MAX_ID),
        peer_id=excerpt(record.peer_id if record is not None else group.peer_id, MAX_ID),
        name=excerpt(name, MAX_ID),
        signed=record.signed if record is not None else True,
        question=question,
        answer=answer,
        outcome=each.outcome,
        detail=excerpt(each.detail, MAX_DETAIL),
        rewards=[round(reward, 4) for reward in rewards[:MAX_REWARDS]],
        completions=len(group.rollouts),
        best=best_text,
        best_reward=rewards[best] if rewards else None,
        best_advantage=learnt[best] if learnt is not None else None,
        best_chars=len(one.text),
        best_tokens=_tokens(one),
        best_finished=one.finished is True,
        worst=excerpt(other.text, room - sum(map(_cost, best_text))),
        worst_reward=rewards[worst] if rewards else None,
        worst_advantage=learnt[worst] if learnt is not None else None,
        worst_chars=len(other.text),
        worst_tokens=_tokens(other),
        worst_finished=other.finished is True,
    )


def _tokens(rollout: Rollout) -> int | None:
    """Its length in tokens: mine as sampled, a peer's as it claims."""
    return len(rollout.token_ids) or len(rollout.logprobs) or None


def _cost(char: str) -> int:
    """Bytes of a character in `json.dumps`."""
    if " " <= char <= "~":
        return 2 if char in '"\\' else 1
    if char in "\n\r\t\b\f":
        return 2
    return 6 if char <= "\uffff" else 12


def _first(text: str, size_bytes: int) -> str:
    used = 0
    for at, char in enumerate(text):
        used += _cost(char)
        if used > size_bytes:
            return text[:at]
    return text
