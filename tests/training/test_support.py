from __future__ import annotations

import pytest
import torch
import transformers

from core.errors import WaggleError
from core.schema import Config, ModelSection, SamplingSection
from core.training.support import check_architecture, check_supported, scoring_gap
from tests.training.conftest import make_model

TINY = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "pad_token_id": None,
}


def made(name: str, **more: object):
    torch.manual_seed(1)
    config = getattr(transformers, f"{name}Config")(**{**TINY, **more})
    return getattr(transformers, f"{name}ForCausalLM")(config).eval()


def settings(tokens: int = 32) -> Config:
    return Config(model=ModelSection(id="a-model"), sampling=SamplingSection(max_new_tokens=tokens))


@pytest.mark.parametrize("name", ["Llama", "Qwen2", "Qwen3", "Mistral", "SmolLM3", "Olmo2"])
def test_the_usual_families_are_supported(name):
    model = made(name)
    check_supported(settings(), model)
    assert scoring_gap(model) < 1e-4


def test_it_leaves_the_model_and_the_random_state_alone():
    model = make_model("qwen3", 300, 2).train()
    before = torch.get_rng_state()
    check_supported(settings(), model)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        ("Gemma2", {}, "final_logit_softcapping"),
        ("Cohere", {}, "logit_scale"),
        ("Granite", {"logits_scaling": 8.0}, "logits_scaling"),
        ("Mamba2", {}, "without attention|cannot be replaced"),
        ("Bloom", {}, "cannot be replaced"),
        ("Qwen3Next", {}, "without attention|does not know"),
        ("T5", {}, "does not continue text"),
        ("Qwen2_5_VL", {}, "does not continue text|more than text"),
    ],
)
def test_others_are_refused_by_their_configuration(name, more, sentence):
    config = getattr(transformers, f"{name}Config")(**more)
    with pytest.raises(WaggleError, match=rf"a-model cannot be trained here.*({sentence})"):
        check_architecture("a-model", config)


def test_granite_without_scaling_is_supported():
    check_supported(settings(), made("Granite", logits_scaling=1.0, attention_multiplier=0.3))


def test_quantised_weights_are_refused():
    config = transformers.Qwen2Config(**TINY, quantization_config={"quant_method": "gptq"})
    with pytest.raises(WaggleError, match="quantised"):
        check_architecture("a-model", config)


def test_a_short_sliding_window_is_refused():
    model = made("Mistral", sliding_window=300)
    check_supported(settings(44), model)
    with pytest.raises(WaggleError, match="looks back 300 tokens") as raised:
        check_supported(settings(45), model)
    assert "max_new_tokens to 44" in raised.value.next_step


def test_a_window_that_is_switched_off_is_none():
    model = made("Qwen2", sliding_window=100, use_sliding_window=False)
    check_supported(settings(200), model)


def test_more_tokens_than_the_model_was_made_for():
    with pytest.raises(WaggleError, match="was made for 512 tokens"):
        check_supported(settings(257), made("Llama"))


def test_a_head_of_its_own_kind():
    model = made("Llama")
    model.lm_head = torch.nn.Sequential(model.lm_head)
    with pytest.raises(WaggleError, match="LM head"):
        check_supported(settings(), model)


def test_attention_sinks():
    model = made("Llama")
    model.model.layers[0].self_attn.sinks = torch.nn.Parameter(torch.zeros(4))
    with pytest.raises(WaggleError, match="attention"):
        check_supported(settings(), model)


def test_scores_that_differ_are_noticed():
    model = made("Llama")
    forward = model.forward

    def scaled(**inputs: object):
        out = forward(**inputs)
        out.logits = out.logits * 1.1
        return out

    model.forward = scaled
    with pytest.raises(WaggleError, match="differ from its own"):
        check_supported(settings(), model)
