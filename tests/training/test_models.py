from __future__ import annotations

import json
import shutil

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from core.errors import WaggleError
from core.rollouts import Task, TaskId
from core.schema import ModelSection
from core.training.models import (
    built_in_models,
    choose_dtype,
    choose_threads,
    load_model,
    resolve,
)
from core.training.prompts import prompt_ids
from core.training.tokenizing import PLAIN_TEMPLATE, filler, plain_template
from tests.training.conftest import make_tokenizer


def load(folder, **more):
    return load_model(ModelSection(id=str(folder), threads=1, **more))


@pytest.fixture
def copy(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "model")


def changed(folder, **values):
    """Write `values` into a model's configuration."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


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


def test_a_pad_token_beyond_the_embeddings_is_not_used(model_folders):
    tokenizer = make_tokenizer()
    assert filler(tokenizer, 300, eos_id=2) == tokenizer.pad_token_id != 2
    tokenizer.pad_token_id = 999
    assert filler(tokenizer, 300, eos_id=2) == tokenizer.pad_token_id == 2


def test_an_id_that_is_none():
    with pytest.raises(WaggleError, match="no model id"):
        resolve("not a model!")
    with pytest.raises(WaggleError, match="No model is named"):
        resolve(" ")


def test_without_a_chat_template_it_is_asked_in_plain_text(copy):
    make_tokenizer(chat_template=None).save_pretrained(copy)
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer = load(copy).tokenizer
    ids = prompt_ids(tokenizer, Task(TaskId("d", 1, 0), "What is 1 + 1?", "2", {"system": "Say."}))
    assert tokenizer.decode(ids) == "Say.\n\nQuestion: What is 1 + 1?\nAnswer:"


def test_a_plain_question_begins_as_the_tokenizer_begins_texts(copy):
    tokenizer = make_tokenizer(chat_template=None)
    tokenizer.bos_token = "<|im_start|>"
    assert plain_template(tokenizer) == PLAIN_TEMPLATE
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", tokenizer.bos_token_id)]
    )
    tokenizer.chat_template = plain_template(tokenizer)
    ids = prompt_ids(tokenizer, Task(TaskId("d", 1, 0), "Why?", ""))
    assert tokenizer.decode(ids) == "<|im_start|>Question: Why?\nAnswer:"
    assert ids.count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("damage", ["cut", "header"])
def test_damaged_weights(copy, damage):
    path = copy / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"\xff" * 64 + data[64:])
    with pytest.raises(WaggleError, match=r"weights of .* are damaged"):
        load(copy)


def test_weights_that_lack_a_tensor(copy):
    from safetensors.torch import load_file, save_file

    tensors = load_file(copy / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WaggleError, match=r"1 tensors are missing, among them model\.layers\.1"):
        load(copy)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(copy, name):
    for path in (copy / name, *copy.glob("vocab.*")):
        path.unlink(missing_ok=True)
    with pytest.raises(
        WaggleError, match=rf"(is missing|has no|holds no).*{name}|{name} is missing"
    ):
        load(copy)


def test_a_missing_shard_is_named(copy):
    sharded(copy)
    assert load(copy).parameters > 0
    shards = sorted(copy.glob("model-*.safetensors"))
    assert len(shards) > 2
    shards[1].unlink()
    with pytest.raises(WaggleError, match=rf"{shards[1].name} is missing \(\d of \d files"):
        load(copy)


def test_a_damaged_index(copy):
    sharded(copy)
    (copy / "model.safetensors.index.json").write_text("{")
    with pytest.raises(WaggleError, match=r"index\.json is damaged"):
        load(copy)


def sharded(folder):
    model = load(folder).model
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size=20_000)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pytorch_model.bin", r"pytorch_model\.bin is pickled"),
        ("adapter_config.json", "is a LoRA adapter"),
        ("model-q4.gguf", "GGUF"),
    ],
)
def test_other_kinds_of_weights_are_refused(copy, name, sentence):
    (copy / "model.safetensors").unlink()
    (copy / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(WaggleError, match=sentence):
        load(copy)


def test_dropout_is_switched_off(copy):
    changed(copy, attention_dropout=0.5)
    model = load(copy).model
    assert all(getattr(m, "attention_dropout", 0.0) == 0.0 for m in model.modules())


def test_an_unknown_architecture(copy):
    changed(copy, model_type="nonesuch")
    with pytest.raises(WaggleError, match="cannot be read"):
        load(copy)


def test_code_in_a_model_folder_never_runs(copy):
    trap = copy / "ran"
    (copy / "evil.py").write_text(f"open({str(trap)!r}, 'w')\n")
    changed(
        copy,
        model_type="evil",
        auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"},
    )
    with pytest.raises(WaggleError, match="brings its own Python code"):
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


def test_auto_dtype_is_float32_without_tensor_cores():
    assert choose_dtype("auto", torch.device("cpu")) is torch.float32
    assert choose_dtype("auto", torch.device("mps")) is torch.float32
    assert choose_dtype("bfloat16", torch.device("cpu")) is torch.bfloat16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_auto_dtype_on_a_gpu(model_folder):
    modern = torch.cuda.get_device_capability()[0] >= 8
    loaded = load(model_folder, device="cuda")
    assert loaded.dtype is (torch.bfloat16 if modern else torch.float32)
    assert next(loaded.model.parameters()).device.type == "cuda"


def test_threads():
    assert choose_threads(3) == 3
    assert choose_threads(0) >= 1


def test_built_in_names_resolve_to_folders():
    for name in built_in_models():
        assert resolve(name).endswith(name)
