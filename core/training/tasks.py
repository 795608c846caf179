"""A task set: which datasets, with which parameters, and which seeds are for what.

A task is `reasoning_gym.create_dataset(dataset, seed=seed, size=index_range, **params)[index]`.
reasoning-gym draws item i from Random(seed + i), so seeds closer than `index_range` share
questions: the seed ranges for training, held-out evaluation and warm start keep that distance.
Reads and checks the YAML, rebuilds tasks, orders the held-out ones. Knows nothing of peers, rounds
or rewards.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import yamlfile
from core.errors import ConfigError, WaggleError
from core.home import REPO_ROOT
from core.rollouts import Task, TaskId
from core.training import gym

TASK_SETS = REPO_ROOT / "configs" / "tasks"
MAX_SEED = 2**32 - 1
"""Some generators hand the seed to NumPy, which takes 32 bits."""

_UNSTABLE = "its tasks follow Python's hash seed, so two nodes would not make the same ones"
UNSUITABLE = {
    "codeio": "its tasks are programs that are run when a task is made",
    "composite": "list the datasets themselves",
    "isomorphic_strings": _UNSTABLE,
    "knight_swap": _UNSTABLE,
    "polynomial_multiplication": _UNSTABLE,
    "ransom_note": _UNSTABLE,
    "word_ladder": _UNSTABLE,
}
_KEYS = (
    "name",
    "system",
    "seed_base",
    "held_out_seed_base",
    "warm_start_seed_base",
    "held_out_tasks",
    "index_range",
    "datasets",
)
_DATASET_KEYS = ("name", "weight", "params", "genrl_seed")


@dataclass(frozen=True)
class DatasetSpec:
    """One dataset of the set. weight: its share of the schedule, relative to the others'.

    genrl_seed: the one seed that GenRL nodes of the swarm have for it; see `games/originals.py`.
    """

    name: str
    weight: float
    params: Mapping[str, Any]
    genrl_seed: int | None = None


@dataclass(frozen=True)
class TaskSet:
    """A checked task set. Seed ranges are half-open: [start, end)."""

    name: str
    system: str
    datasets: tuple[DatasetSpec, ...]
    seeds: tuple[int, int]
    held_out_seeds: tuple[int, int]
    index_range: int
    held_out_tasks: int
    """Questions of the first so many held-out tasks are kept out of training by text, too."""

    @property
    def digest(self) -> str:
        """Hex SHA-256 over all that decides which tasks exist and what they are."""
        rules = {
            "system": self.system,
            "datasets": [[d.name, d.weight, d.params] for d in self.datasets],
            "seeds": [self.seeds, self.held_out_seeds],
            "index_range": self.index_range,
            "held_out_tasks": self.held_out_tasks,
            "reasoning_gym": gym.version(),
        }
        text = json.dumps(rules, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def spec(self, dataset: str) -> DatasetSpec | None:
        return next((d for d in self.datasets if d.name == dataset), None)

    def held_out(self, n: int) -> list[TaskId]:
        """The first n held-out tasks: the datasets in turn, index by index, then seed by seed.

        WaggleError when there are not so many.
        """
        start, end = self.held_out_seeds
        kinds = len(self.datasets)
        most = kinds * self.index_range * math.ceil((end - start) / self.index_range)
        if n > most:
            raise WaggleError(
                f"Task set {self.name} has {most} held-out tasks, {n} were asked for",
                "",
                "Ask for fewer (eval.tasks)",
            )
        ids = []
        for k in range(n):
            block, index = divmod(k // kinds, self.index_range)
            seed = start + block * self.index_range
            ids.append(TaskId(self.datasets[k % kinds].name, seed, index))
        return ids

    def trains_on(self, task_id: TaskId) -> bool:
        """Whether the id is in the set, with a seed for training and an index in range."""
        return self._names(task_id, self.seeds)

    def evaluates_on(self, task_id: TaskId) -> bool:
        return self._names(task_id, self.held_out_seeds)

    def build(self, task_id: TaskId) -> Task:
        """Make the task. The caller has checked that the id is one of the set's.

        WaggleError when the generator fails on it.
        """
        question, answer, _ = self.entry(task_id)
        metadata = {"system": self.system} if self.system else {}
        return Task(task_id, question, answer, metadata)

    def entry(self, task_id: TaskId) -> tuple[str, str, dict[str, Any]]:
        """Question, answer and metadata as the dataset gives them; otherwise like `build`.

        Where a dataset has no single right answer, the answer is its example of one.
        """
        try:
            entry = self._dataset(task_id.dataset, task_id.seed)[task_id.index]
            question, metadata = str(entry["question"]), dict(entry["metadata"])
        except Exception as error:  # generators raise whatever they meet
            raise WaggleError(
                f"Task {task_id} cannot be made", f"{type(error).__name__}: {error}"
            ) from error
        answer = entry["answer"] or metadata.get("example_answer") or ""
        return question, str(answer), metadata

    def check_generators(self) -> None:
        """Make one task of every dataset. ConfigError, naming dataset and reason. Imports."""
        known = gym.reasoning_gym().factory.DATASETS
        for spec in self.datasets:
            if spec.name not in known:
                raise ConfigError(
                    f"Task set {self.name}: unknown dataset {spec.name}",
                    "reasoning-gym has none of that name",
                    suggestion(spec.name, known),
                )
            try:
                self.build(TaskId(spec.name, self.seeds[0], 0))
            except WaggleError as error:
                raise ConfigError(
                    f"Task set {self.name}: dataset {spec.name} does not accept its params",
                    error.why,
                    "Correct its params",
                ) from error

    def _names(self, task_id: TaskId, seeds: tuple[int, int]) -> bool:
        return (
            self.spec(task_id.dataset) is not None
            and seeds[0] <= task_id.seed < seeds[1]
            and 0 <= task_id.index < self.index_range
        )

    def _dataset(self, name: str, seed: int) -> Any:
        spec = self.spec(name)
        if spec is None:
            raise WaggleError(f"Dataset {name} is not in task set {self.name}")
        return _built(name, seed, self.index_range, json.dumps(spec.params, sort_keys=True))


@functools.lru_cache(maxsize=32)
def _built(name: str, seed: int, size: int, params: str) -> Any:
    return gym.build(name, seed, size, json.loads(params))


def suggestion(name: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else ""


def load(name_or_path: str) -> TaskSet:
    """A task set by name (configs/tasks/NAME.yaml) or by path.

    ConfigError naming file, line and key. Imports no generator: see `check_generators`.
    """
    path, shown = _find(name_or_path)
    return _Reader(shown, yamlfile.read(path, shown)).task_set()


def parse(shown: str, text: str) -> TaskSet:
    """As `load`, of a text that messages call `shown`."""
    return _Reader(shown, yamlfile.parse(shown, text)).task_set()


def text_of(name_or_path: str) -> str:
    """The YAML of a task set without its comments: `parse` makes the same tasks of it."""
    import yaml

    path, shown = _find(name_or_path)
    sections = yamlfile.read(path, shown)
    values = {key: section.single.value for key, section in sections.items() if section.single}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _find(name_or_path: str) -> tuple[Path, str]:
    """The file, and how messages call it. ConfigError when there is none of that name."""
    path = Path(name_or_path).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        path = TASK_SETS / f"{name_or_path}.yaml"
        if not path.is_file() or Path(name_or_path).name != name_or_path:
            names = tuple(sorted(p.stem for p in TASK_SETS.glob("*.yaml")))
            raise ConfigError(
                f"game.tasks: there is no task set named {name_or_path!r}",
                f"known are {', '.join(names)}",
                suggestion(name_or_path, names) or "Give a path ending in .yaml",
            )
    shown = str(path.relative_to(REPO_ROOT)) if path.is_relative_to(REPO_ROOT) else str(path)
    return path, shown


class _Reader:
    """Checks the sections of one file, key by key."""

    def __init__(self, shown: str, sections: Mapping[str, yamlfile.Section]) -> None:
        self._shown = shown
        self._sections = sections
        for key, section in sections.items():
            if key not in _KEYS:
                raise self._error(key, "unknown key", suggestion(key, _KEYS))
            if section.single is None:
                raise self._error(key, "expected a value, found a map")

    def task_set(self) -> TaskSet:
        index_range = self._integer("index_range", 1, 10_000_000)
        start = self._integer("seed_base", 0, MAX_SEED)
        held_out = self._integer("held_out_seed_base", 0, MAX_SEED)
        warm = self._integer("warm_start_seed_base", 0, MAX_SEED)
        bases = (start, held_out, warm, MAX_SEED + 1)

        def until(key: str, base: int) -> tuple[int, int]:
            end = min((b for b in bases if b > base), default=base) - index_range
            if end <= base or bases.count(base) > 1:
                raise self._error(
                    key,
                    "its seeds run into those of another range",
                    "Keep the seed bases further apart than index_range",
                )
            return base, end

        seeds = until("seed_base", start)
        until("warm_start_seed_base", warm)
        return TaskSet(
            name=self._text("name"),
            system=self._text("system", ""),
            datasets=self._datasets(seeds),
            seeds=seeds,
            held_out_seeds=until("held_out_seed_base", held_out),
            index_range=index_range,
            held_out_tasks=self._integer("held_out_tasks", 0, 100_000, 0),
        )

    def _datasets(self, seeds: tuple[int, int]) -> tuple[DatasetSpec, ...]:
        listed = self._value("datasets")
        if not isinstance(listed, list) or not listed:
            raise self._error("datasets", "expected a list with at least one dataset")
        specs = tuple(self._dataset(i, entry, seeds) for i, entry in enumerate(listed))
        names = [spec.name for spec in specs]
        for name in names:
            if names.count(name) > 1:
                raise self._error("datasets", f"{name} is there twice")
        return specs

    def _dataset(self, number: int, entry: Any, seeds: tuple[int, int]) -> DatasetSpec:
        place = f"datasets[{number}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise self._error("datasets", f"entry {number} needs a `name`")
        name = entry["name"]
        for key in entry:
            if key not in _DATASET_KEYS:
                raise self._error(
                    "datasets",
                    f"{place}: unknown key {key}",
                    suggestion(str(key), _DATASET_KEYS),
                )
        if not name.isidentifier():
            raise self._error("datasets", f"{place}.name: {name!r} is not a dataset's name")
        if name in UNSUITABLE:
            raise self._error("datasets", f"{place}: {name} cannot be used, {UNSUITABLE[name]}")
        weight = entry.get("weight", 1)
        if isinstance(weight, bool) or not isinstance(weight, (int, float)):
            raise self._error("datasets", f"{place}.weight: expected a number")
        if not (math.isfinite(weight) and 0 < weight <= 1e6):
            raise self._error("datasets", f"{place}.weight: must be above 0 and at most 1000000")
        params = entry.get("params") or {}
        if not isinstance(params, dict) or not all(isinstance(key, str) for key in params):
            raise self._error("datasets", f"{place}.params: expected a map of names to values")
        if {"seed", "size"} & set(params):
            raise self._error("datasets", f"{place}.params: seed and size are not yours to set")
        try:
            json.dumps(params, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise self._error("datasets", f"{place}.params: only plain values: {error}") from error
        seed = entry.get("genrl_seed")
        if seed is not None and (type(seed) is not int or not seeds[0] <= seed < seeds[1]):
            raise self._error("datasets", f"{place}.genrl_seed: must be a seed for training")
        return DatasetSpec(name, float(weight), params, seed)

    def _value(self, key: str, default: Any = None) -> Any:
        section = self._sections.get(key)
        if section is None or section.single is None:
            if default is None:
                raise ConfigError(f"{self._shown}: `{key}` is missing", "", f"Add `{key}:`")
            return default
        return section.single.value

    def _text(self, key: str, default: str | None = None) -> str:
        value = self._value(key, default)
        if not isinstance(value, str) or len(value) > 10_000:
            raise self._error(key, "expected a text")
        return value

    def _integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._error(key, f"expected a whole number from {low} to {high}")
        return value

    def _error(self, key: str, why: str, next_step: str = "") -> ConfigError:
        line = f", line {self._sections[key].line}" if key in self._sections else ""
        return ConfigError(f"{self._shown}{line}: `{key}`", why, next_step)
