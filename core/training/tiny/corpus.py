"""The warm-start corpus of waggle-tiny: questions of a task set with answers of mixed quality.

The model is meant to know something and to fail often, so that reinforcement has real work. Every
completion is written in one of a few manners, at the rates of `Mix`:

- right: the short answer, tagged;
- worked: a short working first, then the answer, tagged. Rare, and the better way: what the
  direct answer must guess, the working derives;
- wrong: a tagged answer that is near the right one;
- untagged and broken: the right answer, where no scorer looks for it.

Seeds come from the task set's warm-start range, and questions of the held-out set are left out by
text, so the warm start has seen neither an evaluation seed nor an evaluation question.

Knows reasoning-gym and the YAML of a task set; knows nothing of models, tokens or rewards.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.home import REPO_ROOT

TASKS = REPO_ROOT / "configs" / "tasks" / "tiny.yaml"


@dataclass(frozen=True)
class Mix:
    """Shares of the manners; what remains of 1 is `right`."""

    worked: float = 0.14
    wrong: float = 0.22
    untagged: float = 0.22
    broken: float = 0.10


@dataclass(frozen=True)
class Example:
    """One line of the corpus. `manner` is a field of Mix, or "right"."""

    dataset: str
    question: str
    completion: str
    manner: str


def load_tasks(path: Path = TASKS) -> dict[str, Any]:
    """The task set's YAML, as written."""
    with path.open(encoding="utf-8") as lines:
        spec: dict[str, Any] = yaml.safe_load(lines)
    return spec


def build(spec: Mapping[str, Any], name: str, seed: int) -> Any:
    """The reasoning-gym dataset `name` of the task set at `seed`."""
    import reasoning_gym

    params = next(d["params"] for d in spec["datasets"] if d["name"] == name)
    return reasoning_gym.create_dataset(name, seed=seed, size=spec["index_range"], **params)


def held_out_questions(spec: Mapping[str, Any]) -> set[str]:
    """Texts of the first `held_out_tasks` held-out questions (the order is in the YAML)."""
    names = [d["name"] for d in spec["datasets"]]
    per_dataset = -(-spec["held_out_tasks"] // len(names))
    questions = set()
    for name in names:
        dataset = build(spec, name, spec["held_out_seed_base"])
        questions |= {dataset[i]["question"] for i in range(per_dataset)}
    return questions


def examples(
    spec: Mapping[str, Any], name: str, mixes: Iterable[Mix], seed: int
) -> Iterator[Example]:
    """An example of dataset `name` for each of `mixes`; the same for the same arguments."""
    rng = random.Random(f"{name}/{seed}")
    held_out = held_out_questions(spec)
    entries = _entries(spec, name)
    for mix in mixes:
        entry = next(e for e in entries if e["question"] not in held_out)
        manner = _manner(rng, mix)
        completion = _complete(rng, name, entry, manner)
        yield Example(name, entry["question"], completion, manner)


def _entries(spec: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """The dataset's tasks in the warm-start seeds, without end."""
    seed = spec["warm_start_seed_base"]
    while True:
        yield from build(spec, name, seed)
        # reasoning-gym draws item i from Random(seed + i): stride by the range, not by one.
        seed += spec["index_range"]


def _manner(rng: random.Random, mix: Mix) -> str:
    draw = rng.random()
    for manner in ("worked", "wrong", "untagged", "broken"):
        draw -= getattr(mix, manner)
        if draw < 0:
            return manner
    return "right"


def _complete(rng: random.Random, name: str, entry: Mapping[str, Any], manner: str) -> str:
    answer = entry["answer"]
    if manner == "worked" and name != "spell_backward":
        return f"{_working(name, entry)} <answer>{answer}</answer>"
    if manner == "wrong":
        return f"<answer>{_near_miss(rng, answer)}</answer>"
    if manner == "untagged":
        return rng.choice((f"{answer}", f"The answer is {answer}.", f"It is {answer}."))
    if manner == "broken":
        return rng.choice((f"<answer>{answer}", f"answer>{answer}</answer>", f"[{answer}]"))
    return f"<answer>{answer}</answer>"


def _working(name: str, entry: Mapping[str, Any]) -> str:
    """What a person would jot down before answering."""
    facts = entry["metadata"]
    if name in ("chain_sum", "decimal_chain_sum"):
        return _columns(facts["expression"])
    if name == "leg_counting":
        from reasoning_gym.arithmetic.leg_counting import ANIMALS

        return "+".join(str(n * ANIMALS[animal]) for animal, n in facts["animals"].items())
    if name == "letter_counting":
        letter = facts["target_letter"]
        return "+".join(str(word.lower().count(letter)) for word in facts["span"])
    raise ValueError(f"no working is known for {name}")


def _columns(expression: str) -> str:
    """A sum or difference of two numbers of two digits each, column by column, from the right."""
    left, sign, right = expression.replace(".", "").split()
    minus = sign == "-" and int(left) < int(right)
    big, small = (right, left) if minus else (left, right)
    (b1, b0), (s1, s0) = map(int, big), map(int, small)
    if sign == "+":
        carry = b0 + s0 > 9
        return f"{b0}+{s0}={b0 + s0},{b1}+{s1}{'+1' * carry}={b1 + s1 + carry}"
    borrow = b0 < s0
    ones = b0 + 10 * borrow
    steps = f"{ones}-{s0}={ones - s0},{b1}-{s1}{'-1' * borrow}={b1 - s1 - borrow}"
    return f"-:{steps}" if minus else steps


def _near_miss(rng: random.Random, answer: str) -> str:
    """A wrong answer like those that people give: off by a little, or with letters mixed up."""
    if answer.lstrip("-").isdecimal():
        value = int(answer)
        steps = (1, -1, 2, -2) if abs(value) < 10 else (1, -1, 2, -2, 10, -10, 9, -9)
        return str(value + rng.choice(steps))
    if "." in answer:
        value = int(answer.replace(".", "")) + rng.choice((1, -1, 10, -10, 9, -9))
        return f"{value / 10:.1f}"
    letters = list(answer)
    i = rng.randrange(len(letters) - 1)
    kind = rng.randrange(3)
    if kind == 0:
        letters[i], letters[i + 1] = letters[i + 1], letters[i]
    elif kind == 1:
        del letters[i]
    else:
        letters.insert(i, letters[i])
    missed = "".join(letters)
    return missed if missed != answer else answer[1:]
