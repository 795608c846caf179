"""The list of models, and what is read from files on this machine."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from core import catalogue, config
from core.errors import WaggleError

SHAPE = {
    "model_type": "other",
    "vocab_size": 10,
    "hidden_size": 4,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def write_weights(folder: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 48)


def test_every_entry_is_read_in_order() -> None:
    found = catalogue.entries()
    assert found[0].id == "waggle-tiny"
    assert all(entry.parameters > 0 for entry in found)
    assert [entry.id for entry in found if entry.gated] == ["meta-llama/Llama-3.2-1B-Instruct"]


def test_a_local_folder_speaks_for_itself(tmp_path: Path) -> None:
    assert catalogue.shape_of(str(tmp_path)) is None
    (tmp_path / "config.json").write_text(json.dumps(SHAPE))
    write_weights(tmp_path)
    shape = catalogue.shape_of(str(tmp_path))
    assert shape is not None
    assert (shape.parameters, shape.kv_heads, shape.head_dim) == (12, 2, 2)


@pytest.mark.parametrize(
    "name", ["no/such-model", "nowhere", "../..", "a/b/c", "", "x" * 500, "~nobody-at-all", "a\0b"]
)
def test_what_is_not_here_is_unknown(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert catalogue.shape_of(name) is None


def test_a_hostile_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SHAPE | {"hidden_size": 2**60}))
    with pytest.raises(WaggleError, match="hidden_size"):
        catalogue.shape_of(str(tmp_path))


@pytest.mark.parametrize("data", [b"", b"\xff" * 64, struct.pack("<Q", 2) + b"[]"])
def test_a_damaged_header_has_no_size(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(data)
    assert catalogue.parameters_of(tmp_path) == 0


def test_a_profiles_values_stay_with_the_profiles_model() -> None:
    effective = config.load("solo", env={})
    assert catalogue.for_model(effective, "waggle-tiny").sampling.max_new_tokens == 32
    assert catalogue.for_model(effective, "Qwen/Qwen3-0.6B").sampling.max_new_tokens == 256
    other = catalogue.for_model(effective, "Qwen/Qwen3-0.6B").training
    assert (other.learning_rate, other.schedule) == (1e-6, "constant")
    assert other.iterations == effective.config.training.iterations
    mine = config.load("solo", env={}, sets=["sampling.max_new_tokens=40"])
    assert catalogue.for_model(mine, "Qwen/Qwen3-0.6B").sampling.max_new_tokens == 40


def test_a_downloaded_model_speaks_for_itself(tmp_path: Path, monkeypatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--me--mine"
    folder = place / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("a" * 40)
    (folder / "config.json").write_text(json.dumps(SHAPE))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    shape = catalogue.shape_of("me/mine")
    assert shape is not None
    assert shape.hidden == 4
