from __future__ import annotations

import json
import sys

import pytest
import torch

from core.errors import WaggleError
from core.schema import TrainingSection
from core.training.lora import (
    adapter_off,
    adapter_tensors,
    adapter_weights,
    add_adapter,
    load_adapter,
    merged_state_dict,
    write_adapter,
)
from core.training.optimizer import Optimizer
from tests.training.conftest import make_model

KINDS = ("qwen2", "qwen3")
LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
IDS = torch.arange(40).view(2, 20) * 7 % 120


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny tensors: a second thread would only be waited for."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_adapted(kind: str = "qwen3", dtype: torch.dtype = torch.float32, **training):
    model = make_model(kind, 120, 2).to(dtype).eval()
    add_adapter(model, TrainingSection(**{"lora_rank": 4, "lora_alpha": 8.0, **training}))
    return model


def train(model, steps: int = 8) -> None:
    """Real steps of AdamW, large enough that adapters matter."""
    section = TrainingSection(warmup_steps=0, max_grad_norm=0.0)
    optimizer = Optimizer(adapter_weights(model), section, kind="adamw", peak=0.02)
    for step in range(steps):
        model(input_ids=IDS, labels=IDS).loss.backward()
        assert optimizer.step(step).taken


@torch.no_grad()
def logits(model) -> torch.Tensor:
    return model(input_ids=IDS).logits


def trained_adapter(kind: str, dtype: torch.dtype = torch.float32):
    model = make_adapted(kind, dtype)
    before = logits(model)
    train(model)
    assert (logits(model) - before).abs().max() > 0.5
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_adapts_every_linear_layer_of_the_decoder_and_nothing_else(kind):
    model = make_adapted(kind)
    names = {name.rsplit(".lora_", 1)[0] for name in adapter_weights(model)}
    assert {name.rsplit(".")[-1] for name in names} == LINEAR
    assert len(names) == len(LINEAR) * 2  # layers
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert {id(p) for p in trainable} == {id(p) for p in adapter_weights(model).values()}
    assert type(model).__name__ == type(make_model(kind, 120, 2)).__name__
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("kind", KINDS)
def test_begins_as_the_base(kind):
    assert torch.equal(logits(make_adapted(kind)), logits(make_model(kind, 120, 2).eval()))


def test_the_start_depends_on_the_seed_alone():
    torch.manual_seed(1)
    first = adapter_tensors(make_adapted(seed=7))
    torch.manual_seed(2)
    torch.rand(3)
    state = torch.get_rng_state()
    model = make_model("qwen3", 120, 2)
    torch.set_rng_state(state)
    add_adapter(model, TrainingSection(lora_rank=4, lora_alpha=8.0, seed=7))
    assert torch.equal(state, torch.get_rng_state())
    second, other = adapter_tensors(model), adapter_tensors(make_adapted(seed=8))
    assert all(torch.equal(first[n], second[n]) for n in first)
    assert not any(torch.equal(first[n], other[n]) for n in first if "lora_A" in n)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("with_embeddings", [False, True])
def test_gradients_reach_the_adapters_only(checkpointing, with_embeddings):
    """With gradient checkpointing too, and for `inputs_embeds` that require no gradient."""
    plain, model = make_adapted(), make_adapted()
    plain(input_ids=IDS, labels=IDS).loss.backward()
    expected = {n: p.grad.clone() for n, p in adapter_weights(plain).items()}
    model.train()
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if with_embeddings:
        embedded = model.get_input_embeddings()(IDS).detach()
        model(inputs_embeds=embedded, labels=IDS).loss.backward()
    else:
        model(input_ids=IDS, labels=IDS).loss.backward()
    adapters = adapter_weights(model)
    for name, weight in adapters.items():
        torch.testing.assert_close(weight.grad, expected[name], rtol=1e-5, atol=1e-7)
    assert any(weight.grad.abs().max() > 0 for weight in adapters.values())
    ours = {id(p) for p in adapters.values()}
    assert all(p.grad is None for p in model.parameters() if id(p) not in ours)


@pytest.mark.parametrize("kind", KINDS)
def test_off_is_the_base_and_on_again_is_the_policy(kind):
    model = trained_adapter(kind)
    policy = logits(model)
    with adapter_off(model):
        assert torch.equal(logits(model), logits(make_model(kind, 120, 2).eval()))
    assert torch.equal(logits(model), policy)
    with pytest.raises(RuntimeError, match="half way"), adapter_off(model):
        raise RuntimeError("half way")
    assert torch.equal(logits(model), policy)
    assert all(p.requires_grad for p in adapter_weights(model).values())


