"""The three optimisers against float32 references, on a small real model that learns something."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.schema import TrainingSection
from core.training import adam8bit
from core.training.optimizer import KINDS, Optimizer, state_bytes
from tests.training.conftest import make_model

RATE = 1e-3


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny tensors: a second thread would only be waited for."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_problem(dtype: torch.dtype = torch.float32):
    """A Qwen2 model and sequences in which every token follows from the one before."""
    model = make_model("qwen2", 300, 2, hidden=64).to(dtype)
    rows = [torch.randint(0, 300, (8, 1), generator=torch.Generator().manual_seed(0))]
    for _ in range(20):
        rows.append((rows[-1] * 7 + 3) % 300)
    return model, torch.cat(rows, 1)


def make_optimizer(model, kind: str, **training) -> Optimizer:
    section = TrainingSection(**{"warmup_steps": 0, "max_grad_norm": 0.0, **training})
    return Optimizer(dict(model.named_parameters()), section, kind=kind, peak=RATE)


def backward(model, ids) -> float:
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    return loss.item()


def train(model, ids, optimizer: Optimizer, steps: range) -> list[float]:
    losses = []
    for step in steps:
        losses.append(backward(model, ids))
        assert optimizer.step(step).taken
    return losses


def reference(make: Callable, steps: int):
    model, ids = make_problem()
    optimizer, losses = make(model.parameters()), []
    for _ in range(steps):
        losses.append(backward(model, ids))
        optimizer.step()
        optimizer.zero_grad()
    return model, losses


def flat(model) -> torch.Tensor:
    return torch.cat([p.detach().float().flatten() for p in model.parameters()])


def off_course(model, other) -> float:
    """Distance of two models, as a share of the way that `other` went."""
    start, _ = make_problem()
    return float((flat(model) - flat(other)).norm() / (flat(other) - flat(start)).norm())


def kept(optimizer: Optimizer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in optimizer.tensors().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.01)


def adafactor(parameters):
    from transformers import Adafactor

    return Adafactor(
        parameters,
        lr=RATE,
        weight_decay=0.01,
        scale_parameter=False,
        relative_step=False,
        warmup_init=False,
    )


# --- trajectories -------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "make"), [("adamw", adamw), ("adafactor", adafactor)])
def test_follows_the_reference_implementation(kind, make):
    expected, losses = reference(make, 60)
    model, ids = make_problem()
    ours = train(model, ids, make_optimizer(model, kind, weight_decay=0.01), range(60))
    assert losses[-1] < 0.02 * losses[0]
    assert ours == pytest.approx(losses, abs=1e-4)
    assert off_course(model, expected) < 1e-4


def test_eight_bits_stay_near_float32():
    """Losses within 2 % of AdamW's at every step, weights within 8 % of the way travelled."""
    expected, losses = reference(adamw, 60)
    model, ids = make_problem()
    ours = train(model, ids, make_optimizer(model, "adamw8bit", weight_decay=0.01), range(60))
    assert ours == pytest.approx(losses, rel=0.02)
    assert off_course(model, expected) < 0.08


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_weights_learn_through_their_masters(kind):
    """Steps of 1e-6 are far below the spacing of bfloat16, and add up all the same."""
    model, ids = make_problem(torch.bfloat16)
    section = TrainingSection(warmup_steps=0, max_grad_norm=0.0)
    optimizer = Optimizer(dict(model.named_parameters()), section, kind=kind, peak=1e-6)
    before = flat(model)
    results = []
    for step in range(20):
        backward(model, ids)
        results.append(optimizer.step(step))
    assert results[0].changed_fraction < 0.1
    assert 0 < results[0].update_ratio < 1e-4
    masters = {n: t for n, t in optimizer.tensors().items() if n.startswith("master.")}
    assert all(t.dtype == torch.float32 for t in masters.values())
    for name, weight in model.named_parameters():
        assert torch.equal(weight, masters[f"master.{name}"].bfloat16())
    moved = torch.cat([t.flatten() for t in masters.values()]) - before
    assert moved.abs().mean() > 2e-6


# --- exact resume -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_resumes_bit_for_bit(kind, dtype, tmp_path):
    from safetensors.torch import load_file, save_file

    straight, ids = make_problem(dtype)
    train(straight, ids, whole := make_optimizer(straight, kind), range(10))

    first, _ = make_problem(dtype)
    train(first, ids, saved := make_optimizer(first, kind), range(5))
    save_file(saved.tensors(), tmp_path / "state.safetensors")
    second, _ = make_problem(dtype)
    second.load_state_dict(first.state_dict())
    resumed = make_optimizer(second, kind)
    resumed.restore({**load_file(tmp_path / "state.safetensors"), "rng.torch": torch.ones(1)})
    train(second, ids, resumed, range(5, 10))

    assert torch.equal(flat(straight), flat(second))
    assert same(whole.tensors(), resumed.tensors())


