"""Pools: the 40 GiB rule, a draw that lasts, and what a damaged memory of it does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core import catalogue, config, free_memory, pools
from core.config import Effective
from core.home import Home

GIB = 2**30


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU and with 64 GiB."""
    monkeypatch.setattr(free_memory, "gpu", lambda: None)
    monkeypatch.setattr(free_memory, "free_ram", lambda: 64 * GIB)


def chosen(*sets: str, home: Home | None = None) -> Effective:
    return config.load("solo", home, env={}, sets=list(sets))


def test_every_member_has_a_shape() -> None:
    for pool in pools.pools().values():
        for member in (*pool.large, *pool.small):
            assert catalogue.shape_of(member) is not None, member


def test_forty_gibibytes_make_the_difference() -> None:
    pool = pools.pools()["pool"]
    assert pool.members(40 * GIB) == pool.large
    assert pool.members(40 * GIB - 1) == pool.small == pool.members(0)
    assert "nvidia/AceInstruct-1.5B" in pool.large


def test_what_was_drawn_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    drawn = {pools.settle(chosen("model.id=pool"), home).config.model.id for _ in range(20)}
    assert len(drawn) == 1
    assert drawn <= set(pools.pools()["pool"].small)
    assert (tmp_path / pools.FILE).stat().st_mode & 0o777 == 0o600


def test_every_member_can_be_drawn(tmp_path: Path) -> None:
    draw = random.Random(1)
    seen = {
        pools.settle(chosen("model.id=pool"), Home(tmp_path), draw, keep=False).config.model.id
        for _ in range(50)
    }
    assert seen == set(pools.pools()["pool"].small)
    assert not (tmp_path / pools.FILE).exists()


def test_another_pool_draws_anew(tmp_path: Path) -> None:
    home = Home(tmp_path)
    pools.settle(chosen("model.id=pool"), home)
    coder = pools.settle(chosen("model.id=code-pool"), home)
    assert coder.config.model.id in pools.pools()["code-pool"].small
    assert str(coder.origins["model.id"]) == "flag drawn from code-pool"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pool": "pool", "model": "evil/model"}'])
def test_a_damaged_memory_draws_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / pools.FILE).write_text(text)
    settled = pools.settle(chosen("model.id=pool"), Home(tmp_path))
    assert settled.config.model.id in pools.pools()["pool"].small


def test_only_what_fits_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free_ram", lambda: 4 * GIB)
    pool = pools.pools()["small-pool"]
    found = pools.candidates(pool, chosen("model.id=small-pool"))
    assert "HuggingFaceTB/SmolLM2-135M-Instruct" in found
    assert len(found) <= len(pool.small)
    monkeypatch.setattr(free_memory, "free_ram", lambda: 2**20)
    assert pools.candidates(pool, chosen("model.id=small-pool")) == pool.small


def test_a_model_is_left_alone(tmp_path: Path) -> None:
    effective = chosen()
    assert pools.settle(effective, Home(tmp_path)) is effective
    assert not (tmp_path / pools.FILE).exists()


def test_a_drawn_model_does_not_inherit_the_tiny_ones_settings(tmp_path: Path) -> None:
    settled = pools.settle(chosen("model.id=pool"), Home(tmp_path)).config
    assert settled.sampling.max_new_tokens == 256
    assert settled.training.learning_rate == 1e-6
    mine = pools.settle(chosen("model.id=pool", "sampling.max_new_tokens=99"), Home(tmp_path))
    assert mine.config.sampling.max_new_tokens == 99
