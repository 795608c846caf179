"""The gossip feed: the original's ids, bounds and order, whatever peers wrote."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from core import events, fold
from core.net.names import animal_name
from core.rollouts import Rollout, RolloutGroup, Task, TaskId
from core.state import Gossip
from core.swarm import gossip


def task_of(task_id: TaskId) -> Task:
    return Task(task_id, f"What is {task_id.index} + {task_id.index}?", "x")


def group(peer: str, index: int, *texts: str, round: int = 1) -> RolloutGroup:
    """Rollouts with these texts; the last one earns most."""
    rollouts = tuple(Rollout(text, reward=float(n)) for n, text in enumerate(texts))
    return RolloutGroup(TaskId("sums", 1, index), peer, round, rollouts)


HOSTILE = st.text(max_size=900) | st.sampled_from(
    ["\x1b[2J\x1b]0;owned\x07", "[bold red]markup[/]", "\u202egnp.exe", "a\nb\rc\0", "\ud800"]
)
GROUPS = st.lists(
    st.builds(
        lambda peer, index, text: group(f"Qm{peer}", index, "bad", text),
        st.integers(0, 60),
        st.integers(0, 20),
        HOSTILE,
    ),
    max_size=150,
)


def test_a_message_is_question_and_best_answer_under_the_original_s_id() -> None:
    heard = gossip.heard([group("QmA", 7, "first", "14")], task_of, 3, 0)
    assert heard is not None
    (message,) = heard.messages
    assert message == {
        "id": hashlib.md5(b"QmA_3_0_What is 7 + 7?").hexdigest(),
        "node": animal_name("QmA"),
        "node_id": "QmA",
        "message": "What is 7 + 7?...14",
        "asked": 14,
    }
    (told,) = gossip.hear((), heard)
    assert gossip.parts(told) == ("What is 7 + 7?", "14")
    assert gossip.heard([], task_of, 3, 0) is None
    doubted = gossip.heard([group("QmA", 7, "14")], task_of, 3, 0, unsigned={"QmA"})
    assert doubted is not None
    assert doubted.messages[0]["node"] == animal_name("QmA") + " (unsigned)"


@given(GROUPS)
def test_a_round_is_bounded_and_fair(groups: list[RolloutGroup]) -> None:
    heard = gossip.heard(groups, task_of, 5, 0)
    messages = heard.messages if heard else []
    counts = {g.peer_id: 0 for g in groups}
    for message in messages:
        counts[message["node_id"]] += 1
        assert len(message["message"]) <= gossip.MAX_QUESTION + gossip.MAX_ANSWER + 3
    peers = {peer: n for peer, n in counts.items() if n}
    assert len(messages) <= gossip.MAX_PER_ROUND
    assert len(peers) == min(len(counts), gossip.MAX_PEERS)
    for peer, n in peers.items():
        offered = sum(g.peer_id == peer for g in groups)
        assert n == offered or n >= max(peers.values()) - 1, "nobody is crowded out"


@given(st.lists(st.tuples(st.integers(1, 12), GROUPS), max_size=8))
def test_the_state_is_bounded_and_the_feed_newest_first(
    rounds: list[tuple[int, list[RolloutGroup]]],
) -> None:
    heard = [
        event
        for n, groups in sorted(rounds, key=lambda r: r[0])
        if (event := gossip.heard(groups, task_of, n, 0))
    ]
    through_json = [events.from_dict(events.to_dict(event)) for event in heard]
    state = fold.replay(event for event in through_json if event).gossip
    assert len(state) <= gossip.MAX_MESSAGES
    assert len({each.id for each in state}) == len(state)
    last = max((event.round or 0 for event in heard), default=0)
    assert all(last - gossip.ROUNDS < each.round <= last for each in state)
    feed = gossip.feed(state)
    assert len({each.node_id for each in feed}) <= gossip.MAX_PEERS
    assert [each.round for each in feed] == sorted((e.round for e in feed), reverse=True)
    assert set(feed) <= set(state)
    assert {each.round for each in gossip.feed(state, since_round=last)} <= {last}
    if len({each.node_id for each in state}) <= gossip.MAX_PEERS:
        assert len(feed) == len(state)


@given(st.text(max_size=300), HOSTILE, st.none() | st.integers() | st.text() | st.booleans())
def test_the_question_ends_where_it_ended_and_nowhere_else(
    question: str, answer: str, claimed: object
) -> None:
    task = TaskId("sums", 1, 1)
    told = gossip.message(group("QmA", 1, answer), Task(task, question, "x"), 3, 0)
    (read,) = gossip.hear((), events.GossipHeard(round=3, messages=[told]))
    asked, rest = gossip.parts(read)
    assert asked == told["message"][: told["asked"]]
    assert answer.startswith(rest.removesuffix("…")) or not asked
    (odd,) = gossip.hear((), events.GossipHeard(round=3, messages=[{**told, "asked": claimed}]))
    assert gossip.parts(odd) in (("", odd.message), gossip.parts(read)) or type(claimed) is int


def test_which_peers_are_heard_changes_from_round_to_round() -> None:
    groups = [group(f"Qm{n}", n, "no", "yes") for n in range(100)]
    chosen = []
    for number in range(10):
        heard = gossip.heard(groups, task_of, number, 0)
        assert heard is not None
        chosen.append({message["node_id"] for message in heard.messages})
    assert all(len(peers) == gossip.MAX_PEERS for peers in chosen)
    assert len(set().union(*chosen)) > 60


def test_rows_that_are_no_messages_are_left_out() -> None:
    good = {"id": "1", "node": "otter", "node_id": "Qm", "message": "why...because"}
    rows = [good, {}, {**good, "id": 3}, {**good, "message": None}, {**good, "id": "2" * 500}]
    state = gossip.hear((), events.GossipHeard(round=4, messages=rows))
    assert state[0] == Gossip("1", 4, 0, "otter", "Qm", "why...because")
    assert len(state) == 2
    assert len(state[1].id) == 64
    assert gossip.hear(state, events.GossipHeard(messages=[good])) == state