def test_a_restored_optimizer_shares_nothing_with_what_it_was_given():
    model, ids = make_problem()
    train(model, ids, optimizer := make_optimizer(model, "adamw8bit"), range(2))
    tensors = kept(optimizer)
    optimizer.restore(given := kept(optimizer))
    train(model, ids, optimizer, range(2, 4))
    assert same(given, tensors)


def _without_one(tensors):
    del tensors[next(n for n in tensors if not n.startswith(("adam.step", "adamw")))]


def _reshaped(tensors):
    name = next(n for n, t in tensors.items() if t.dim())
    tensors[name] = tensors[name].flatten()[:-1]


def _of_another_weight(tensors):
    tensors["master.somewhere.else"] = torch.zeros(3)


@pytest.mark.parametrize("damage", [_without_one, _reshaped, _of_another_weight])
@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_changes_nothing(kind, damage):
    model, ids = make_problem()
    train(model, ids, optimizer := make_optimizer(model, kind), range(2))
    damage(tensors := kept(optimizer))
    before = kept(optimizer)
    train(model, ids, optimizer, range(2, 3))
    now = kept(optimizer)
    with pytest.raises((KeyError, ValueError)):
        optimizer.restore(tensors)
    assert same(now, optimizer.tensors())
    assert not same(now, before)


@pytest.mark.parametrize(("kind", "other"), [(a, b) for a in KINDS for b in KINDS if a != b])
def test_the_state_of_another_kind_is_refused(kind, other):
    model, ids = make_problem()
    train(model, ids, saved := make_optimizer(model, other), range(1))
    with pytest.raises((KeyError, ValueError)):
        make_optimizer(model, kind).restore(saved.tensors())


# --- one step -----------------------------------------------------------------------------------


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_gradient_leaves_everything_as_it_was(kind, poison):
    model, ids = make_problem()
    train(model, ids, optimizer := make_optimizer(model, kind), range(2))
    weights, state = flat(model), kept(optimizer)
    backward(model, ids)
    next(model.parameters()).grad[3, 5] = poison
    result = optimizer.step(2)
    assert not result.taken
    assert not abs(result.norm) < float("inf")
    assert torch.equal(weights, flat(model))
    assert same(state, optimizer.tensors())
    assert all(p.grad is None for p in model.parameters())


def test_the_norm_is_the_global_one_and_clipping_scales_to_it():
    model, ids = make_problem()
    backward(model, ids)
    gradients = [p.grad.clone() for p in model.parameters()]
    expected = float(torch.nn.utils.get_total_norm(gradients))
    clipped = make_optimizer(model, "adamw", max_grad_norm=expected / 4)
    assert clipped.step(0).norm == pytest.approx(expected, rel=1e-5)
    # Adam's first moment is a tenth of the gradient that it saw.
    for (name, _), gradient in zip(model.named_parameters(), gradients, strict=True):
        seen = clipped.tensors()[f"adam.exp_avg.{name}"]
        torch.testing.assert_close(seen, gradient / 4 / 10, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_says_how_much_it_changed(kind, dtype):
    model, ids = make_problem(dtype)
    optimizer = make_optimizer(model, kind)
    before = flat(model)
    backward(model, ids)
    model.model.norm.weight.grad = None  # a weight without a gradient counts as still
    result = optimizer.step(0)
    change = flat(model) - before
    assert result.changed_fraction == pytest.approx(change.ne(0).float().mean().item(), abs=1e-6)
    rounding = 1e-5 if dtype == torch.float32 else 0.2
    assert result.update_ratio == pytest.approx(float(change.norm() / before.norm()), rel=rounding)


@pytest.mark.parametrize("kind", KINDS)
def test_the_learning_rate_follows_the_schedule(kind):
    model, ids = make_problem()
    optimizer = make_optimizer(model, kind, warmup_steps=3, schedule="linear", schedule_steps=23)
    assert optimizer.learning_rate(0) == pytest.approx(RATE / 4)
    assert optimizer.learning_rate(3) == pytest.approx(RATE)
    assert optimizer.learning_rate(23) == pytest.approx(RATE / 10)
    backward(model, ids)
    slow = optimizer.step(0).update_ratio
    backward(model, ids)
    full = optimizer.step(3).update_ratio
    assert 2 < full / slow < 6


def test_gradients_of_weights_that_were_left_out_are_not_touched():
    model, ids = make_problem()
    part = {n: p for n, p in model.named_parameters() if "layers.1" in n}
    optimizer = Optimizer(part, TrainingSection(warmup_steps=0), kind="adamw", peak=RATE)
    backward(model, ids)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer.step(0)
    for name, weight in model.named_parameters():
        assert (name in part) is (weight.grad is None) is (not torch.equal(weight, before[name]))


def test_a_kind_that_does_not_exist_is_refused():
    model, _ = make_problem()
    with pytest.raises(ValueError, match="no optimiser 'sgd'"):
        make_optimizer(model, "sgd")


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "dtype", "low", "high"),
    [
        ("adamw", torch.float32, 8.0, 8.01),
        ("adamw", torch.bfloat16, 12.0, 12.01),
        ("adafactor", torch.float32, 0.0, 0.02),
        ("adafactor", torch.bfloat16, 4.0, 4.02),
        ("adamw8bit", torch.float32, 2.03, 2.04),
    ],
)
def test_bytes_of_state_per_weight(kind, dtype, low, high):
    shape = (500, 512)
    weights = {"w": torch.nn.Parameter(torch.randn(shape).to(dtype))}
    optimizer = Optimizer(weights, TrainingSection(), kind=kind, peak=RATE)
    weights["w"].grad = torch.randn(shape).to(dtype)
    optimizer.step(0)
    held = sum(t.numel() * t.element_size() for t in optimizer.tensors().values())
    assert low <= held / weights["w"].numel() <= high
    on_paper = {"w": torch.empty(shape, dtype=dtype, device="meta")}
    assert held == state_bytes(on_paper, kind)


