"""Every question that a GenRL node draws is known here, and none that we keep for evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from core.errors import ConfigError
from core.rollouts import TaskId
from core.schema import Config, GameSection, SwarmSection
from core.training import gym, tasks
from core.training.games import load_game
from core.training.games.originals import digest, known_questions
from core.training.games.reasoning import ReasoningGame
from core.training.scoring import Scorer

TASK_SET = tasks.load("genrl")


def drawn_by_a_genrl_node(seed: int) -> Iterator[dict[str, object]]:
    """The items that the original's data manager takes one after another, by the same library."""
    gym.reasoning_gym()
    from reasoning_gym.composite import CompositeConfig, CompositeDataset, DatasetSpec
    from reasoning_gym.dataset import ReseedingDataset

    specs = [
        DatasetSpec(d.name, d.weight, {**d.params, "seed": d.genrl_seed, "size": 500})
        for d in TASK_SET.datasets
    ]
    composite = CompositeDataset(CompositeConfig(size=1000, seed=seed, datasets=specs))
    return iter(ReseedingDataset(composite, chunk_size=500))


@pytest.fixture(scope="module")
def known() -> dict[str, TaskId]:
    return known_questions(TASK_SET)


@pytest.mark.parametrize("seed", [42, 7])
def test_what_a_genrl_node_is_asked_is_found_with_its_answer(
    known: dict[str, TaskId], seed: int
) -> None:
    names = set()
    for item in itertools.islice(drawn_by_a_genrl_node(seed), 1_100):
        task = TASK_SET.build(known[digest(str(item["question"]))])
        assert task.question == item["question"]
        if item["answer"] is not None:
            assert task.answer == item["answer"]
        names.add(task.id.dataset)
    assert names == {d.name for d in TASK_SET.datasets}


def test_a_question_for_evaluation_is_known_as_one(known: dict[str, TaskId]) -> None:
    game = ReasoningGame(Config(), Scorer({}, 500), TASK_SET)
    kept = {TASK_SET.build(task_id).question for task_id in TASK_SET.held_out(450)}
    marked = {name for name, task_id in known.items() if game.is_held_out(task_id)}
    assert marked == {digest(question) for question in kept} & set(known)
    assert 0 < len(marked) < 50


def test_the_other_task_sets_know_no_such_questions() -> None:
    assert known_questions(tasks.load("tiny")) == {}


def test_the_game_finds_them_and_tells_what_their_scorers_need() -> None:
    config = Config(game=GameSection(tasks="genrl", groups=2))
    game = ReasoningGame(config, Scorer({}, 500), TASK_SET)
    task_id = TaskId("binary_matrix", 1236, 3)
    question = game.task(task_id).question
    assert game.find(digest(question)) == task_id
    assert game.find(digest(question + " ")) is None
    told = game.entry(task_id)
    assert (told.question, told.answer) == (question, game.task(task_id).answer)
    score = gym.reasoning_gym().factory.get_score_answer_fn(told.metadata["source_dataset"])
    entry = {"answer": told.answer, "metadata": told.metadata}
    assert score(told.answer, entry) == 1.0
    assert score("no", entry) < 0.1


def test_a_swarm_with_genrl_nodes_wants_tasks_that_they_have() -> None:
    with pytest.raises(ConfigError, match="genrl_seed"):
        load_game(Config(swarm=SwarmSection(genrl=True), game=GameSection(tasks="tiny")))


def test_making_tasks_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    TASK_SET.build(TaskId("bf", 77, 0))
    assert capsys.readouterr() == ("", "")


def test_a_seed_outside_training_is_refused(tmp_path) -> None:
    text = (tasks.TASK_SETS / "genrl.yaml").read_text()
    path = tmp_path / "set.yaml"
    path.write_text(text.replace("genrl_seed: 1238", "genrl_seed: 2000000001", 1))
    with pytest.raises(ConfigError, match="genrl_seed"):
        tasks.load(str(path))
