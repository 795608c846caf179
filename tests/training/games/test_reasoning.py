"""Schedules that anybody can recompute, held-out tasks apart, rewards that cannot be talked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigError, WaggleError
from core.rollouts import Task, TaskId
from core.schema import Config, GameSection
from core.training import tasks
from core.training.games import load_game
from core.training.games.reasoning import ReasoningGame, extract_answer, strict_reward
from core.training.scoring import Scorer
from tests.conftest import wait_until


@pytest.fixture(scope="module")
def game() -> Iterator[ReasoningGame]:
    made = load_game(Config())
    yield made
    made.close()


def another(task_set: tasks.TaskSet, groups: int = 16) -> ReasoningGame:
    """A game whose scorer is never asked."""
    return ReasoningGame(Config(game=GameSection(groups=groups)), Scorer({}, 1), task_set)


def test_schedules_are_the_same_everywhere(game: ReasoningGame) -> None:
    other = another(tasks.load("tiny"))
    for round in (0, 1, 2**40 + 7):
        assert game.schedule("peer", round) == other.schedule("peer", round)
    assert game.rules_digest == other.rules_digest
    assert len(game.schedule("peer", 3)) == 16


@settings(max_examples=40, deadline=None)
@given(peer=st.text(max_size=60), round=st.integers(0, 2**62))
def test_schedules_stay_in_the_training_range(game: ReasoningGame, peer: str, round: int) -> None:
    ids = game.schedule(peer, round)
    assert len(set(ids)) == len(ids) == 16
    start, end = game.task_set.seeds
    for task_id in ids:
        assert start <= task_id.seed < end
        assert 0 <= task_id.index < game.task_set.index_range
        assert TaskId.parse(str(task_id)) == task_id
        assert game.task(task_id).id == task_id


def test_schedules_differ_by_peer_round_and_rules(game: ReasoningGame) -> None:
    seen = [
        game.schedule("a", 1),
        game.schedule("b", 1),
        game.schedule("a", 2),
        another(replace(game.task_set, system="Other.")).schedule("a", 1),
    ]
    assert not any(set(x) & set(y) for i, x in enumerate(seen) for y in seen[:i])


def test_fewer_groups_are_a_prefix(game: ReasoningGame) -> None:
    assert another(game.task_set, groups=5).schedule("a", 9) == game.schedule("a", 9)[:5]


def test_datasets_come_by_weight(game: ReasoningGame) -> None:
    first, second, *_ = game.task_set.datasets
    task_set = replace(
        game.task_set,
        datasets=(replace(first, weight=3.0), replace(second, weight=1.0)),
        held_out_tasks=0,
    )
    ids = [i for r in range(100) for i in another(task_set).schedule("a", r)]
    share = Counter(i.dataset for i in ids)[first.name] / len(ids)
    assert 0.70 < share < 0.80


def test_a_small_set_is_used_up_and_then_repeated(game: ReasoningGame) -> None:
    small = replace(game.task_set, index_range=3, datasets=game.task_set.datasets[:1])
    small = replace(small, held_out_tasks=0)
    assert len(another(small).schedule("a", 1)) == 3


def test_held_out_questions_are_never_scheduled(game: ReasoningGame) -> None:
    """By seed, and by text too: small numbers make the same question under other seeds."""
    held_out = {game.held_out_task(i).question for i in game.held_out(1000)}
    for round in range(60):
        for task_id in game.schedule("a", round):
            assert game.task(task_id).question not in held_out


def test_only_the_sets_own_tasks_are_made(game: ReasoningGame) -> None:
    good = game.schedule("a", 1)[0]
    start, end = game.task_set.seeds
    for bad in (
        replace(good, dataset="word_sorting"),
        replace(good, seed=start - 1),
        replace(good, seed=end),
        replace(good, index=game.task_set.index_range),
        replace(good, index=-1),
        *game.held_out(5),
    ):
        with pytest.raises(WaggleError, match="not one of task set"):
            game.task(bad)
    with pytest.raises(WaggleError, match="not a held-out task"):
        game.held_out_task(good)


def test_right_answers_are_worth_one(game: ReasoningGame) -> None:
    ids = [*game.schedule("a", 4), *game.schedule("b", 4)]
    made = [game.task(i) for i in ids] + [game.held_out_task(i) for i in game.held_out(10)]
    for task in made:
        right = f"Let me see. <answer> {task.answer} </answer>"
        wrong = f"<answer>{task.answer}9</answer>"
        assert game.score(task, [right, wrong, task.answer, "", right]) == [1, 0, 0, 0, 1]


def task_of(game: ReasoningGame, dataset: str) -> Task:
    held_out = game.held_out(40)
    return game.held_out_task(next(i for i in held_out if i.dataset == dataset))


def test_partial_credit_is_no_reward(game: ReasoningGame) -> None:
    """chain_sum's own scorer gives a share to any answer that contains the right one."""
    task = task_of(game, "chain_sum")
    hedge = " or ".join([task.answer, "1", "2"])
    assert 0 < game.scorer.score(task.id, [hedge])[0] < 1
    assert game.score(task, [f"<answer>{hedge}</answer>"]) == [0.0]


