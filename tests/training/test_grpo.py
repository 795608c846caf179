from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.training.grpo import Normaliser, advantages, foreign_weight, policy_loss

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


@pytest.mark.parametrize("loss_type", ["grpo", "dapo", "dr_grpo"])
def test_micro_batches_add_up_to_the_whole(loss_type):
    torch.manual_seed(0)
    logps = (-torch.rand(6, 5)).requires_grad_()
    old = logps.detach() + 0.3 * torch.randn(6, 5)
    advantage = torch.randn(6)
    mask = (torch.arange(5) < torch.tensor([5, 3, 1, 0, 4, 2])[:, None]).float()
    whole = Normaliser(rows=6, tokens=int(mask.sum()), max_new_tokens=5)
    clip = {"loss_type": loss_type, "epsilon_low": 0.2, "epsilon_high": 0.28}
    total = policy_loss(logps, old, advantage, mask, whole, **clip).loss
    parts = sum(
        policy_loss(logps[s], old[s], advantage[s], mask[s], whole, **clip).loss
        for s in (slice(0, 2), slice(2, 6))
    )
    torch.testing.assert_close(total, parts)


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


def test_padding_cannot_spoil_the_loss():
    logps = torch.tensor([[-1.0, -500.0]], requires_grad=True)
    old = torch.tensor([[-1.0, 500.0]])
    mask = torch.tensor([[1.0, 0.0]])
    result = policy_loss(
        logps,
        old - 1000,
        torch.tensor([1.0]),
        mask,
        Normaliser(1, 1, 2),
        loss_type="grpo",
        epsilon_low=0.2,
        epsilon_high=0.28,
    )
    assert math.isfinite(float(result.loss))


def test_kl_needs_a_reference_and_is_never_negative():
    logps = -torch.rand(2, 3)
    args = (logps, logps, torch.ones(2), torch.ones(2, 3), Normaliser(2, 6, 3))
    clip = {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28, "beta": 0.1}
    with pytest.raises(ValueError, match="reference"):
        policy_loss(*args, **clip)
    assert bool((policy_loss(*args, **clip, ref_logps=logps - 0.4).kl > 0).all())
    assert float(policy_loss(*args, **clip, ref_logps=logps).kl.sum()) == 0.0
