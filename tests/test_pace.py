"""The expected length of a round, as arithmetic, and what a child that measures may say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core import catalogue, config, measuring, pace
from core.errors import TransientError, WaggleError
from core.memory import plan
from core.pace import Machine, told
from core.schema import Config
from core.shape import Shape
from tests.measured import MACHINE

GIB = 2**30
SHAPES = {entry.id: entry.shape for entry in catalogue.entries()}
HALF_B = "Qwen/Qwen2.5-0.5B-Instruct"


def settings(*sets: str, profile: str = "solo") -> Config:
    more = (
        [] if any("rollout_format" in each for each in sets) else ["sampling.rollout_format=auto"]
    )
    return config.load(profile, env={}, sets=[*more, *sets]).config


def reckoned(
    *sets: str,
    model: str = HALF_B,
    machine: Machine = MACHINE,
    usual: int = 0,
    profile: str = "solo",
    free: int = 64,
) -> pace.Pace:
    chosen = settings(*sets, profile=profile)
    shape = SHAPES[model]
    found = pace.of_plan(plan(shape, chosen, free * GIB), shape, chosen, machine, usual)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("game.groups=32", ("sample_s", "update_s")),
        ("game.generations=16", ("sample_s", "update_s")),
        ("sampling.max_new_tokens=64", ("sample_s", "update_s")),
        ("training.iterations=2", ("update_s",)),
        ("training.gradient_checkpointing=on", ("update_s",)),
        ("sampling.rollout_format=exact", ("sample_s",)),
        ("training.products=float32", ("update_s",)),
        ("model.threads=1", ("sample_s", "update_s")),
    ],
)
def test_more_work_lasts_longer(more: str, what: tuple[str, ...]) -> None:
    less, most = reckoned(), reckoned(more)
    for name in ("sample_s", "update_s"):
        longer = getattr(most, name) > 1.1 * getattr(less, name)
        assert longer == (name in what), name


@pytest.mark.parametrize(
    ("slower", "what"),
    [
        ({"update": {"float32": 1.3e-10, "bfloat16": 3.4e-11}}, ("update_s",)),
        ({"sample": {"exact": (4e-9, 2.4e-8)}}, ("sample_s",)),
        ({"fresh": 4e-9}, ("update_s", "sample_s")),
        ({"draw": 4.7e-8}, ("sample_s",)),
        ({"operation": 2.6e-4}, ("sample_s", "update_s")),
        ({"move": 8e-10}, ("sample_s", "update_s")),
    ],
)
def test_every_figure_of_the_machine_counts(slower: dict[str, Any], what: tuple[str, ...]) -> None:
    before, after = reckoned(), reckoned(machine=replace(MACHINE, **slower))
    for name in ("sample_s", "update_s"):
        assert (getattr(after, name) > 1.02 * getattr(before, name)) == (name in what), name


def test_models_are_slower_the_larger_they_are() -> None:
    names = ["waggle-tiny", "HuggingFaceTB/SmolLM2-135M-Instruct", HALF_B, "Qwen/Qwen3-1.7B"]
    lasts = [reckoned(model=name).seconds for name in names]
    assert lasts == sorted(lasts)
    assert lasts[0] < 2 < 60 < lasts[-1]


def test_short_answers_make_short_rounds() -> None:
    assert reckoned(usual=8).seconds < 0.6 * reckoned().seconds
    assert reckoned(usual=10_000) == reckoned()  # no answer is longer than is allowed


def test_a_format_that_hardly_pays_is_not_taken() -> None:
    """As the sampler decides, and where a copy has no room there is no choice."""
    exact = replace(MACHINE, sample={"exact": MACHINE.sample["exact"]})
    little = replace(MACHINE, sample={**exact.sample, "int8": (3.6e-10, 2.2e-9)})
    assert reckoned(machine=little).sample_s == reckoned(machine=exact).sample_s
    assert reckoned().sample_s < reckoned(machine=exact).sample_s


def test_three_nodes_share_the_cores() -> None:
    one = reckoned("game.groups=8", model="waggle-tiny", usual=12)
    three = reckoned(model="waggle-tiny", usual=12, profile="trio")
    assert three.seconds > 1.3 * one.seconds


def test_an_adapter_is_quicker_to_update() -> None:
    assert reckoned("training.recipe=lora").update_s < reckoned().update_s


def test_what_is_not_known_or_does_not_fit_has_no_pace() -> None:
    chosen, shape = settings(), SHAPES[HALF_B]
    assert pace.of_plan(plan(None, chosen, GIB), None, chosen, MACHINE) is None
    assert pace.of_plan(plan(shape, chosen, GIB), shape, chosen, MACHINE) is None


def test_an_unusual_shape_gives_a_figure_all_the_same() -> None:
    shape = Shape(vocab=1, hidden=1, layers=1, intermediate=1, heads=1, kv_heads=1, head_dim=1)
    chosen = settings("game.groups=1", "game.generations=2", "sampling.max_new_tokens=1")
    found = pace.of_plan(plan(shape, chosen, 64 * GIB), shape, chosen, MACHINE)
    assert found is not None
    assert 0 < found.seconds < 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.4 s"),
        (1.96, "2.0 s"),
        (2.4, "2 s"),
        (12.2, "12 s"),
        (89, "89 s"),
        (91, "2 min"),
        (1200, "20 min"),
        (5460, "1.5 h"),
        (100_000, "27.8 h"),
    ],
)
def test_told(seconds: float, text: str) -> None:
    assert told(seconds) == text


# --- the child --------------------------------------------------------------------------------

FIGURES: dict[str, Any] = {
    "threads": 2,
    "few": 8,
    "many": 128,
    "sample": {"exact": [4e-10, 2.4e-9]},
    "update": {"float32": 1.3e-11, "bfloat16": 3.4e-12},
    "move": 8e-12,
    "fresh": 4e-10,
    "draw": 4.7e-10,
    "alone": 1.9e-11,
    "operation": 2.6e-6,
}


def test_figures_are_read() -> None:
    assert Machine.from_dict(FIGURES).sample["exact"] == (4e-10, 2.4e-9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threads": 0},
        {"threads": "many"},
        {"many": 8},
        {"sample": {}},
        {"sample": {"exact": [1e-9]}},
        {"sample": {"exact": [1e-9, float("nan")]}},
        {"update": {"float32": 1e-11}},
        {"move": 0},
        {"draw": -1.0},
        {"fresh": float("inf")},
        {"operation": None},
    ],
)
def test_figures_that_no_machine_has_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Machine.from_dict({**FIGURES, **wrong})
    with pytest.raises(ValueError, match=r"."):
        Machine.from_dict([wrong])


def test_a_measurement_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(TransientError, match="took too long"):
        measuring.measure(deadline_s=0.0)


def test_another_device_than_the_cpu_is_not_measured() -> None:
    with pytest.raises(WaggleError, match="not measured on cuda"):
        measuring.Measurement(MACHINE).machine("cuda")
