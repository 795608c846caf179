from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from core.errors import ConfigError
from core.training.grpo import (
    Loss,
    Normaliser,
    advantages,
    check_clip,
    foreign_weight,
    importance_weights,
    policy_loss,
)

TYPES = ("grpo", "dapo", "dr_grpo", "gspo", "cispo")

rewards = st.lists(
    st.lists(st.floats(0, 1, width=32), min_size=2, max_size=8), min_size=1, max_size=5
)


@given(rewards, st.sampled_from(["group", "batch", "none"]))
def test_advantages_sum_to_zero_in_every_group_and_keep_the_order(groups, scale):
    for group, values in zip(groups, advantages(groups, scale), strict=True):
        assert bool(torch.isfinite(values).all())
        assert float(values.sum()) == pytest.approx(0, abs=1e-3)
        for a, x in zip(group, values.tolist(), strict=True):
            for b, y in zip(group, values.tolist(), strict=True):
                assert not (a > b and x < y)


def test_advantages_by_hand():
    assert advantages([[1.0, 0.0]], "none")[0].tolist() == [0.5, -0.5]
    std = math.sqrt(0.5)
    assert advantages([[1.0, 0.0]], "group")[0].tolist() == pytest.approx(
        [0.5 / (std + 1e-4), -0.5 / (std + 1e-4)]
    )
    both = advantages([[1.0, 0.0], [0.0, 0.0]], "batch")
    assert both[0].tolist() == pytest.approx([0.5 / 0.5001, -0.5 / 0.5001])
    assert both[1].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="scale_rewards"):
        advantages([[1.0, 0.0]], "std")


@given(st.floats(0, 1, width=32), st.integers(2, 9))
def test_equal_rewards_are_exactly_without_signal(reward, n):
    assert advantages([[reward] * n], "group")[0].tolist() == [0.0] * n


def test_foreign_weight():
    assert foreign_weight(0.5, -9.0, ()) == 1.0
    assert foreign_weight(-0.5, -1.0, ()) == 0.0
    assert foreign_weight(-0.5, -1.0, (-1.0, -1.0)) == 1.0
    assert foreign_weight(-0.5, -1.0, (-5.0,)) == 1.0
    assert foreign_weight(-0.5, -3.0, (-1.0,)) == pytest.approx(math.exp(-2.0))
    for nonsense in ((float("nan"),), (float("-inf"),), (3.0,), (-1.0, float("inf"))):
        assert foreign_weight(-0.5, -1.0, nonsense) == 0.0


@given(
    st.floats(-5, 5),
    st.floats(-50, 0),
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=4),
)
def test_foreign_weight_stays_within_bounds(advantage, local, claimed):
    assert 0.0 <= foreign_weight(advantage, local, claimed) <= 1.0


@dataclass
class Batch:
    """Random log-probs of a few completions of unlike length, one of them empty."""

    logps: Tensor
    old: Tensor
    ref: Tensor
    advantage: Tensor
    mask: Tensor
    importance: Tensor

    @classmethod
    def make(cls, seed: int, rows: int, width: int, noise: float = 0.4) -> Batch:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        lengths = torch.randint(0, width + 1, (rows,), generator=generator)
        lengths[-1] = 0
        logps = -normal(rows, width).abs()
        return cls(
            logps,
            logps + noise * normal(rows, width),
            logps + 0.3 * normal(rows, width),
            normal(rows),
            (torch.arange(width) < lengths[:, None]).float(),
            torch.rand(rows, width, generator=generator) * 2,
        )

    @property
    def whole(self) -> Normaliser:
        return Normaliser(len(self.logps), int(self.mask.sum()), self.logps.shape[1])

    def loss(self, logps: Tensor, rows: slice = slice(None), **more) -> Loss:
        kept = {"epsilon_low": 0.2, "epsilon_high": 0.28, **more}
        if kept["loss_type"] == "cispo":
            kept["epsilon_high"] = 1.3
        return policy_loss(
            logps[rows], self.old[rows], self.advantage[rows], self.mask[rows], self.whole, **kept
        )

    def gradient(self, rows: slice = slice(None), **more) -> Tensor:
        leaf = self.logps.clone().requires_grad_()
        self.loss(leaf, rows, **more).loss.backward()
        return leaf.grad


batches = st.builds(Batch.make, st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 7))
loss_types = st.sampled_from(TYPES)


