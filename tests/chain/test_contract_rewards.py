"""Rewards. `test_` with capitals after it: the original's test of that name."""

from __future__ import annotations

import pytest
from eth_abi import encode as abi_encode
from eth_utils.crypto import keccak

from core.chain.contract import HAS_REWARD, SUBMIT_REWARD
from tests.chain.bare_evm import Someone, advance
from tests.chain.conftest import Refused
from tests.chain.test_contract_peers import OTHER, PEER, THIRD
from tests.chain.test_contract_votes import voters

UNSIGNED = "submitReward(uint256,uint256,uint256,string)"
HAS_BY_ACCOUNT = "hasSubmittedRoundStageReward(uint256,uint256,address)"


def stage_rewards(anyone: Someone, round_number: int, stage: int, *people: Someone) -> list[int]:
    accounts = [person.address for person in people]
    return list(anyone.read("getRoundStageReward", round_number, stage, accounts))


def test_Anyone_CanSubmitReward_Successfully() -> None:
    _, alice = voters(PEER)
    told = alice.send(SUBMIT_REWARD, 0, 0, 100, PEER)
    reward = {"account": alice.address, "roundNumber": 0, "stageNumber": 0, "reward": 100}
    total = {"account": alice.address, "peerId": PEER, "totalRewards": 100}
    assert told == [
        ("RewardSubmitted", {**reward, "peerId": PEER}),
        ("CumulativeRewardsUpdated", total),
    ]
    assert stage_rewards(alice, 0, 0, alice) == [100]
    assert alice.read("getTotalRewards", [PEER]) == (100,)
    assert alice.read(HAS_REWARD, 0, 0, PEER)


def test_Nobody_CanSubmitReward_TwiceInSameRoundAndStage_Fails() -> None:
    _, alice = voters(PEER)
    alice.send(SUBMIT_REWARD, 0, 0, 100, PEER)
    for call in (SUBMIT_REWARD, UNSIGNED):
        with pytest.raises(Refused, match="RewardAlreadySubmitted"):
            alice.send(call, 0, 0, 200, PEER)
    assert alice.read("getTotalRewards", [PEER]) == (100,)


def test_Anyone_CanSubmitReward_WithDifferentPeerIds_Successfully() -> None:
    _, alice = voters(PEER)
    alice.send("registerPeer", OTHER)
    alice.send(SUBMIT_REWARD, 0, 0, 100, PEER)
    alice.send(SUBMIT_REWARD, 0, 0, 200, OTHER)
    assert stage_rewards(alice, 0, 0, alice) == [300]  # an account's sum, not its last one
    assert alice.read("getTotalRewards", [PEER, OTHER]) == (100, 200)


def test_Anyone_CanSubmitReward_InDifferentStages_Successfully() -> None:
    owner, alice = voters(PEER)
    alice.send(SUBMIT_REWARD, 0, 0, 100, PEER)
    advance(owner)
    alice.send(SUBMIT_REWARD, 0, 1, 200, PEER)  # kept: a stage that a past round never had
    assert stage_rewards(alice, 0, 0, alice) == [100]
    assert stage_rewards(alice, 0, 1, alice) == [200]
    assert alice.read("getTotalRewards", [PEER]) == (300,)
    with pytest.raises(Refused, match="InvalidStageNumber"):
        alice.send(SUBMIT_REWARD, 0, 2, 1, PEER)


def test_Anyone_CanSubmitReward_InDifferentRounds_Successfully() -> None:
    owner, alice = voters(PEER)
    alice.send(SUBMIT_REWARD, 0, 0, 100, PEER)
    advance(owner)
    told = alice.send(SUBMIT_REWARD, 1, 0, 200, PEER)
    assert told[1][1]["totalRewards"] == 300
    assert stage_rewards(alice, 0, 0, alice) + stage_rewards(alice, 1, 0, alice) == [100, 200]


def test_Anyone_CanSubmitReward_ForPastRound_Successfully() -> None:
    owner, alice, bob = voters(PEER, OTHER)
    alice.send(SUBMIT_REWARD, 0, 0, 100, PEER)
    advance(owner, 2)
    bob.send(SUBMIT_REWARD, 0, 0, 200, OTHER)
    assert stage_rewards(owner, 0, 0, alice, bob) == [100, 200]


def test_Nobody_CanSubmitRewards_ForDifferentPeer_Fails() -> None:
    _, alice, _ = voters(PEER, OTHER)
    for peer in (OTHER, "nobody"):
        with pytest.raises(Refused, match="InvalidVoterPeerId"):
            alice.send(SUBMIT_REWARD, 0, 0, 100, peer)


def test_GetRoundStageReward_MultipleAddresses_Successfully() -> None:
    owner, alice, bob, carol = voters(PEER, OTHER, THIRD)
    for person, peer, reward in ((alice, PEER, 1), (bob, OTHER, -2), (carol, THIRD, 3)):
        person.send(SUBMIT_REWARD, 0, 0, reward, peer)
    assert stage_rewards(owner, 0, 0, carol, owner, bob, alice, bob) == [3, 0, -2, 1, -2]


def test_GetRoundStageReward_EmptyArray_Successfully() -> None:
    _, alice = voters(PEER)
    assert stage_rewards(alice, 0, 0) == []


