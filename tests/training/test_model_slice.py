"""A slice shares the model's weights and leaves the model whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.schema import TrainingSection
from core.training import model_slice
from core.training.lora import add_adapter
from core.training.model_slice import Clock, ModelSlice
from core.training.rollout_weights import linears
from tests.training.conftest import make_model


@pytest.fixture
def small(monkeypatch):
    """Slices smaller than the smallest model here."""
    monkeypatch.setattr(model_slice, "SLICE_WEIGHTS", 10_000)
    monkeypatch.setattr(model_slice, "HEAD_ROWS", 32)


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
def test_a_slice_is_the_first_layers_on_shared_weights(small, kind):
    model = make_model(kind, 90, 2, layers=5).eval()
    piece = ModelSlice(model)
    assert (piece.layers, piece.all_layers, len(piece.decoder.layers)) == (2, 5, 2)
    assert len(model.model.layers) == 5
    assert piece.decoder.layers[1] is model.model.layers[1]
    assert piece.head.weight.data_ptr() == model.lm_head.weight.data_ptr()
    assert piece.head_rows == 32
    assert 0 < piece.trained_share < 1
    assert len(list(linears(piece))) == 2 * 7 + 1


def test_a_small_model_is_measured_whole():
    model = make_model("qwen3", 90, 2).eval()
    piece = ModelSlice(model)
    assert piece.layers == piece.all_layers == 2
    assert piece.head_share == piece.trained_share == 1.0


def test_with_an_adapter_nothing_packed_is_trained(small):
    model = make_model("qwen3", 90, 2, layers=3).eval()
    add_adapter(model, replace(TrainingSection(), lora_rank=2))
    assert not ModelSlice(model).any_trained


def test_steps_outlast_the_room_of_their_layout(small, monkeypatch):
    monkeypatch.setattr(model_slice, "STEPS", 3)
    clock = Clock(ModelSlice(make_model("qwen3", 90, 2, layers=3).eval()), rows=5)
    assert all(clock.step_ms() > 0 for _ in range(8))
    assert clock.update_ms() > 0
    assert torch.is_grad_enabled()
