from __future__ import annotations

import pytest
import torch
from torch import nn

from core.schema import Config, ModelSection
from core.training.gradient import Pass, accumulate
from core.training.grpo import Normaliser
from core.training.halves import half_products, speedup
from core.training.models import load_model
from core.training.rows import Rows
from tests.training.test_logprobs import PROMPTS, made_rows


def test_products_are_rounded_and_everything_else_is_float32():
    generator = torch.Generator().manual_seed(1)
    layer = nn.Linear(48, 32)
    x = torch.randn(3, 5, 48, generator=generator, requires_grad=True)
    exact = layer(x)
    exact.square().sum().backward()
    expected = [x.grad, layer.weight.grad, layer.bias.grad]
    x.grad = None
    layer.zero_grad()
    with half_products(layer):
        rounded = layer(x)
        rounded.square().sum().backward()
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, atol=0.03, rtol=0.02)
    for got, want in zip([x.grad, layer.weight.grad, layer.bias.grad], expected, strict=True):
        assert got.dtype == torch.float32
        assert torch.cosine_similarity(got.flatten(), want.flatten(), dim=0) > 0.9999
    assert torch.equal(layer(x), exact)  # nothing is left behind


@pytest.mark.parametrize("frozen", [False, True])
def test_the_gradient_of_an_update_points_the_same_way(model_folder, frozen):
    loaded = load_model(ModelSection(id=str(model_folder), threads=1))
    model = loaded.model.train()
    if frozen:
        model.get_input_embeddings().weight.requires_grad_(False)
    rows = made_rows()
    data = Rows(tuple(rows), tuple(map(tuple, PROMPTS)), Normaliser(5, 16, 8))
    flat = []
    for half in (False, True):
        model.zero_grad()
        accumulate(loaded, Config(), data, rows, Pass(4096, True, {}, half=half))
        parts = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        flat.append(torch.cat(parts))
    assert not torch.equal(*flat)
    assert torch.cosine_similarity(*flat, dim=0) > 0.999


def test_small_models_are_not_worth_it(model_folder):
    assert speedup(load_model(ModelSection(id=str(model_folder), threads=1)).model) == 0.0


def test_the_ratio_is_measured_on_a_large_layer():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Linear(1024, 1024)
            self.head = nn.Linear(16, 600_000)

    assert 0.01 < speedup(Model()) < 100
