"""A task set is checked key by key, its seed ranges never meet, and its tasks are reproducible."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from core.errors import ConfigError, WaggleError
from core.home import REPO_ROOT
from core.rollouts import TaskId
from core.training import gym, tasks

GOOD = {
    "name": "two",
    "system": "Be brief.",
    "seed_base": 1000,
    "held_out_seed_base": 2_000_000,
    "warm_start_seed_base": 3_000_000,
    "held_out_tasks": 10,
    "index_range": 50,
    "datasets": [
        {"name": "chain_sum", "weight": 2, "params": {"min_terms": 2}},
        {"name": "leg_counting"},
    ],
}


def write(folder: Path, **changes: object) -> str:
    """A task set file with these keys changed, or left out where None."""
    data = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    path = folder / "set.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


@pytest.mark.parametrize("name", sorted(p.stem for p in tasks.TASK_SETS.glob("*.yaml")))
def test_the_shipped_sets_load_and_make_tasks(name: str) -> None:
    task_set = tasks.load(name)
    task_set.check_generators()
    assert task_set.name == name
    for task_id in task_set.held_out(20):
        assert task_set.build(task_id).answer


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    task_set = tasks.load(write(tmp_path))
    assert [d.name for d in task_set.datasets] == ["chain_sum", "leg_counting"]
    assert [d.weight for d in task_set.datasets] == [2.0, 1.0]
    assert task_set.seeds == (1000, 2_000_000 - 50)
    assert task_set.held_out_seeds == (2_000_000, 3_000_000 - 50)
    task = task_set.build(TaskId("chain_sum", 1234, 7))
    made = gym.build("chain_sum", 1234, 50, {"min_terms": 2})[7]
    assert (task.question, task.answer) == (made["question"], made["answer"])
    assert task.metadata == {"system": "Be brief."}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "`name` is missing"),
        ({"seed_base": "x"}, "`seed_base`: expected a whole number"),
        ({"seed_base": True}, "`seed_base`: expected a whole number"),
        ({"seed_base": -1}, "`seed_base`: expected a whole number from 0"),
        ({"warm_start_seed_base": 2**32}, "`warm_start_seed_base`: expected a whole number"),
        ({"index_range": 0}, "`index_range`"),
        ({"held_out_seed_base": 1010}, "run into those of another range"),
        ({"held_out_seed_base": 1000}, "run into those of another range"),
        ({"sede_base": 1}, "Did you mean seed_base?"),
        ({"system": 5}, "`system`: expected a text"),
        ({"datasets": []}, "at least one dataset"),
        ({"datasets": {"a": 1}}, "found a map"),
        ({"datasets": ["chain_sum"]}, "entry 0 needs a `name`"),
        ({"datasets": [{"name": "chain_sum"}, {"name": "chain_sum"}]}, "there twice"),
        ({"datasets": [{"name": "chain_sum", "wieght": 1}]}, "Did you mean weight?"),
        ({"datasets": [{"name": "chain_sum", "weight": 0}]}, "must be above 0"),
        ({"datasets": [{"name": "chain_sum", "weight": float("nan")}]}, "must be above 0"),
        ({"datasets": [{"name": "chain_sum", "params": [1]}]}, "expected a map"),
        ({"datasets": [{"name": "chain_sum", "params": {"seed": 1}}]}, "seed and size"),
        ({"datasets": [{"name": "../x"}]}, "is not a dataset's name"),
        ({"datasets": [{"name": "codeio"}]}, "programs that are run"),
        ({"datasets": [{"name": "word_ladder"}]}, "hash seed"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(ConfigError) as caught:
        tasks.load(path)
    assert said in str(caught.value)
    assert path in str(caught.value)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="Did you mean tiny"):
        tasks.load("tinny")
    with pytest.raises(ConfigError, match="no task set named"):
        tasks.load("../tasks/tiny")
    with pytest.raises(ConfigError, match="Cannot read"):
        tasks.load("nowhere/set.yaml")


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ({"name": "chain_summ"}, "Did you mean chain_sum?"),
        ({"name": "chain_sum", "params": {"min_trems": 2}}, "min_trems"),
        ({"name": "chain_sum", "params": {"min_terms": -2}}, "min_terms"),
    ],
)
def test_generators_are_tried(tmp_path: Path, dataset: dict[str, object], said: str) -> None:
    task_set = tasks.load(write(tmp_path, datasets=[dataset]))
    with pytest.raises(ConfigError) as caught:
        task_set.check_generators()
    assert said in str(caught.value)


def test_held_out_tasks_come_in_a_fixed_order(tmp_path: Path) -> None:
    task_set = tasks.load(write(tmp_path, held_out_seed_base=2_999_900))
    ids = task_set.held_out(100)
    assert ids[:3] == [
        TaskId("chain_sum", 2_999_900, 0),
        TaskId("leg_counting", 2_999_900, 0),
        TaskId("chain_sum", 2_999_900, 1),
    ]
    assert len(set(ids)) == 100
    assert all(task_set.evaluates_on(i) and not task_set.trains_on(i) for i in ids)
    with pytest.raises(WaggleError, match="held-out tasks"):
        task_set.held_out(101)


def test_ranges_keep_their_distance(tmp_path: Path) -> None:
    """Item i comes from Random(seed + i): no sum of a seed and an index is in two ranges."""
    for order in ((1000, 5000, 9000), (9000, 1000, 5000), (5000, 9000, 1000)):
        keys = ("seed_base", "held_out_seed_base", "warm_start_seed_base")
        task_set = tasks.load(write(tmp_path, **dict(zip(keys, order, strict=True))))
        reach = task_set.index_range - 1
        for start, end in (task_set.seeds, task_set.held_out_seeds):
            others = [base for base in order if base != start]
            assert all(end - 1 + reach < base or start > base for base in others)


def test_the_digest_follows_what_matters(tmp_path: Path) -> None:
    digest = tasks.load(write(tmp_path)).digest
    assert tasks.load(write(tmp_path)).digest == digest
    assert tasks.load(write(tmp_path, name="other")).digest == digest
    for changes in (
        {"system": ""},
        {"index_range": 51},
        {"seed_base": 1001},
        {"held_out_tasks": 0},
        {"datasets": [{"name": "chain_sum"}, {"name": "leg_counting"}]},
    ):
        assert tasks.load(write(tmp_path, **changes)).digest != digest


@pytest.mark.slow
def test_two_processes_make_the_same_tasks() -> None:
    """Whatever follows the hash seed of a process is in UNSUITABLE, and nothing else is left."""
    program = (
        "import hashlib, sys\nfrom core.training import gym\n"
        "for name in sorted(gym.reasoning_gym().factory.DATASETS):\n"
        "    if name in ('codeio', 'composite'): continue\n"
        "    d = gym.build(name, 1000, 100, {})\n"
        "    text = repr([(d[i]['question'], d[i]['answer']) for i in (3, 50)])\n"
        "    sys.stdout.write(f'\\n#{name} {hashlib.sha256(text.encode()).hexdigest()}')\n"
    )
    outputs = []
    for seed in "123":
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPO_ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        lines = [line for line in ran.stdout.splitlines() if line.startswith("#")]
        outputs.append(dict(line[1:].split() for line in lines))
    differ = {n for n in outputs[0] if len({output[n] for output in outputs}) > 1}
    assert differ <= set(tasks.UNSUITABLE)