def test_what_the_task_says_of_itself_does_not_count(game: ReasoningGame) -> None:
    task = task_of(game, "chain_sum")
    forged = replace(task, answer="7", question="What is seven?", metadata={"answer": "7"})
    completions = ["<answer>7</answer>", f"<answer>{task.answer}</answer>"]
    assert game.score(forged, completions) == [0.0, 1.0]
    with pytest.raises(WaggleError, match="not one of task set"):
        game.score(replace(task, id=TaskId("codeio", 1000, 1)), completions)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=300), max_size=8), st.integers(0, 39))
def test_any_completion_is_worth_zero_or_one(
    game: ReasoningGame, texts: list[str], number: int
) -> None:
    task = game.held_out_task(game.held_out(40)[number])
    completions = [
        *texts,
        *(f"<answer>{text}</answer>" for text in texts),
        "<answer>\ud800</answer>",
    ]
    rewards = game.score(task, completions)
    assert len(rewards) == len(completions)
    assert set(rewards) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("<answer>4</answer>", "4"),
        ("<answer>3</answer> no, <answer> 4\n</answer> done", "4"),
        ("<answer>4</answer> <answer>5", "4"),
        ("<answer><answer>4</answer>", "4"),
        ("<answer>4</answer></answer>", "4</answer>"),
        ("4", None),
        ("<answer>4", None),
        ("4</answer>", None),
        ("</answer>4<answer>", None),
        ("<answer>  </answer>", None),
        ("<answer></answer>", None),
        ("<ANSWER>4</ANSWER>", None),
        ("<answer>" + "4" * 5000 + "</answer>", None),
        ("", None),
    ],
)
def test_the_last_tagged_text_is_the_answer(completion: str, answer: str | None) -> None:
    assert extract_answer(completion) == answer


def test_ten_million_characters_take_no_time() -> None:
    for text in ("<answer>" * 1_250_000, "</answer>" * 1_100_000, "<answer>" + "x" * 10**7):
        assert extract_answer(text) is None


@pytest.mark.parametrize(
    ("score", "reward"),
    [
        (1.0, 1.0),
        (1.0 - 1e-9, 1.0),
        (7.0, 1.0),
        (0.99, 0.0),
        (0.05, 0.0),
        (0.0, 0.0),
        (-1.0, 0.0),
        (float("nan"), 0.0),
        (float("inf"), 0.0),
        (float("-inf"), 0.0),
    ],
)
def test_only_a_full_score_counts(score: float, reward: float) -> None:
    assert strict_reward(score) == reward


def test_a_bad_set_leaves_no_process_behind(tmp_path: object) -> None:
    import psutil

    path = tmp_path / "bad.yaml"  # type: ignore[operator]
    path.write_text(
        "name: bad\nseed_base: 0\nheld_out_seed_base: 5000\nwarm_start_seed_base: 9000\n"
        "index_range: 10\ndatasets: [{name: no_such_dataset}]\n"
    )
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(ConfigError, match="no_such_dataset"):
        load_game(Config(game=GameSection(tasks=str(path))))
    wait_until(lambda: {child.pid for child in psutil.Process().children()} <= before)