@settings(deadline=None)
@given(batches, loss_types, st.booleans(), st.booleans(), st.sampled_from([0.0, 1.1, 4.0]))
def test_micro_batches_add_up_to_the_whole(batch, loss_type, with_kl, weighed, delta):
    def gradient(rows: slice) -> Tensor:
        return batch.gradient(
            rows,
            loss_type=loss_type,
            delta=delta,
            beta=0.1 * with_kl,
            ref_logps=batch.ref[rows],
            importance=batch.importance[rows] if weighed else None,
        )

    torch.testing.assert_close(
        gradient(slice(None)), gradient(slice(0, 1)) + gradient(slice(1, None))
    )


@settings(deadline=None)
@given(batches, loss_types, st.booleans())
def test_without_advantage_only_the_kl_term_pulls(batch, loss_type, weighed):
    batch.advantage = torch.zeros_like(batch.advantage)
    more = {"loss_type": loss_type, "importance": batch.importance if weighed else None}
    assert float(batch.gradient(**more).abs().sum()) == 0.0
    pulled = batch.gradient(**more, beta=0.1, ref_logps=batch.ref)
    assert bool((pulled != 0).any()) == bool(batch.mask.any())


@settings(deadline=None)
@given(batches, loss_types, st.booleans())
def test_on_policy_every_loss_has_the_gradient_of_reinforce(batch, loss_type, weighed):
    """dL/dlogp = -advantage (times the importance weight) / the normaliser of that loss."""
    batch.old = batch.logps
    importance = batch.importance if weighed else None
    expected = -batch.advantage[:, None] * batch.mask
    length = batch.mask.sum(-1, keepdim=True).clamp(min=1)
    if weighed and loss_type == "gspo":  # one ratio a sequence: its weights are averaged
        mean = (importance * batch.mask).sum(-1, keepdim=True) / length
        expected = expected * mean
    elif weighed:
        expected = expected * importance
    whole = batch.whole
    expected = {
        "grpo": lambda: expected / length / whole.rows,
        "gspo": lambda: expected / length / whole.rows,
        "dapo": lambda: expected / max(1, whole.tokens),
        "cispo": lambda: expected / max(1, whole.tokens),
        "dr_grpo": lambda: expected / (whole.rows * whole.max_new_tokens),
    }[loss_type]()
    got = batch.gradient(loss_type=loss_type, importance=importance)
    torch.testing.assert_close(got, expected)


@settings(deadline=None)
@given(
    batches,
    loss_types,
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 1e30, -1e30]),
    st.booleans(),
)
def test_what_stands_in_padded_places_leaks_nowhere(batch, loss_type, junk, with_kl):
    more = {"loss_type": loss_type, "beta": 0.1 * with_kl, "delta": 4.0}

    def run() -> tuple[Loss, Tensor]:
        leaf = batch.logps.clone().requires_grad_()
        result = batch.loss(leaf, **more, ref_logps=batch.ref, importance=batch.importance)
        result.loss.backward()
        return result, leaf.grad

    clean, expected = run()
    padded = batch.mask == 0
    for values in (batch.logps, batch.old, batch.ref, batch.importance):
        values[padded] = junk
    result, gradient = run()
    assert torch.equal(gradient, expected)
    assert bool((gradient[padded] == 0).all())
    for name in ("loss", "clipped_low", "clipped_high", "kl"):
        assert torch.equal(getattr(result, name), getattr(clean, name)), name


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-200, 0), st.floats(-200, 0) | st.just(float("nan")), st.booleans()),
        min_size=1,
        max_size=20,
    ),
    st.floats(0.1, 10),
)
def test_importance_weights_are_truncated_at_their_cap(tokens, cap):
    trainer, sampler, kept = (torch.tensor(column)[None] for column in zip(*tokens, strict=True))
    weights = importance_weights(trainer.requires_grad_(), sampler, kept.float(), cap)
    assert not weights.requires_grad
    assert weights.shape == trainer.shape
    assert bool(((weights >= 0) & (weights <= cap * (1 + 1e-6))).all())
    for (ours, theirs, inside), weight in zip(tokens, weights[0].tolist(), strict=True):
        known = inside and not math.isnan(theirs)
        gap = min(ours - theirs, 80.0) if known else 0.0
        assert weight == pytest.approx(min(math.exp(gap), cap), rel=1e-4, abs=1e-30)


def test_importance_weights_need_a_cap():
    with pytest.raises(ValueError, match="cap"):
        importance_weights(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1), 0.0)


