"""The memory plan's arithmetic against what the engine's own forward pass keeps."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core import footprint
from core.footprint import Recipe, Work
from core.home import REPO_ROOT
from core.schema import TrainingSection
from core.shape import from_config
from core.training import lora
from core.training.halves import half_products
from core.training.layout import PackedLayout, Span, attention
from core.training.recompute import recompute_activations
from core.training.rollout_weights import RolloutWeights
from tests.training.conftest import make_model

PROMPT, COMPLETIONS, NEW = 24, 4, 12
TOKENS = PROMPT + COMPLETIONS * NEW
WORK = Work(tasks=1, trained=1, generations=COMPLETIONS, prompt=PROMPT, new=NEW, lora_rank=4)


def kept_numbers(model: torch.nn.Module, half: bool) -> float:
    """float32 numbers that autograd keeps of one packed group, without the model's weights."""
    spans = [Span(0, PROMPT, (NEW,) * COMPLETIONS)]
    weights = {w.untyped_storage().data_ptr() for w in model.parameters()}
    kept: dict[int, int] = {}
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with attention(model), half_products(model) if half else nullcontext(), hooks:
        model.get_decoder()(
            input_ids=torch.arange(TOKENS)[None],
            position_ids=torch.arange(TOKENS)[None],
            use_cache=False,
            layout=PackedLayout(spans, torch.device("cpu")),
        )
    return sum(kept.values()) / 4


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
@pytest.mark.parametrize("adapter", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
def test_activations_are_what_autograd_keeps(kind: str, adapter: bool, half: bool) -> None:
    """By the difference of two depths: what stands once for all layers does not count."""
    counts = []
    for layers in (2, 4):
        model = make_model(kind, 300, 2, hidden=64, layers=layers)
        if adapter:
            lora.add_adapter(model, replace(TrainingSection(), lora_rank=4))
        counts.append(kept_numbers(model.train(), half))
    shape = from_config(model.config.to_dict(), "here")
    expected = footprint.saved_per_token(shape, WORK, lora=adapter, half=half)
    assert (counts[1] - counts[0]) / 2 / TOKENS == pytest.approx(expected, rel=0.05)


def test_checkpointing_keeps_one_vector_a_layer() -> None:
    counts = []
    for layers in (2, 4):
        model = make_model("qwen2", 300, 2, hidden=64, layers=layers)
        recompute_activations(model)
        counts.append(kept_numbers(model.train(), half=False))
    assert (counts[1] - counts[0]) / 2 / TOKENS == pytest.approx(64, rel=0.05)


@pytest.mark.parametrize("format", ["int8", "bfloat16"])
def test_the_rollout_copy_has_its_size(format: str) -> None:
    from core.training.quantized import unavailable

    if format in unavailable():
        pytest.skip("this machine has no such kernel")
    model = make_model("qwen2", 300, 2, hidden=64)
    copies = RolloutWeights(model, format)
    copies.refresh()
    shape = from_config(model.config.to_dict(), "here")
    expected = footprint.rollout_copy(shape, replace(WORK, rollout_format=format))
    assert copies.size_bytes == pytest.approx(expected, rel=0.02)


def test_gradients_of_one_pass_come_as_activations_go() -> None:
    shape = from_config(make_model("qwen2", 300, 2).config.to_dict(), "here")
    once = Recipe("full", "adamw", False, WORK.tokens, False, 4)
    twice = replace(WORK, trained=2)
    one = footprint.phases(shape, once, WORK)["update"]["gradients"]
    two = footprint.phases(shape, once, twice)["update"]["gradients"]
    assert one < two == 4 * shape.parameters


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux counts so")
def test_the_estimate_is_within_15_percent() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "benchmarks/memory_plan.py", "--shape", "tiny", "--work", folder]
        command += ["--case", "adamw", "--case", "lora ckpt", "--threads", "1"]
        done = subprocess.run(command, cwd=REPO_ROOT, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1])["worst_error"] < 0.15
