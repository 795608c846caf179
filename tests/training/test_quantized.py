"""int8 and bfloat16 products: how far they are off, and that a row is nobody else's business."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.training.quantized import (
    INT8_ERROR,
    Bfloat16Linear,
    Int8Kernel,
    Int8Linear,
    int8_error,
    int8_kernel,
    packing_for,
    quantize,
    unavailable,
)

pytestmark = pytest.mark.skipif("int8" in unavailable(), reason=str(unavailable()))


def packed(weight: torch.Tensor) -> Int8Linear:
    kernel = int8_kernel()
    assert isinstance(kernel, Int8Kernel)
    with packing_for(kernel):
        return Int8Linear(weight, kernel)


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 9),
    inputs=st.integers(1, 70),
    outputs=st.integers(1, 40),
    seed=st.integers(0, 1000),
    scale=st.floats(1e-6, 1e6),
)
def test_an_int8_product_is_off_by_its_roundings_at_most(rows, inputs, outputs, seed, scale):
    """Each of both factors is rounded to within half of 1/127 of its row's largest."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, generator=generator)
    x = torch.randn(rows, inputs, generator=generator) * scale
    exact = x.double() @ weight.double().T
    most_x, most_w = x.abs().amax(1), weight.abs().amax(1)
    bound = inputs * most_x[:, None] * most_w[None].double() / 127 * 1.01
    assert bool(((packed(weight)(x) - exact).abs() <= bound).all())


def test_quantising_in_chunks_is_what_torch_does_at_once():
    weight = torch.randn(2500, 7) * torch.rand(2500, 1)
    got = quantize(weight)
    scales = weight.abs().amax(1).double() / 127
    zeros = torch.zeros(2500, dtype=torch.long)
    want = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    assert torch.allclose(got.q_per_channel_scales(), scales)
    assert int((got.int_repr().int() - want.int_repr().int()).abs().max()) <= 1


def test_rows_of_zeros_stay_zeros():
    weight = torch.randn(8, 16)
    weight[3] = 0
    out = packed(weight)(torch.cat((torch.zeros(1, 16), torch.randn(2, 16))))
    assert not out[0].any()
    assert not out[:, 3].any()
    assert bool(torch.isfinite(out).all())


def test_a_row_does_not_depend_on_the_rows_beside_it():
    """Else a completion would change when another one leaves the batch."""
    layer, x = packed(torch.randn(96, 160)), torch.randn(7, 160)
    together = layer(torch.cat((x, torch.full((1, 160), 1e4))))
    for n in range(7):
        assert torch.equal(layer(x[n : n + 1])[0], together[n])


def test_an_outlier_costs_only_its_own_row_precision():
    weight, x = torch.randn(64, 256), torch.randn(16, 256)
    x[0] *= 1000
    error = (packed(weight)(x) - x @ weight.T).norm(dim=1) / (x @ weight.T).norm(dim=1)
    assert float(error.max()) < INT8_ERROR


def test_leading_dimensions_are_kept():
    assert packed(torch.randn(5, 8))(torch.randn(2, 3, 8)).shape == (2, 3, 5)
    assert Bfloat16Linear(torch.randn(5, 8))(torch.randn(2, 3, 8)).shape == (2, 3, 5)


@pytest.mark.parametrize("engine", ["fbgemm", "onednn", "qnnpack"])
@pytest.mark.parametrize("static", [True, False])
def test_every_engine_of_this_torch_computes_the_same(engine, static):
    if engine not in torch.backends.quantized.supported_engines or (static and engine != "fbgemm"):
        pytest.skip(f"torch has no {engine} here")
    chosen = torch.backends.quantized.engine
    assert int8_error(Int8Kernel(engine, static, 63)) < 2 * INT8_ERROR
    weight, x = torch.randn(24, 64), torch.randn(5, 64)
    kernel = Int8Kernel(engine, static, 63)
    with packing_for(kernel):
        layer = Int8Linear(weight, kernel)
    together = layer(torch.cat((x, torch.full((1, 64), 1e4))))
    assert torch.equal(layer(x[2:3])[0], together[2])
    assert torch.backends.quantized.engine == chosen


def test_a_kernel_that_does_not_exist_is_found_out():
    with pytest.raises(RuntimeError):
        int8_error(Int8Kernel("onednn", True, 127))


def test_bfloat16_is_close():
    weight, x = torch.randn(64, 256), torch.randn(16, 256)
    out = Bfloat16Linear(weight)(x)
    assert out.dtype == torch.float32
    assert float((out - x @ weight.T).norm() / (x @ weight.T).norm()) < 0.01