def one_row(logps: list[float], advantage: float, **more) -> tuple[list[float], Loss]:
    """Gradient and result for one completion whose old log-probs are 0."""
    leaf = torch.tensor([logps], requires_grad=True)
    row = (leaf, torch.zeros(1, len(logps)), torch.tensor([advantage]), torch.ones(1, len(logps)))
    result = policy_loss(*row, Normaliser(1, len(logps), len(logps)), **more)
    result.loss.backward()
    return leaf.grad[0].tolist(), result


def test_gspo_clips_a_sequence_as_a_whole():
    clip = {"loss_type": "gspo", "epsilon_low": 0.1, "epsilon_high": 0.1}
    gradient, result = one_row([0.9, -0.9], 1.0, **clip)  # its geometric mean is 1
    assert gradient == pytest.approx([-0.5, -0.5])
    assert result.clipped_high.tolist() == [[0, 0]]
    gradient, result = one_row([0.9, 0.0], 1.0, **clip)
    assert gradient == [0, 0]
    assert result.clipped_high.tolist() == [[1, 1]]


def test_cispo_cuts_the_weight_and_keeps_the_gradient():
    clip = {"loss_type": "cispo", "epsilon_low": 0.2, "epsilon_high": 2.0}
    for advantage in (1.0, -1.0):
        gradient, result = one_row([1.0, math.log(0.5)], advantage, **clip)
        assert gradient == pytest.approx([-advantage * 2.0 / 2, -advantage * 0.5 / 2])
        assert result.clipped_high.tolist() == [[1, 0]]
        assert result.clipped_low.tolist() == [[0, 0]]


def test_delta_stops_the_gradient_of_an_unlikely_negative():
    clip = {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28}
    logps = [math.log(5.0), math.log(3.0)]
    gradient, result = one_row(logps, -1.0, **clip)
    assert gradient == pytest.approx([2.5, 1.5])
    assert result.clipped_high.tolist() == [[0, 0]]
    gradient, result = one_row(logps, -1.0, **clip, delta=4.0)
    assert gradient == pytest.approx([0.0, 1.5])
    assert result.clipped_high.tolist() == [[1, 0]]


@settings(deadline=None)
@given(batches, st.sampled_from(["grpo", "dapo", "dr_grpo"]), st.sampled_from([0.0, 1.1, 1.5]))
def test_a_token_counts_as_clipped_where_its_gradient_is_stopped(batch, loss_type, delta):
    gradient = batch.gradient(loss_type=loss_type, delta=delta)
    result = batch.loss(batch.logps, loss_type=loss_type, delta=delta)
    stopped = (gradient == 0) & (batch.mask > 0)
    assert torch.equal((result.clipped_low + result.clipped_high) > 0, stopped)


def test_a_ratio_past_all_numbers_gives_no_nan():
    for loss_type in ("grpo", "gspo", "cispo"):
        clip = {"loss_type": loss_type, "epsilon_low": 0.2, "epsilon_high": 1.28}
        gradient, _ = one_row([300.0], 1.0, **clip)
        assert all(map(math.isfinite, gradient))


def test_a_cap_of_weights_below_one_is_refused():
    check_clip("grpo", 0.28)
    check_clip("cispo", 5.0)
    with pytest.raises(ConfigError, match=r"epsilon_high to 5"):
        check_clip("cispo", 0.28)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss_type"):
        one_row([0.0], 1.0, loss_type="ppo", epsilon_low=0.2, epsilon_high=0.2)


def test_clipping_stops_the_gradient_on_the_far_side_only():
    logps = torch.tensor([[0.5, -0.5], [0.5, -0.5]], requires_grad=True)
    old = torch.zeros(2, 2)
    result = policy_loss(
        logps,
        old,
        torch.tensor([1.0, -1.0]),
        torch.ones(2, 2),
        Normaliser(2, 4, 2),
        loss_type="dapo",
        epsilon_low=0.2,
        epsilon_high=0.28,
    )
    result.loss.backward()
    assert (logps.grad != 0).tolist() == [[False, True], [True, False]]
    assert result.clipped_high.tolist() == [[1, 0], [0, 0]]
    assert result.clipped_low.tolist() == [[0, 0], [0, 1]]


def test_kl_needs_a_reference_and_is_never_negative():
    logps = -torch.rand(2, 3)
    args = (logps, logps, torch.ones(2), torch.ones(2, 3), Normaliser(2, 6, 3))
    clip = {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28, "beta": 0.1}
    with pytest.raises(ValueError, match="reference"):
        policy_loss(*args, **clip)
    assert bool((policy_loss(*args, **clip, ref_logps=logps - 0.4).kl > 0).all())
    assert float(policy_loss(*args, **clip, ref_logps=logps).kl.sum()) == 0.0
