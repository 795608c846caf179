"""Shapes: exact against real models, and hostile files refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import catalogue, yamlfile
from core.errors import WaggleError
from core.shape import Shape, count, from_config, from_entry, read_config

GOOD = {
    "model_type": "qwen2",
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}


def test_every_entry_has_as_many_weights_as_it_says() -> None:
    for name, section in yamlfile.read(catalogue.CATALOGUE).items():
        values = {key: value.value for key, value in section.keys.items()}
        if name != catalogue.POOLS and "parameters" in values:
            assert count(from_entry(values, name)) == values["parameters"], name


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [True, False])
def test_count_is_exact_for_real_models(kind: str, tied: bool) -> None:
    from transformers import Qwen2ForCausalLM, Qwen3ForCausalLM

    from tests.training.conftest import make_model

    config = make_model(kind, 300, 2).config
    config.tie_word_embeddings = tied
    model = {"qwen2": Qwen2ForCausalLM, "qwen3": Qwen3ForCausalLM}[kind](config)
    shape = from_config(config.to_dict(), "here")
    assert shape.tied is tied
    assert shape.parameters == sum(p.numel() for p in model.parameters())


def test_an_adapter_is_as_large_as_peft_makes_it() -> None:
    from peft import LoraConfig, get_peft_model

    from tests.training.conftest import make_model

    model = make_model("qwen3", 300, 2)
    shape = from_config(model.config.to_dict(), "here")
    lora = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    trained = sum(p.numel() for p in lora.parameters() if p.requires_grad)
    assert shape.adapter(4) == trained


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_size": 10**9},
        {"num_hidden_layers": -1},
        {"num_hidden_layers": True},
        {"num_hidden_layers": 2.5},
        {"vocab_size": "300"},
        {"num_attention_heads": 0},
        {"num_key_value_heads": 3},
        {"intermediate_size": None},
        {"head_dim": [1]},
    ],
)
def test_hostile_values_are_refused(change: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GOOD | change))
    with pytest.raises(WaggleError):
        read_config(tmp_path / "config.json")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b" " * (2**20 + 1), b'{"a": 1e999}']
)
def test_no_config_is_a_sentence(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(WaggleError):
        read_config(tmp_path / "config.json")


@given(st.dictionaries(st.sampled_from([*GOOD, "head_dim"]), st.integers() | st.text() | st.none()))
def test_any_values_give_a_bounded_shape_or_a_sentence(change: dict[str, object]) -> None:
    try:
        shape = from_config(GOOD | change, "here")
    except WaggleError:
        return
    assert isinstance(shape, Shape)
    assert 0 < shape.parameters < 2**63


def test_counted_weights_matter_for_an_unknown_architecture_only() -> None:
    assert from_config(GOOD, "here", stated=5).parameters == count(from_config(GOOD, "here"))
    assert from_config(GOOD | {"model_type": "other"}, "here", stated=5).parameters == 5
