"""The memory plan: order of preference, binding settings, verdicts and advice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WaggleError
from core.footprint import Recipe, Work, phases
from core.memory import BESIDE, TIGHT, Plan, gib, judge, plan
from core.schema import Config, TrainingSection
from core.shape import Shape

GIB = 2**30
HALF_B = Shape(151936, 896, 24, 4864, 14, 2, 64, tied=True, bias=True)
TINY = Shape(448, 160, 4, 448, 5, 5, 32, head_norm=True)


def config(**training: Any) -> Config:
    return Config(training=replace(TrainingSection(), **training))


def recipes(free_gib: list[float], settings: Config | None = None) -> list[str]:
    found = [plan(HALF_B, settings or config(), int(g * GIB)) for g in free_gib]
    return [f"{p.recipe}" if p.fits else p.verdict for p in found]


def test_more_memory_gives_the_better_recipe() -> None:
    order = [
        "too large",
        "LoRA, AdamW, checkpointing",
        "full, Adafactor, checkpointing",
        "full, 8-bit AdamW, checkpointing",
        "full, AdamW, checkpointing",
        "full, AdamW",
    ]
    seen = recipes([g / 2 for g in range(2, 80)])
    ranks = [order.index(recipe) for recipe in seen if recipe in order]
    assert ranks == sorted(ranks)
    assert set(order) <= set(seen)


@given(st.integers(2**20, 2**37))
def test_what_fits_leaves_a_margin_and_what_is_tight_still_fits(free: int) -> None:
    found = plan(HALF_B, config(), free)
    assert found.needed == found.peak + BESIDE
    assert found.peak == sum(found.parts.values())
    share = found.needed / free
    assert {"fits": share <= TIGHT, "tight": TIGHT < share <= 1, "too large": share > 1}[
        found.verdict
    ]


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"recipe": "lora"}, "LoRA, AdamW"),
        ({"optimizer": "adafactor"}, "full, Adafactor"),
        ({"gradient_checkpointing": "on"}, "full, AdamW, checkpointing"),
        ({"recipe": "full", "optimizer": "adamw8bit"}, "full, 8-bit AdamW"),
        ({"recipe": "lora", "optimizer": "adafactor"}, "LoRA, Adafactor"),
    ],
)
def test_settings_are_binding(training: dict[str, str], expected: str) -> None:
    found = plan(HALF_B, config(**training), 64 * GIB)
    assert (found.verdict, str(found.recipe)) == ("fits", expected)


def test_a_given_micro_batch_is_binding() -> None:
    found = plan(HALF_B, config(micro_batch_tokens=777), 64 * GIB)
    assert found.recipe is not None
    assert found.recipe.micro_batch_tokens == 777


def test_rollout_formats() -> None:
    def copy(fmt: str, device: str = "cpu") -> bool:
        settings = config()
        settings = replace(settings, sampling=replace(settings.sampling, rollout_format=fmt))
        recipe = plan(HALF_B, settings, 64 * GIB, device).recipe
        assert recipe is not None
        return recipe.rollout_copy

    assert [copy(f) for f in ("auto", "exact", "int8", "bfloat16")] == [True, False, True, True]
    assert not copy("auto", "cuda")


def test_a_micro_batch_holds_a_whole_group_where_it_can() -> None:
    roomy = plan(HALF_B, config(), 64 * GIB, prompt_tokens=150, new_tokens=128)
    assert roomy.recipe is not None
    assert roomy.recipe.micro_batch_tokens == 150 + 8 * 128
    narrow = plan(HALF_B, config(), int(3.4 * GIB), tasks=4, prompt_tokens=512, new_tokens=1024)
    assert narrow.recipe is not None
    assert 512 + 1024 <= narrow.recipe.micro_batch_tokens < 512 + 8 * 1024


def test_what_does_not_fit_says_what_would() -> None:
    found = plan(HALF_B, config(recipe="full", optimizer="adamw"), 6 * GIB)
    assert found.verdict == "too large"
    assert "training.recipe=auto" in found.advice
    assert found.then is not None
    assert found.then.fits
    shorter = plan(HALF_B, config(recipe="lora"), int(4.2 * GIB), new_tokens=8192, tasks=1)
    assert "sampling.max_new_tokens" in shorter.changes or shorter.fits
    hopeless = plan(HALF_B, config(), GIB)
    assert "smaller model" in hopeless.advice
    with pytest.raises(WaggleError, match=r"1\.0 GiB are free; the largest part is"):
        hopeless.require("Qwen")
    found.then.require("Qwen")


@given(st.sampled_from([1, 2, 3, 5, 8]), st.integers(16, 2048), st.integers(1, 1024))
def test_applied_advice_fits(free_gib: int, new: int, prompt: int) -> None:
    settings = config(recipe="full", gradient_checkpointing="off")
    found = plan(HALF_B, settings, free_gib * GIB, prompt_tokens=prompt, new_tokens=new)
    if found.then is None:
        return
    given = {k.split(".")[1]: v for k, v in found.changes.items() if k.startswith("training.")}
    again = plan(
        HALF_B,
        config(**{"recipe": "full", "gradient_checkpointing": "off", **given}),
        free_gib * GIB,
        prompt_tokens=prompt,
        new_tokens=int(found.changes.get("sampling.max_new_tokens", new)),
        generations=int(found.changes.get("game.generations", 8)),
    )
    assert again.fits


def test_an_unknown_shape_is_no_verdict() -> None:
    found = plan(None, config(), GIB)
    assert (found.verdict, found.recipe, str(found)) == ("unknown", None, "size not known yet")
    found.require("it")


@given(
    tokens=st.integers(16, 8192),
    rows=st.integers(8, 512),
    checkpointing=st.booleans(),
    copy=st.booleans(),
    trained=st.sampled_from(["full", "lora"]),
    optimizer=st.sampled_from(["adamw", "adamw8bit", "adafactor"]),
)
def test_more_of_anything_never_needs_less(
    tokens: int, rows: int, checkpointing: bool, copy: bool, trained: str, optimizer: str
) -> None:
    work = Work(tasks=64, trained=64, generations=8, prompt=100, new=100)
    small = Recipe(trained, optimizer, checkpointing, tokens, copy, rows)
    large = replace(small, micro_batch_tokens=2 * tokens, sample_rows=2 * rows)
    for shape in (TINY, HALF_B):
        less, more = judge(shape, small, work, GIB), judge(shape, large, work, GIB)
        assert less.peak <= more.peak
        assert all(
            size >= 0 for part in phases(shape, small, work).values() for size in part.values()
        )


def test_half_a_billion_in_eight_gigabytes() -> None:
    """The promises of the engine: LoRA below 5 GB, Adafactor below 8."""
    settings = config(recipe="lora")
    lora = plan(HALF_B, settings, 5 * 10**9, tasks=4, prompt_tokens=150, new_tokens=128)
    assert lora.fits
    full = config(optimizer="adafactor")
    adafactor = plan(HALF_B, full, 8 * 10**9, tasks=4, prompt_tokens=150, new_tokens=128)
    assert adafactor.fits
    assert str(lora).startswith(lora.verdict)
    assert lora.recipe is not None
    assert "LoRA" in lora.short()
    assert gib(3 * GIB // 2) == "1.5"
    assert isinstance(lora, Plan)
