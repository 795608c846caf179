"""Packed weights are lent for sampling and taken back: exactly, once each, whatever happens."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from core.errors import WaggleError
from core.home import REPO_ROOT
from core.schema import TrainingSection
from core.training.lora import adapter_off, adapter_weights, add_adapter
from core.training.quantized import unavailable
from core.training.rollout_weights import RolloutWeights, linears
from tests.training.conftest import make_model

FORMATS = [f for f in ("bfloat16", "int8") if f not in unavailable()]
IDS = torch.arange(24).view(3, 8)


@pytest.fixture(params=["qwen2", "qwen3"])
def model(request):
    return make_model(request.param, 90, 2).eval()


def logits(model, ids=IDS):
    with torch.inference_mode():
        return model(input_ids=ids).logits.float()


def off(got, exact) -> float:
    return float((got - exact).norm() / exact.norm())


def test_exact_weights_with_fused_norms_are_exact(model):
    before = logits(model)
    with RolloutWeights(model, "exact") as weights:
        assert torch.allclose(logits(model), before, rtol=1e-5, atol=1e-6)
        assert any("forward" in m.__dict__ for m in model.modules()), "no norm took part"
    assert weights.packs == 0
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize("format", FORMATS)
def test_the_parameters_stay_what_and_where_they_are(model, format):
    names = {n: (p.data_ptr(), p.requires_grad) for n, p in model.named_parameters()}
    state = {n: t.clone() for n, t in model.state_dict().items()}
    before = logits(model)
    with RolloutWeights(model, format) as weights:
        assert {n: (p.data_ptr(), p.requires_grad) for n, p in model.named_parameters()} == names
        inside = model.state_dict()
        assert inside.keys() == state.keys()
        assert all(torch.equal(inside[n], t) for n, t in state.items())
        assert 0 < off(logits(model), before) < 0.15
        assert weights.size_bytes > 0
    assert torch.equal(logits(model), before)
    assert not any("forward" in m.__dict__ for m in model.modules())


@pytest.mark.parametrize("format", FORMATS)
def test_every_linear_and_the_tied_head_compute_with_copies(model, format):
    assert model.lm_head.weight is model.model.embed_tokens.weight
    layers = list(linears(model))
    assert len(layers) == 2 * 7 + 1
    before = model.model.embed_tokens(IDS)
    x = torch.randn(4, 32)
    with RolloutWeights(model, format) as weights, torch.inference_mode():
        assert weights.packs == len(layers)
        assert torch.equal(model.model.embed_tokens(IDS), before)
        for layer in layers:
            x = torch.randn(4, layer.in_features)
            got, exact = layer(x), nn.functional.linear(x, layer.weight, layer.bias)
            assert got.dtype == torch.float32
            assert 0 < off(got, exact) < 0.05


@pytest.mark.parametrize("format", FORMATS)
def test_an_exception_gives_the_forwards_back(model, format):
    before = logits(model)
    with pytest.raises(ZeroDivisionError), RolloutWeights(model, format):
        raise ZeroDivisionError
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize("format", FORMATS)
def test_a_forward_that_was_there_before_comes_back(model, format):
    layer = model.model.layers[0].mlp.up_proj

    def mine(x):
        return nn.functional.linear(x, layer.weight)

    layer.forward = mine
    with RolloutWeights(model, format):
        assert layer.forward is not mine
    assert layer.forward is mine


@pytest.mark.parametrize("format", FORMATS)
def test_gradients_are_refused_inside_and_unchanged_outside(model, format):
    model(input_ids=IDS).logits.sum().backward()
    grads = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    with RolloutWeights(model, format), pytest.raises(RuntimeError, match="only sample"):
        model(input_ids=IDS)
    model(input_ids=IDS).logits.sum().backward()
    assert all(torch.equal(p.grad, grads[n]) for n, p in model.named_parameters())


@pytest.mark.parametrize("format", FORMATS)
def test_changed_weights_are_packed_again_and_only_those(model, format):
    weights = RolloutWeights(model, format)
    count = weights.refresh()
    assert weights.refresh() == 0
    layer = model.model.layers[1].mlp.down_proj
    torch.optim.SGD([layer.weight], lr=0.1).step()  # no gradient: nothing changes
    assert weights.refresh() == 0
    layer.weight.grad = torch.ones_like(layer.weight)
    torch.optim.SGD([layer.weight], lr=0.1).step()
    assert weights.refresh() == 1
    x = torch.randn(4, layer.in_features)
    with weights, torch.inference_mode():
        assert off(layer(x), x @ layer.weight.T) < 0.05
    model.load_state_dict(model.state_dict())
    assert weights.refresh() == count, "weights were loaded anew"
    assert weights.packs == 2 * count + 1


@pytest.mark.parametrize("format", FORMATS)
def test_every_optimiser_is_noticed(model, format):
    weights = RolloutWeights(model, format)
    count = weights.refresh()
    for make in (
        lambda p: torch.optim.AdamW(p, lr=1e-3, foreach=True),
        lambda p: torch.optim.AdamW(p, lr=1e-3, fused=True),
        lambda p: torch.optim.Adafactor(p, lr=1e-3),
    ):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        make(model.parameters()).step()
        assert weights.refresh() == count


@pytest.mark.parametrize("format", FORMATS)
def test_forgetting_frees_what_training_changes(model, format):
    weights = RolloutWeights(model, format)
    for parameter in model.model.layers[0].parameters():
        parameter.requires_grad_(False)
    count = weights.refresh()
    full = weights.size_bytes
    weights.forget()
    assert 0 < weights.size_bytes < full
    assert weights.refresh() == count - 7
    assert weights.size_bytes == full
    weights.release()
    assert weights.size_bytes == 0


@pytest.mark.parametrize("format", FORMATS)
def test_an_adapter_stays_exact_beside_its_packed_base(model, format):
    add_adapter(model, replace(TrainingSection(), lora_rank=4))
    with torch.no_grad():
        for name, weight in adapter_weights(model).items():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    exact = logits(model)
    base_only = off(logits_without_adapter(model), exact)
    weights = RolloutWeights(model, format)
    with weights:
        packs = weights.packs
        assert packs == 2 * 7 + 1
        layer = model.model.layers[0].mlp.up_proj
        x = torch.randn(3, 32)
        with torch.inference_mode():
            low, high = layer.lora_A["default"], layer.lora_B["default"]
            added = x @ low.weight.T @ high.weight.T * layer.scaling["default"]
            assert torch.allclose(layer(x), layer.base_layer(x) + added, atol=1e-5)
        assert off(logits(model), exact) < min(0.2, base_only)
    for _ in range(3):
        for weight in adapter_weights(model).values():
            weight.grad = torch.ones_like(weight)
        torch.optim.AdamW(list(adapter_weights(model).values()), lr=1e-2).step()
        weights.forget()
        with weights:
            assert weights.packs == packs, "the frozen base was packed twice"
            assert off(logits(model), exact) > 0


def logits_without_adapter(model):
    with adapter_off(model):
        return logits(model)


def test_the_trained_tiny_model_keeps_its_distribution():
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(REPO_ROOT / "configs/models/waggle-tiny").eval()
    ids = torch.arange(5, 165).view(4, 40)
    exact = logits(model, ids).log_softmax(-1)
    for format, bound in (("bfloat16", 0.05), ("int8", 0.1)):
        if format not in FORMATS:
            continue
        with RolloutWeights(model, format):
            got = logits(model, ids).log_softmax(-1)
        divergence = (exact.exp() * (exact - got)).sum(-1)
        assert float(divergence.mean()) < bound**2
        assert float((exact.exp() * (exact - got).abs()).sum(-1).mean()) < bound


def test_it_is_entered_once_at_a_time(model):
    weights = RolloutWeights(model, "exact")
    with weights, pytest.raises(RuntimeError, match="in use"):
        weights.__enter__()
    assert not any("forward" in m.__dict__ for m in model.modules())


def test_unknown_formats_and_other_devices_are_refused(model):
    with pytest.raises(ValueError, match="format"):
        RolloutWeights(model, "int3")
    with torch.device("meta"):
        elsewhere = make_model("qwen2", 90, 2)
    with pytest.raises(WaggleError, match="not on the CPU"):
        RolloutWeights(elsewhere, "int8")