def test_a_reference_pass_between_forward_and_backward_changes_no_gradient():
    plain, model = make_adapted(), make_adapted()
    plain(input_ids=IDS, labels=IDS).loss.backward()
    loss = model(input_ids=IDS, labels=IDS).loss
    with adapter_off(model), torch.no_grad():
        model(input_ids=IDS)
    loss.backward()
    for name, weight in adapter_weights(model).items():
        assert torch.equal(weight.grad, adapter_weights(plain)[name].grad)


def test_tensors_come_back_exactly():
    model, other = trained_adapter("qwen3"), make_adapted(seed=9)
    load_adapter(other, adapter_tensors(model))
    assert torch.equal(logits(model), logits(other))
    taken = adapter_tensors(other)
    assert all(torch.equal(value, taken[n]) for n, value in adapter_tensors(model).items())


@pytest.mark.parametrize("damage", ["rank", "missing"])
def test_what_does_not_fit_is_refused_and_changes_nothing(damage):
    model = make_adapted(seed=1)
    before = {n: t.clone() for n, t in adapter_tensors(model).items()}
    foreign = adapter_tensors(make_adapted(seed=2, lora_rank=8 if damage == "rank" else 4))
    if damage == "missing":
        foreign.popitem()
    with pytest.raises(ValueError, match="another model or another rank"):
        load_adapter(model, foreign)
    assert all(torch.equal(before[n], t) for n, t in adapter_tensors(model).items())


@pytest.mark.parametrize("kind", KINDS)
def test_peft_loads_what_was_written(kind, tmp_path):
    from peft import PeftModel

    model = trained_adapter(kind)
    write_adapter(tmp_path, model, "someone/some-model")
    assert {p.name for p in tmp_path.iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
    }
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "someone/some-model"
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (4, 8, 0.0)
    assert set(config["target_modules"]) == LINEAR
    theirs = PeftModel.from_pretrained(make_model(kind, 120, 2).eval(), str(tmp_path))
    torch.testing.assert_close(logits(theirs), logits(model), rtol=0, atol=1e-6)
    assert model.peft_config["default"].base_model_name_or_path != "someone/some-model"


@pytest.mark.parametrize("kind", KINDS)
def test_the_exported_model_computes_what_the_adapted_one_does(kind, tmp_path):
    from transformers import AutoModelForCausalLM

    model = trained_adapter(kind)
    policy, own = logits(model), {n: t.clone() for n, t in model.state_dict().items()}
    merged = merged_state_dict(model)
    assert merged.keys() == make_model(kind, 120, 2).state_dict().keys()
    assert merged["model.norm.weight"].data_ptr() == model.model.norm.weight.data_ptr()
    model.save_pretrained(tmp_path, state_dict=merged)
    exported = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(logits(exported), policy, rtol=0, atol=1e-4)
    assert torch.equal(logits(model), policy)
    assert all(torch.equal(own[n], t) for n, t in model.state_dict().items())


def test_adapters_of_a_bfloat16_base_are_float32_and_train(tmp_path):
    from transformers import AutoModelForCausalLM

    model = trained_adapter("qwen3", torch.bfloat16)
    assert {p.dtype for p in adapter_weights(model).values()} == {torch.float32}
    merged = merged_state_dict(model)
    assert {t.dtype for t in merged.values()} == {torch.bfloat16}
    model.save_pretrained(tmp_path, state_dict=merged)
    exported = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert exported.dtype == torch.bfloat16
    policy = logits(model).float()
    assert (logits(exported).float() - policy).abs().mean() < 0.02 * policy.abs().mean()


def test_a_model_without_linear_layers_is_refused_in_words():
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2))
    with pytest.raises(WaggleError, match="No LoRA adapter can be put on this GPT2LMHeadModel"):
        add_adapter(model, TrainingSection())


def test_peft_is_quiet_and_brings_no_other_backend(tmp_path, capfd):
    write_adapter(tmp_path, make_adapted(), "someone/some-model")
    assert capfd.readouterr() == ("", "")
    assert not {"bitsandbytes", "torchao", "deepspeed"} & set(sys.modules)