def test_GetTotalRewards_MultipleAddresses_Successfully() -> None:
    owner, alice, bob, carol = voters(PEER, OTHER, THIRD)
    for person, peer, reward in ((alice, PEER, 1), (bob, OTHER, -2), (carol, THIRD, 3)):
        person.send(SUBMIT_REWARD, 0, 0, reward, peer)
    assert owner.read("getTotalRewards", [THIRD, "nobody", OTHER, PEER]) == (3, 0, -2, 1)


def test_GetTotalRewards_EmptyArray_Successfully() -> None:
    _, alice = voters(PEER)
    assert alice.read("getTotalRewards", []) == ()


def test_what_is_refused_is_refused_in_the_originals_order() -> None:
    owner, alice, bob = voters(PEER, OTHER)
    with pytest.raises(Refused, match="InvalidRoundNumber"):
        bob.send(SUBMIT_REWARD, 1, 9, 1, PEER)
    with pytest.raises(Refused, match="InvalidStageNumber"):
        bob.send(SUBMIT_REWARD, 0, 1, 1, PEER)
    with pytest.raises(Refused, match="InvalidVoterPeerId"):
        bob.send(SUBMIT_REWARD, 0, 0, 1, PEER)
    alice.send(SUBMIT_REWARD, 0, 0, 1, PEER)
    with pytest.raises(Refused, match="RewardAlreadySubmitted"):
        bob.send(SUBMIT_REWARD, 0, 0, 1, PEER)
    advance(owner)
    with pytest.raises(Refused, match="InvalidStageNumber"):
        bob.send(SUBMIT_REWARD, 0, 2, 1, PEER)


def test_kept_of_the_original_a_reward_is_what_its_peer_says() -> None:
    _, alice, bob = voters(PEER, OTHER)
    alice.send(SUBMIT_REWARD, 0, 0, 2**255 - 1, PEER)
    bob.send(SUBMIT_REWARD, 0, 0, -(2**255), OTHER)
    assert alice.read("getTotalRewards", [PEER, OTHER]) == (2**255 - 1, -(2**255))


def test_a_sum_that_does_not_fit_is_refused_as_in_the_original() -> None:
    owner, alice = voters(PEER)
    alice.send("registerPeer", OTHER)
    alice.send(SUBMIT_REWARD, 0, 0, 2**255 - 1, PEER)
    with pytest.raises(Refused):
        alice.send(SUBMIT_REWARD, 0, 0, 1, OTHER)  # the account's
    advance(owner)
    with pytest.raises(Refused):
        alice.send(SUBMIT_REWARD, 1, 0, 1, PEER)  # the peer's
    assert not alice.read(HAS_REWARD, 1, 0, PEER)


# --- overloads --------------------------------------------------------------------------------


@pytest.mark.parametrize("reward", [0, 1, 2**255 - 1, 2**255, 2**256 - 4])
def test_kept_of_the_original_an_unsigned_reward_wraps(reward: int) -> None:
    _, alice = voters(PEER)
    told = alice.send(UNSIGNED, 0, 0, reward, PEER)
    signed = reward - 2**256 if reward >= 2**255 else reward
    assert told[0][1]["reward"] == told[1][1]["totalRewards"] == signed
    assert alice.read("getTotalRewards", [PEER]) == (signed,)


def test_the_unsigned_overload_refuses_what_the_signed_one_does() -> None:
    _, alice, bob = voters(PEER, OTHER)
    with pytest.raises(Refused, match="InvalidRoundNumber"):
        alice.send(UNSIGNED, 1, 0, 1, PEER)
    with pytest.raises(Refused, match="InvalidVoterPeerId"):
        bob.send(UNSIGNED, 0, 0, 1, PEER)


def test_restored_whether_an_account_submitted_is_told_by_any_of_its_peers() -> None:
    owner, alice, bob = voters(PEER, OTHER)
    for number in range(9):
        alice.send("registerPeer", f"peer {number}")
    assert not owner.read(HAS_BY_ACCOUNT, 0, 0, alice.address)
    alice.send(SUBMIT_REWARD, 0, 0, 0, "peer 8")
    assert owner.read(HAS_BY_ACCOUNT, 0, 0, alice.address)
    assert not owner.read(HAS_BY_ACCOUNT, 0, 1, alice.address)
    assert not owner.read(HAS_BY_ACCOUNT, 0, 0, bob.address)
    assert not owner.read(HAS_BY_ACCOUNT, 0, 0, owner.address)


def test_what_is_not_a_call_of_the_contract_is_refused() -> None:
    _, alice = voters(PEER)
    selector = keccak(text=SUBMIT_REWARD)[:4]
    good = abi_encode(["uint256", "uint256", "int256", "string"], [0, 0, 1, PEER])
    for data in (
        b"",
        b"\x01",
        selector,
        keccak(text="nothing()")[:4] + good,
        selector + good[:130],
        selector + good[:128] + (2**255).to_bytes(32, "big") + good[160:],
        selector + good[:128] + (128).to_bytes(32, "big") + good[160:] + bytes(128),
        selector + good[:96] + (2**256 - 1).to_bytes(32, "big") + good[128:],
    ):
        with pytest.raises(Refused):
            alice.call(data)
    with pytest.raises(Refused):
        alice.call(selector + good, value=1)
    assert alice.call(selector + good + bytes(5)).events  # what trails is nobody's concern
