"""Fewer operations, the same numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from core.schema import TrainingSection
from core.training.fused import fused_adapters, fused_norms
from core.training.lora import adapter_off, adapter_weights, add_adapter
from tests.training.conftest import make_model


@pytest.fixture(params=["qwen2", "qwen3"])
def model(request):
    return make_model(request.param, 90, 2).eval()


def test_norms_give_the_same_in_one_operation(model):
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.normal_(mean=1.0, std=0.3)
    found = list(fused_norms(model))
    assert len(found) == sum(type(m).__name__.endswith("RMSNorm") for m in model.modules()) >= 5
    for module, forward in found:
        for scale in (1e-4, 1.0, 1e4):
            x = torch.randn(3, 2, module.weight.numel()) * scale
            assert torch.allclose(forward(x), module(x), rtol=2e-6, atol=1e-6)


def test_a_norm_that_computes_otherwise_is_left_alone():
    class OffsetRMSNorm(nn.Module):
        """As Gemma's: the weight is what is added to one."""

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8))
            self.variance_epsilon = 1e-6

        def forward(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + self.weight)

    assert not list(fused_norms(OffsetRMSNorm()))


def test_adapters_give_the_same(model):
    assert not list(fused_adapters(model))
    add_adapter(model, replace(TrainingSection(), lora_rank=4, lora_alpha=6.0))
    with torch.no_grad():
        for weight in adapter_weights(model).values():
            weight.normal_(std=0.3)
    found = list(fused_adapters(model))
    assert len(found) == 2 * 7
    for layer, forward in found:
        x = torch.randn(3, 2, layer.in_features)
        before = x.clone()
        with torch.no_grad():
            assert torch.allclose(forward(x), layer(x), rtol=1e-5, atol=1e-5)
            assert torch.equal(x, before)
            with adapter_off(model):
                assert torch.equal(forward(x), layer.base_layer(x))
    layer, forward = found[0]
    layer.merge()
    assert len(list(fused_adapters(model))) == len(found) - 1


def test_an_adapter_of_another_dtype_is_left_to_peft(model):
    add_adapter(model.bfloat16(), TrainingSection())
    assert not list(fused_adapters(model))
