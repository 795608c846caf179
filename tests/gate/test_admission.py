"""Whatever a peer changes in what it sends: never a reward, never a task that is not its own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gate import admission
from core.gate.admission import REASONS, admit, select
from core.protocols import Gathered, PeerRecord
from core.rollouts import Rollout, RolloutGroup, TaskId
from core.schema import Config, GameSection, SamplingSection
from core.training.games import load_game
from core.training.games.reasoning import ReasoningGame

ME, PEER, ROUND = "me", "peer-1", 12
CONFIG = Config(
    game=GameSection(groups=6, generations=4, groups_per_peer=3, foreign_groups=4),
    sampling=SamplingSection(max_new_tokens=32),
)


@pytest.fixture(scope="module")
def game() -> Iterator[ReasoningGame]:
    made = load_game(CONFIG)
    yield made
    made.close()


def honest(game: ReasoningGame, slot: int = 0, peer: str = PEER, right: int = 2) -> RolloutGroup:
    """A group as an honest peer would send it, with `right` of 4 completions right."""
    task = game.task(game.schedule(peer, ROUND)[slot])
    texts = [f"<answer>{task.answer if i < right else 'no'}</answer> {i}" for i in range(4)]
    rollouts = tuple(Rollout(text=text, logprobs=(-0.5, -1.0)) for text in texts)
    return RolloutGroup(task.id, peer, ROUND, rollouts)


def sent(*groups: RolloutGroup, peer: str = PEER, **more: Any) -> Gathered:
    record = PeerRecord(peer, "quick bee", ROUND, 0, "d", 1, len(groups), 0.9, 0.0)
    return Gathered(record, tuple(groups), **more)


def run(
    game: ReasoningGame, gathered: Gathered, seen: frozenset[str] = frozenset(), **more: Any
) -> tuple[list[RolloutGroup], list[str]]:
    accepted, rejected = admit(
        gathered,
        game,
        more.pop("config", CONFIG),
        my_peer_id=more.pop("me", ME),
        round=ROUND,
        seen_digests=seen,
        **more,
    )
    assert all(rejection.reason in REASONS for rejection in rejected)
    assert all(len(rejection.detail) <= 300 for rejection in rejected)
    return accepted, [rejection.reason for rejection in rejected]


def change(group: RolloutGroup, number: int = 0, **fields: Any) -> RolloutGroup:
    """The group with fields of one rollout changed."""
    rollouts = list(group.rollouts)
    rollouts[number] = replace(rollouts[number], **fields)
    return replace(group, rollouts=tuple(rollouts))


def test_an_honest_group_is_admitted_and_scored_here(game: ReasoningGame) -> None:
    accepted, rejected = run(game, sent(honest(game)))
    assert rejected == []
    assert accepted[0].rewards == (1.0, 1.0, 0.0, 0.0)
    assert accepted[0].rollouts[0].logprobs == (-0.5, -1.0)


def test_claimed_rewards_and_tokens_are_not_looked_at(game: ReasoningGame) -> None:
    group = honest(game)
    for number in range(4):
        group = change(group, number, reward=1.0, token_ids=(1, 2, 3))
    accepted, _ = run(game, sent(group))
    assert accepted[0].rewards == (1.0, 1.0, 0.0, 0.0)
    assert all(rollout.token_ids == () for rollout in accepted[0].rollouts)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"round": ROUND - 1}, "round"),
        ({"round": ROUND + 1}, "round"),
        ({"round": True}, "schema"),
        ({"round": None}, "schema"),
        ({"peer_id": "peer-2"}, "identity"),
        ({"peer_id": ME}, "identity"),
        ({"peer_id": 5}, "schema"),
        ({"task": "chain_sum/1000/1"}, "schema"),
        ({"task": TaskId("chain_sum", -1, 1)}, "schema"),
        ({"task": TaskId("../x", 1, 1)}, "schema"),
        ({"task": TaskId("chain_sum", 1000, 1)}, "schedule"),
        ({"task": TaskId("chain_sum", 2_000_000_000, 0)}, "schedule"),
        ({"task": TaskId("codeio", 1000, 1)}, "schedule"),
        ({"rollouts": ()}, "generations"),
        ({"rollouts": (Rollout("a"),) * 3}, "generations"),
        ({"rollouts": (Rollout("a"),) * 5}, "generations"),
    ],
)
def test_a_group_with_another_field_is_rejected(
    game: ReasoningGame, fields: dict[str, Any], reason: str
) -> None:
    assert run(game, sent(replace(honest(game), **fields))) == ([], [reason])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": "x" * 1025}, "size"),
        ({"text": "x" * 10_000_000}, "size"),
        ({"text": b"x"}, "schema"),
        ({"text": None}, "schema"),
        ({"text": "\ud800"}, "schema"),
        ({"finished": 1}, "schema"),
        ({"logprobs": (-1.0,) * 33}, "size"),
        ({"logprobs": (float("nan"),)}, "schema"),
        ({"logprobs": (float("-inf"),)}, "schema"),
        ({"logprobs": (0.5,)}, "schema"),
        ({"logprobs": ("x",)}, "schema"),
    ],
)
def test_a_rollout_with_another_field_is_rejected(
    game: ReasoningGame, fields: dict[str, Any], reason: str
) -> None:
    assert run(game, sent(change(honest(game), 2, **fields))) == ([], [reason])


def test_my_own_record_is_never_a_peers(game: ReasoningGame) -> None:
    group = honest(game, peer=ME)
    assert run(game, sent(group, peer=ME)) == ([], ["identity"])


def test_another_peers_task_is_out_of_schedule(game: ReasoningGame) -> None:
    stolen = replace(honest(game, peer="peer-2"), peer_id=PEER)
    assert run(game, sent(stolen)) == ([], ["schedule"])


def test_copies_are_rejected(game: ReasoningGame) -> None:
    group = honest(game)
    assert run(game, sent(group), frozenset({group.digest})) == ([], ["duplicate"])
    accepted, reasons = run(game, sent(group, group, change(group, 0, text="other")))
    assert (len(accepted), reasons) == (1, ["duplicate", "duplicate"])


def test_no_signal(game: ReasoningGame) -> None:
    for right in (0, 4):
        assert run(game, sent(honest(game, right=right))) == ([], ["no_signal"])


def test_quota_and_size_bound_a_peer(game: ReasoningGame) -> None:
    groups = [honest(game, slot) for slot in range(6)]
    accepted, reasons = run(game, sent(*groups))
    assert (len(accepted), reasons) == (3, ["quota"] * 3)
    accepted, reasons = run(game, sent(*groups, *groups))
    assert (len(accepted), reasons) == (3, ["size"] + ["quota"] * 3)
    config = replace(CONFIG, game=replace(CONFIG.game, groups_per_peer=0))
    assert run(game, sent(groups[0]), config=config) == ([], ["quota"])


def test_an_expensive_peer_is_cut_off(game: ReasoningGame) -> None:
    ticks = iter(range(0, 1000, 2))
    groups = [honest(game, slot, right=0) for slot in range(6)]
    _, reasons = run(game, sent(*groups), clock=lambda: float(next(ticks)))
    assert reasons == ["no_signal"] * 2 + ["busy"] * 4


def test_a_contribution_that_failed_on_its_way(game: ReasoningGame) -> None:
    group = honest(game)
    assert run(game, sent(group, reason="fetch", error="gone")) == ([], ["fetch"])
    assert run(game, sent(reason="new-code", error="x" * 9999)) == ([], ["exchange"])


def test_one_bad_group_does_not_cost_the_others(game: ReasoningGame) -> None:
    good, bad = honest(game, 0), change(honest(game, 1), 0, text=7)
    accepted, reasons = run(game, sent(bad, good))
    assert ([g.task for g in accepted], reasons) == ([good.task], ["schema"])


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.binary(max_size=10),
    st.builds(
        TaskId,
        st.sampled_from(["chain_sum", "leg_counting", "codeio", ""]),
        st.integers(-5, 2**64),
        st.integers(-5, 2000),
    ),
)
ROLLOUT_JUNK = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text(max_size=60) | JUNK,
        "token_ids": st.lists(st.integers(), max_size=3).map(tuple),
        "logprobs": st.lists(st.floats() | JUNK, max_size=40).map(tuple),
        "finished": JUNK,
        "reward": st.floats() | JUNK,
    },
)


@settings(max_examples=150, deadline=None)
@given(
    fields=st.fixed_dictionaries(
        {}, optional={"task": JUNK, "peer_id": JUNK, "round": JUNK | st.just(ROUND)}
    ),
    rollouts=st.lists(ROLLOUT_JUNK, min_size=4, max_size=4),
    slot=st.integers(0, 5),
)
def test_tampering_never_changes_a_reward_nor_lets_a_task_in(
    game: ReasoningGame, fields: dict[str, Any], rollouts: list[dict[str, Any]], slot: int
) -> None:
    group = honest(game, slot)
    for number, changed in enumerate(rollouts):
        group = change(group, number, **changed)
    accepted, _ = run(game, sent(replace(group, **fields)))
    for got in accepted:
        assert got.task in game.schedule(PEER, ROUND)
        assert (got.peer_id, got.round) == (PEER, ROUND)
        task = game.task(got.task)
        for rollout in got.rollouts:
            assert rollout.reward == game.score(task, [rollout.text])[0]
            assert rollout.token_ids == ()


@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(1, 8), min_size=0, max_size=8),
    own=st.integers(0, 6),
    limit=st.integers(0, 10),
    seed=st.integers(),
)
def test_selection_is_bounded_and_takes_nothing_twice(
    counts: list[int], own: int, limit: int, seed: int
) -> None:
    foreign = [plain(f"p{p}", n) for p, count in enumerate(counts) for n in range(count)]
    config = replace(CONFIG, game=replace(CONFIG.game, foreign_groups=limit))
    mine = [plain(ME, n) for n in range(own)]
    chosen = select(mine, foreign, config, random.Random(seed))
    assert len(chosen) == min(limit, own, len(foreign))
    assert len({g.digest for g in chosen}) == len(chosen)
    assert all(g in foreign for g in chosen)


def plain(peer: str, number: int) -> RolloutGroup:
    task = TaskId("chain_sum", 1000, number)
    return RolloutGroup(task, peer, ROUND, (Rollout(f"{peer} {number}", reward=1.0),))


def test_many_groups_buy_no_place() -> None:
    """A peer with 30 groups is chosen as often as one with a single group."""
    foreign = [plain("flood", n) for n in range(30)] + [plain(p, 0) for p in "abcd"]
    config = replace(CONFIG, game=replace(CONFIG.game, foreign_groups=1))
    rng = random.Random(5)
    chosen = Counter(select([plain(ME, 0)], foreign, config, rng)[0].peer_id for _ in range(5000))
    assert all(800 < chosen[peer] < 1200 for peer in ("flood", *"abcd"))


def test_a_group_with_my_texts_is_not_selected() -> None:
    mine = plain(ME, 0)
    copied = replace(mine, peer_id="copycat")
    assert select([mine, plain(ME, 1)], [copied], CONFIG, random.Random(0)) == []


def test_every_reason_is_a_line_of_its_own() -> None:
    assert all(code.isidentifier() and code.islower() for code in REASONS)
    assert all("\n" not in text and text.endswith(".") for text in REASONS.values())
    assert len(set(REASONS.values())) == len(REASONS)
    assert admission.SCORING_BUDGET_S > 0
