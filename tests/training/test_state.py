from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import MixtralConfig, MixtralForCausalLM

from core.errors import StorageError, WaggleError
from core.training import lora, state
from core.training.checkpoint import read_manifest
from core.training.engine import TorchEngine
from core.training.store import CheckpointStore, newest_about
from core.training.tensorfiles import TensorFiles, write_tensors
from tests.training.conftest import make_config, make_model, make_tokenizer, play

ABOUT = {"model": "tiny", "recipe": "full", "optimizer": "adamw"}


def saved(path, model, adapter=False, **facts):
    return state.save(
        path,
        model,
        make_tokenizer(),
        about=ABOUT,
        tensors={"moment": torch.arange(5.0)},
        facts={"step": 3, **facts},
        adapter=adapter,
    )


def test_weights_tensors_and_facts_come_back(tmp_path):
    model = make_model("qwen3", 300, 2)
    choices = {"threads": 3, "format": "int8"}
    saved(tmp_path / "c", model, extra={"round": 7}, choices=choices)
    found = state.load(tmp_path / "c", ABOUT)
    assert found.facts["extra"] == {"round": 7}
    assert found.facts["choices"] == choices
    assert torch.equal(found.tensors["moment"], torch.arange(5.0))
    assert set(found.tensors) == {"moment"}
    other = make_model("qwen3", 300, 2)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(1.0)
    places = {name: weight.data_ptr() for name, weight in other.named_parameters()}
    state.restore_weights(found.folder, other, adapter=False)
    for name, weight in other.named_parameters():
        assert torch.equal(weight, model.state_dict()[name])
        assert weight.data_ptr() == places[name]


def test_weights_of_another_shape_change_nothing(tmp_path):
    saved(tmp_path / "c", make_model("qwen3", 300, 2))
    for other in (make_model("qwen3", 300, 2, hidden=64), make_model("qwen3", 300, 2, layers=3)):
        before = {n: w.clone() for n, w in other.state_dict().items()}
        with pytest.raises(ValueError, match=r"model's|has no"):
            state.restore_weights(tmp_path / "c", other, adapter=False)
        assert all(torch.equal(before[n], w) for n, w in other.state_dict().items())


def test_an_architecture_whose_files_name_weights_otherwise(tmp_path):
    torch.manual_seed(0)
    config = MixtralConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_local_experts=2,
        sliding_window=None,
    )
    model, other = MixtralForCausalLM(config), MixtralForCausalLM(config)
    saved(tmp_path / "c", model)
    names = set(TensorFiles((tmp_path / "c").glob("model*.safetensors")))
    assert not names <= set(model.state_dict())
    state.restore_weights(tmp_path / "c", other, adapter=False)
    assert all(torch.equal(model.state_dict()[n], w) for n, w in other.state_dict().items())


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"model": "large"}, "model tiny; now it is model large. Set model.id=tiny"),
        ({"recipe": "lora"}, "recipe full; now it is recipe lora. Set training.recipe=full"),
        (
            {"recipe": "lora", "optimizer": "adafactor"},
            "recipe full, optimizer adamw; now it is recipe lora, optimizer adafactor."
            " Set training.recipe=full and training.optimizer=adamw",
        ),
    ],
)
def test_a_checkpoint_of_something_else_says_what_to_do(tmp_path, changed, sentence):
    saved(tmp_path / "c", make_model("qwen3", 300, 2))
    with pytest.raises(WaggleError) as raised:
        state.load(tmp_path / "c", ABOUT | changed)
    assert not isinstance(raised.value, StorageError)  # whole: never set aside as damaged
    assert sentence in str(raised.value)
    assert f"or move the folder {tmp_path} away" in str(raised.value)


def test_an_adapter_is_saved_without_its_base(model_folders, tmp_path, game):
    config = make_config(model_folders["qwen3"], recipe="lora", lora_learning_rate=0.05)
    engine = TorchEngine(config)
    store = CheckpointStore(tmp_path, 2)
    play(engine, game, [0, 1])
    path, _ = store.save(engine, 1, {"round": 1})
    files = read_manifest(Path(path)).files
    assert not any(name.startswith("model") for name in files)
    assert {"adapter_model.safetensors", "adapter_config.json"} <= set(files)
    assert newest_about(tmp_path)["recipe"] == "lora"
    assert newest_about(tmp_path)["model"] == config.model.id
    play(engine, game, [2])
    resumed = TorchEngine(config)
    assert store.resume(resumed, lambda error: pytest.fail(str(error))) == {"round": 1}
    play(resumed, game, [2])
    tensors = lora.adapter_tensors(engine.model)
    assert tensors
    for name, value in lora.adapter_tensors(resumed.model).items():
        assert torch.equal(value, tensors[name])
    full = TorchEngine(replace(config, training=replace(config.training, recipe="full")))
    with pytest.raises(WaggleError, match=r"training\.recipe=lora"):
        full.load(path)


def test_nothing_saved_is_about_nothing(tmp_path):
    assert newest_about(tmp_path / "none") == {}


def test_random_states_come_back():
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(2)
    torch.rand(3)
    kept = {name: value.clone() for name, value in state.rng_tensors(generator).items()}
    drawn = torch.rand(4, generator=generator), torch.rand(4)
    torch.rand(9)
    state.restore_rng(kept, generator)
    again = torch.rand(4, generator=generator), torch.rand(4)
    assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))


def test_training_draws_from_nothing_else(config, game):
    """Python's and numpy's global random states are not saved: they must play no part."""
    import numpy as np

    before = random.getstate(), np.random.get_state()[1].tolist()
    play(TorchEngine(config), game, [0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_large_tensors_are_spread_over_files(tmp_path, monkeypatch):
    monkeypatch.setattr("core.training.tensorfiles.SHARD_BYTES", 100)
    tensors = {f"t{i}": torch.arange(10.0) + i for i in range(5)}
    write_tensors(tmp_path, "trainer", tensors)
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == [f"trainer-{n:05d}.safetensors" for n in (1, 2, 3)]
    found = TensorFiles(files)
    assert {n: t.tolist() for n, t in found.items()} == {n: t.tolist() for n, t in tensors.items()}
    assert found.shapes()["t3"] == (10,)
    files[1].unlink()
    with pytest.raises(StorageError, match="trainer-00002"):
        found["t3"]


def test_room_is_asked_for_before_writing(tmp_path, monkeypatch):
    model = make_model("qwen3", 300, 2)
    asked = []
    monkeypatch.setattr(
        "core.training.checkpoint.require_room", lambda path, needed: asked.append(needed)
    )
    size = saved(tmp_path / "c", model)
    assert size <= asked[0] <= size + (33 << 20)