def test_small_weights_keep_float32_moments():
    weights = {
        "small": torch.nn.Parameter(torch.randn(adam8bit.SMALLEST - 1)),
        "large": torch.nn.Parameter(torch.randn(adam8bit.SMALLEST)),
    }
    optimizer = Optimizer(weights, TrainingSection(), kind="adamw8bit", peak=RATE)
    for weight in weights.values():
        weight.grad = torch.randn(weight.shape)
    optimizer.step(0)
    assert optimizer.tensors()["adam.exp_avg.small"].dtype == torch.float32
    assert optimizer.tensors()["adam8bit.mean.large"].dtype == torch.int8


# --- the 8-bit codes ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.floats(-1e3, 1e3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-18),
        min_size=1,
        max_size=20,
    )
)
def test_codes_bracket_the_value_and_the_largest_is_exact(values):
    x = torch.tensor([values])
    for dither in (0.0, 0.5, 0.999):
        noise = torch.full_like(x, dither)
        code = torch.empty_like(x, dtype=torch.int8)
        scale = adam8bit.encode_signed(x, noise, code)
        back = adam8bit.decode_signed(code, scale)
        # Neighbouring levels l and l + 1 lie (2 l + 1) / 127^2 apart.
        level = (x.abs() / scale.unsqueeze(1)).nan_to_num(0.0).sqrt() * 127
        apart = (2 * level + 1) / 127**2 * scale.unsqueeze(1)
        assert ((back - x).abs() <= apart * 1.01).all()
        assert (back * x >= 0).all()
        assert back.abs().max().item() == pytest.approx(x.abs().max().item(), rel=1e-5)

        code = torch.empty_like(x, dtype=torch.uint8)
        y = x.abs()
        scale = adam8bit.encode_positive(y, noise, code)
        back = adam8bit.decode_positive(code, scale)
        assert ((back == 0) == (y == 0)).all()
        within = y > 2**-25.3 * scale.unsqueeze(1)
        assert ((back[within] / y[within]).log2().abs() <= 0.101).all()
        # Smaller ones become the least level, whose own rounding reaches as far.
        assert (back[~within] >= y[~within] * 2**-0.101).all()


def test_rounding_has_no_bias():
    """The mean of decoded codes over a uniform dither is the value, for both codes."""
    turns = 4096
    dither = ((torch.arange(turns) + 0.5) / turns).unsqueeze(1)
    x = torch.tensor([1.0, 0.71, 0.3, 0.101, 0.02, 0.0013, -0.4]).repeat(turns, 1)
    code = torch.empty_like(x, dtype=torch.int8)
    back = adam8bit.decode_signed(code, adam8bit.encode_signed(x, dither.expand_as(x), code))
    assert back.mean(0).tolist() == pytest.approx(x[0].tolist(), rel=2e-3)
    x = x.abs()
    code = torch.empty_like(x, dtype=torch.uint8)
    back = adam8bit.decode_positive(code, adam8bit.encode_positive(x, dither.expand_as(x), code))
    assert back.mean(0).tolist() == pytest.approx(x[0].tolist(), rel=2e-4)


def test_the_second_moment_falls_when_gradients_shrink():
    """Rounded to the nearest level it would stay where it was for ever."""
    weight = torch.zeros(8192)
    rule = adam8bit.Adam8bit(0.0)
    state = rule.start(weight)
    noise = torch.Generator().manual_seed(1)
    for _ in range(20):
        rule.plan(torch.randn(8192, generator=noise), state, 0.0)(weight, 0, 8192)

    def second_moment() -> float:
        code, scale = state["square"].view(-1, 256), state["square_scale"]
        return float(adam8bit.decode_positive(code, scale).mean())

    before = second_moment()
    for _ in range(500):
        rule.plan(torch.zeros(8192), state, 0.0)(weight, 0, 8192)
    assert second_moment() / before == pytest.approx(0.999**500, rel=0.05)
