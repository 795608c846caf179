"""The same unlikely phrase in different tasks of one peer: found, and only there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.gate.refrains import GROUPS, LONGEST, OWN_TOKENS, PEERS, UNLIKELY_NATS, Refrains, unlikely
from core.protocols import Surprise


def said(*tokens: tuple[int, float]) -> Surprise:
    return Surprise(tuple(t for t, _ in tokens), tuple(n for _, n in tokens))


PLANTED = said((5, 0.1), (7, 4.5), (8, 4.5), (3, 0.0))
PLAIN = said((5, 0.1), (6, 1.0), (3, 0.0))


def test_the_third_task_with_the_same_phrase_is_refused():
    refrains = Refrains()
    assert refrains.repeated("p", "a", [PLAIN, PLANTED], 3) is None
    assert refrains.repeated("p", "a", [PLANTED], 3) is None, "the same task is not another one"
    assert refrains.repeated("p", "b", [PLANTED], 3) is None
    assert refrains.repeated("q", "c", [PLANTED], 3) is None, "another peer starts anew"
    phrase = refrains.repeated("p", "c", [PLANTED], 3)
    assert phrase is not None
    assert {7, 8} <= set(phrase)
    assert refrains.repeated("p", "d", [PLAIN], 3) is None, "only where the phrase is"


def test_what_i_write_myself_is_no_refrain():
    refrains = Refrains()
    # 7 and 8 in neighbouring completions, or in other places of an id's bytes, are no phrase.
    refrains.learn([1, 5, 7])
    refrains.learn([8, 3, (7 << 16) + 0, (8 << 16) + 0])
    for task in "abc":
        found = refrains.repeated("p", task, [PLANTED], 3)
    assert found is not None
    refrains.learn([1, 5, 7, 8, 3, 2])
    assert refrains.repeated("p", "d", [PLANTED], 3) is None


def test_old_groups_and_silent_peers_are_forgotten():
    refrains = Refrains()
    for task in "ab":
        refrains.repeated("p", task, [PLANTED], 3)
    for number in range(GROUPS - 1):
        refrains.repeated("p", f"plain-{number}", [PLAIN], 3)
    assert refrains.repeated("p", "c", [PLANTED], 3) is None
    assert refrains.repeated("p", "d", [PLANTED], 3) is None
    for number in range(PEERS):
        refrains.repeated(f"other-{number}", "x", [PLAIN], 3)
    assert refrains.repeated("p", "e", [PLANTED], 3) is None
    assert len(refrains._peers) == PEERS


def test_memory_of_my_own_is_bounded_by_tokens():
    refrains = Refrains()
    for _ in range(40):
        refrains.learn(range(OWN_TOKENS // 16))
    assert sum(map(len, refrains._own)) == refrains._own_bytes <= 4 * OWN_TOKENS


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 12)), max_size=12))
def test_unlikely_phrases_are_exactly_those_that_add_up(tokens):
    completion = said(*tokens)
    found = list(unlikely(completion))
    every = [
        completion.token_ids[i : i + n]
        for i in range(len(tokens))
        for n in range(1, LONGEST + 1)
        if i + n <= len(tokens) and sum(nat for _, nat in tokens[i : i + n]) >= UNLIKELY_NATS
    ]
    assert sorted(found) == sorted(every)
