"""What a round shows of its rollouts: of every kind, and never more than the journal can bear."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import events, showing
from core.errors import WaggleError
from core.fold import replay
from core.gate.admission import REASONS, Rejection
from core.parts import RoundState
from core.protocols import PeerRecord
from core.rollouts import Rollout, RolloutGroup, Task, TaskId

ME = "QmMe"
MOST_BYTES = 9_000
"""Of a whole round, field names and figures included."""


def group(
    peer: str = ME, index: int = 0, rewards: tuple[float | None, ...] = (1.0, 0.0), **changes: Any
) -> RolloutGroup:
    texts = changes.get("texts") or [f"text {n}" for n in range(len(rewards))]
    ids = (1, 2, 3) if peer == ME else ()
    rollouts = tuple(Rollout(t, ids, reward=r) for t, r in zip(texts, rewards, strict=True))
    return RolloutGroup(TaskId("chain_sum", 7, index), peer, 3, rollouts)


def task_of(task_id: TaskId) -> Task:
    return Task(task_id, f"What is {task_id.index}?", str(task_id.index))


def record(peer: str, signed: bool = True) -> PeerRecord:
    return PeerRecord(peer, f"{peer} otter", 3, 0, "", 1, 1, 0.5, 0.0, signed=signed)


def played(**changes: Any) -> RoundState:
    now = RoundState(3, 0, live=True)
    now.own = [group(index=0), group(index=1, rewards=(0.0, 0.0))]
    for name, value in changes.items():
        setattr(now, name, value)
    now.tasks = {g.task: task_of(g.task) for g in (*now.own, *now.foreign)}
    return now


def test_every_kind_of_group_is_shown() -> None:
    foreign = [group("QmA", 5), group("QmA", 6), group("QmB", 7)]
    spare = group("QmC", 8)
    refused = [
        (record("QmD"), Rejection("t", "no_signal", "every reward is 0", group("QmD", 9, (0, 0)))),
        (record("QmE", False), Rejection("t", "schedule", "", group("QmE", 4, (None, None)))),
        (record("QmF"), Rejection("", "timeout", "it took too long")),
    ]
    now = played(
        foreign=foreign[:1] + foreign[2:],
        admitted=[*foreign, spare],
        refused=refused,
        names={"QmA": "calm otter"},
    )
    told = showing.examples(now, task_of, "group")
    assert [(e.outcome, e.peer_id) for e in told] == [
        ("trained", ME),
        ("no_signal", ME),
        ("trained", "QmA"),
        ("no_signal", "QmD"),
        ("schedule", "QmE"),
    ]
    mine, dull, theirs, silent, early = told
    assert (mine.best, mine.best_reward, mine.best_tokens) == ("text 0", 1.0, 3)
    assert (mine.worst, mine.worst_reward) == ("text 1", 0.0)
    assert mine.best_advantage == pytest.approx(0.7070, abs=1e-3)
    assert mine.question == "What is 0?"
    assert (dull.best, dull.worst, dull.best_advantage) == ("text 0", "text 1", None)
    assert (theirs.name, theirs.best_tokens) == ("calm otter", None)
    assert (silent.name, silent.detail, silent.best_reward) == (
        "QmD otter",
        "every reward is 0",
        0.0,
    )
    assert (early.signed, early.best_reward, early.question) == (False, None, ""), "never scored"


def test_what_the_draw_left_over_is_shown_where_there_is_room() -> None:
    spare = group("QmC", 8)
    told = showing.examples(played(admitted=[spare]), task_of, "group")
    assert [e.outcome for e in told] == ["trained", "no_signal", "spare"]
    assert told[-1].question == "What is 8?"


def test_a_task_that_cannot_be_rebuilt_any_more_costs_only_its_question() -> None:
    def gone(task_id: TaskId) -> Task:
        raise WaggleError("No such task")

    (told,) = showing.examples(played(own=[], admitted=[group("QmC", 8)]), gone, "group")
    assert (told.question, told.best) == ("", "text 0")


def test_a_round_without_anything_shows_nothing() -> None:
    assert showing.examples(played(own=[]), task_of, "group") == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=6), min_size=1, max_size=4),
    st.sampled_from(["group", "batch", "none"]),
)
def test_advantages_are_those_that_are_trained_on(groups: list[list[float]], scale: str) -> None:
    from core.training import grpo

    batch = [reward for rewards in groups for reward in rewards]
    wanted = grpo.advantages(groups, scale)
    for rewards, theirs in zip(groups, wanted, strict=True):
        spread = max(rewards) - min(rewards)
        if abs(spread - showing.NO_SPREAD) > 1e-7:  # float32 rounds on the edge
            mine = showing.advantages(rewards, scale, batch)
            assert mine == pytest.approx(theirs.tolist(), rel=1e-3, abs=1e-3)


TEXTS = st.text(max_size=30) | st.sampled_from(["\U0001f41d" * 5000, "a" * 9000, '"\\\n' * 3000])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXTS, min_size=2, max_size=4), st.data())
def test_no_peer_makes_a_round_large(texts: list[str], data: st.DataObject) -> None:
    hostile = tuple(Rollout(text, logprobs=(-1.0,) * 4000) for text in texts)
    reason = st.sampled_from(sorted(REASONS)) | st.text(max_size=3)
    refused = []
    for number in range(4):
        peer = data.draw(TEXTS)
        who = PeerRecord(peer, data.draw(TEXTS), 3, 0, "", 1, 1, 0.5, 0.0)
        what = RolloutGroup(TaskId(data.draw(TEXTS), number, 0), peer, 3, hostile)
        why = data.draw(reason)
        refused.append((who, Rejection("", why, data.draw(TEXTS)[:300], what)))
    long = group(rewards=(1.0, 0.0), texts=["x" * 40_000, "\U0001f41d" * 40_000])
    told = showing.examples(played(own=[long], refused=refused), task_of, "group")
    sizes = [len(events.to_json(event)) for event in told]
    assert sum(sizes) <= MOST_BYTES
    for event in told:
        again = events.from_dict(json.loads(events.to_json(event)))
        assert again == event
    assert len(replay(told).rollouts) == len(told)


@given(st.text(), st.integers(0, 200))
def test_an_excerpt_keeps_to_its_bytes_and_to_both_ends(text: str, size: int) -> None:
    cut = showing.excerpt(text, size)
    assert len(json.dumps(cut)) - 2 <= size
    if len(json.dumps(text)) - 2 <= size:
        assert cut == text
    elif cut:
        head, _, tail = cut.partition(showing.GAP)
        assert text.startswith(head)
        assert text.endswith(tail) or showing.GAP in text


def test_a_long_text_shows_how_it_begins_and_how_it_ends() -> None:
    cut = showing.excerpt("begin" + "x" * 1000 + "<answer>4</answer>", 100)
    assert cut.startswith("begin")
    assert cut.endswith("</answer>")
