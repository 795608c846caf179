from __future__ import annotations

import json
import shutil

import pytest
import torch

from core.errors import WaggleError
from core.schema import ModelSection
from core.training.models import built_in_models, choose_threads, load_model, resolve
from tests.training.conftest import make_tokenizer


def load(folder, **more):
    return load_model(ModelSection(id=str(folder), threads=1, **more))


@pytest.fixture
def copy(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "model")


def test_a_local_folder_loads_in_float32_and_eval_mode(model_folder):
    loaded = load(model_folder)
    assert loaded.dtype is torch.float32
    assert loaded.device.type in ("cpu", "cuda", "mps")
    assert not loaded.model.training
    assert loaded.parameters == sum(p.numel() for p in loaded.model.parameters())
    assert loaded.eos_ids == (loaded.tokenizer.eos_token_id,)
    assert loaded.pad_id == loaded.tokenizer.pad_token_id


def test_every_end_token_of_the_generation_config_counts(copy):
    path = copy / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [7, 2]}))
    loaded = load(copy)
    assert loaded.eos_ids == (2, 7)
    assert loaded.eos_id == 2


def test_a_missing_pad_token_falls_back_to_eos(model_folders, tmp_path):
    # Not with Qwen2: transformers' tokenizer class of that name brings a pad token of its own.
    folder = shutil.copytree(model_folders["qwen3"], tmp_path / "model")
    make_tokenizer(pad=False).save_pretrained(folder)
    loaded = load(folder)
    assert loaded.pad_id == loaded.eos_id


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(WaggleError, match=r"There is no model folder .*nothing"):
        load(tmp_path / "nothing")


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(WaggleError, match=r"no config\.json"):
        load(tmp_path)


def test_an_id_that_is_none():
    with pytest.raises(WaggleError, match="no model id"):
        resolve("not a model!")
    with pytest.raises(WaggleError, match="No model is named"):
        resolve(" ")


def test_an_unreachable_hub_id(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WaggleError, match="cannot be fetched"):
        load("waggle-tests/no-such-model")


def test_no_chat_template(copy):
    make_tokenizer(chat_template=None).save_pretrained(copy)
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    with pytest.raises(WaggleError, match="no chat template"):
        load(copy)


@pytest.mark.parametrize("damage", ["cut", "header"])
def test_damaged_weights(copy, damage):
    path = copy / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"\xff" * 64 + data[64:])
    with pytest.raises(WaggleError, match=r"weights of .* are damaged"):
        load(copy)


def test_weights_that_are_only_pickled_are_refused(copy):
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(WaggleError, match="cannot be read"):
        load(copy)


def test_an_unknown_architecture(copy):
    path = copy / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "nonesuch"}))
    with pytest.raises(WaggleError, match="cannot be read"):
        load(copy)


def test_code_in_a_model_folder_never_runs(copy):
    trap = copy / "ran"
    (copy / "evil.py").write_text(f"open({str(trap)!r}, 'w')\n")
    path = copy / "config.json"
    config = {**json.loads(path.read_text()), "model_type": "evil"}
    config["auto_map"] = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}
    path.write_text(json.dumps(config))
    with pytest.raises(WaggleError):
        load(copy)
    assert not trap.exists()


def test_a_tokenizer_larger_than_the_model(copy):
    tokenizer = make_tokenizer()
    tokenizer.add_tokens([f"more{i}" for i in range(50)])
    tokenizer.save_pretrained(copy)
    with pytest.raises(WaggleError, match="does not fit its weights"):
        load(copy)


def test_a_device_that_is_not_there(model_folder):
    if torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    with pytest.raises(WaggleError, match="device 'mps'"):
        load(model_folder, device="mps")


def test_threads():
    assert choose_threads(3) == 3
    assert choose_threads(0) >= 1


def test_built_in_names_resolve_to_folders():
    for name in built_in_models():
        assert resolve(name).endswith(name)
