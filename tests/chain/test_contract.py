"""The behaviours that the original coordinator's own tests fix, on our contract in a real EVM."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from eth_abi import encode as abi_encode
from eth_utils.crypto import keccak

from core.chain.contract import ARTIFACT, HAS_REWARD, SUBMIT_REWARD
from core.chain.contract.refusals import REFUSALS, refused, selectors
from tests.chain.conftest import Actor, Refused

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
OTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
UNSIGNED = "submitReward(uint256,uint256,uint256,string)"


def role(name: str) -> bytes:
    return bytes(keccak(text=name))


# --- the artifact -----------------------------------------------------------------------------


def test_the_committed_artifact_is_what_the_source_compiles_to() -> None:
    # In a process of its own: importing vyper changes this one's decimal arithmetic for good.
    command = [sys.executable, "-m", "core.chain.contract.build", "--check"]
    assert subprocess.run(command, timeout=120).returncode == 0


def test_selectors_are_those_of_the_original() -> None:
    artifact = json.loads(ARTIFACT.read_bytes())
    names = {e["name"] for e in artifact["abi"] if e["type"] == "function"}
    assert {"getPeerId", "getEoa", "submitWinners", "uniqueVoters", "hasRole"} <= names
    overloads = [e for e in artifact["abi"] if e.get("name") == "submitReward"]
    assert sorted(e["inputs"][2]["type"] for e in overloads) == ["int256", "uint256"]
    # web3 and cast print these four for the original's errors
    assert selectors()[bytes.fromhex("1614b50c")] == "InvalidVoterPeerId"
    assert len(selectors()) == len(REFUSALS)
    assert {e["name"] for e in artifact["abi"] if e["type"] == "error"} >= set(REFUSALS)


def test_every_refusal_is_told_in_sentences_and_an_unknown_one_too() -> None:
    for selector, name in selectors().items():
        error = refused(selector, "do it")
        assert error.code == name
        assert error.what
        assert error.why
        assert error.next_step
    assert refused(b"", "vote").code == "Reverted"
    assert "vote" in str(refused(b"\x01\x02\x03\x04", "vote"))


# --- roles ------------------------------------------------------------------------------------


def test_the_deployer_has_all_roles_and_nobody_else(owner: Actor, alice: Actor) -> None:
    for name in ("OWNER_ROLE", "STAGE_MANAGER_ROLE", "BOOTNODE_MANAGER_ROLE"):
        assert owner.read(name) == role(name)
        assert owner.read("hasRole", role(name), owner.address)
        assert not owner.read("hasRole", role(name), alice.address)


@pytest.mark.parametrize("name", ["OWNER_ROLE", "STAGE_MANAGER_ROLE", "ANY_OTHER"])
def test_an_owner_grants_and_revokes(owner: Actor, alice: Actor, name: str) -> None:
    told = owner.send("grantRole", role(name), alice.address)
    assert told[0][0] == "RoleGranted"
    assert told[0][1]["role"] == role(name)
    owner.send("grantRole", role(name), alice.address)  # twice changes nothing
    assert owner.read("hasRole", role(name), alice.address)
    assert owner.send("revokeRole", role(name), alice.address)[0][0] == "RoleRevoked"
    assert not owner.read("hasRole", role(name), alice.address)


def test_others_may_not_grant_and_an_owner_may_revoke_itself(owner: Actor, alice: Actor) -> None:
    for call in ("grantRole", "revokeRole"):
        with pytest.raises(Refused, match="OnlyOwner"):
            alice.send(call, role("OWNER_ROLE"), alice.address)
    owner.send("revokeRole", role("OWNER_ROLE"), owner.address)
    with pytest.raises(Refused, match="OnlyOwner"):
        owner.send("grantRole", role("OWNER_ROLE"), owner.address)


# --- rounds -----------------------------------------------------------------------------------


def test_the_stage_manager_advances_the_round(owner: Actor, alice: Actor) -> None:
    assert (alice.read("currentRound"), alice.read("currentStage")) == (0, 0)
    assert alice.read("stageCount") == 1
    told = owner.send("updateStageAndRound")
    assert told == [
        ("RoundAdvanced", {"newRoundNumber": 1}),
        ("StageAdvanced", {"roundNumber": 1, "newStage": 0}),
    ]
    assert (alice.read("currentRound"), alice.read("currentStage")) == (1, 0)
    with pytest.raises(Refused, match="OnlyStageManager"):
        alice.send("updateStageAndRound")
    owner.send("grantRole", role("STAGE_MANAGER_ROLE"), alice.address)
    alice.send("updateStageAndRound")
    assert owner.read("currentRound") == 2


# --- peers ------------------------------------------------------------------------------------


def test_peers_are_bound_to_their_account_for_ever(alice: Actor, bob: Actor) -> None:
    told = alice.send("registerPeer", PEER)
    assert told == [("PeerRegistered", {"eoa": alice.address.lower(), "peerId": PEER})]
    alice.send("registerPeer", OTHER)
    for actor in (alice, bob):
        with pytest.raises(Refused, match="PeerIdAlreadyRegistered"):
            actor.send("registerPeer", PEER)
    bob.send("registerPeer", "")
    assert alice.read("getPeerId", [alice.address, bob.address]) == ((PEER, OTHER), ("",))
    assert alice.read("getEoa", [PEER, "nobody", ""]) == (
        alice.address.lower(),
        "0x" + "00" * 20,
        bob.address.lower(),
    )
    assert alice.read("getPeerId", ["0x" + "11" * 20]) == ((),)
    assert alice.read("getPeerId", []) == ()


def test_text_beyond_the_bound_is_refused(alice: Actor) -> None:
    alice.send("registerPeer", "x" * 127)
    with pytest.raises(Refused):
        alice.send("registerPeer", "x" * 128)


# --- bootnodes --------------------------------------------------------------------------------


def test_bootnodes_are_added_removed_and_cleared(owner: Actor, alice: Actor) -> None:
    told = owner.send("addBootnodes", ["a", "b", "c", "a"])
    assert told[0] == ("BootnodesAdded", {"manager": owner.address.lower(), "count": 4})
    assert alice.read("getBootnodes") == ("a", "b", "c", "a")
    owner.send("removeBootnode", 1)  # the last takes its place
    assert alice.read("getBootnodes") == ("a", "a", "c")
    owner.send("removeBootnode", 2)
    assert alice.read("getBootnodesCount") == 2
    with pytest.raises(Refused, match="InvalidBootnodeIndex"):
        owner.send("removeBootnode", 2)
    owner.send("clearBootnodes")
    assert alice.read("getBootnodes") == ()
    for call in (("addBootnodes", ["x"]), ("removeBootnode", 0), ("clearBootnodes",)):
        with pytest.raises(Refused, match="OnlyBootnodeManager"):
            alice.send(*call)


# --- votes ------------------------------------------------------------------------------------


def test_a_vote_counts_for_voter_and_winners(alice: Actor, bob: Actor) -> None:
    alice.send("registerPeer", PEER)
    told = alice.send("submitWinners", 0, [PEER, "unregistered"], PEER)
    assert told[0][0] == "WinnerSubmitted"
    assert told[0][1]["winners"] == (PEER, "unregistered")
    assert alice.read("getVoterVotes", 0, PEER) == (PEER, "unregistered")
    assert alice.read("getVoterVoteCount", PEER) == 1
    assert alice.read("getTotalWins", PEER) == alice.read("getTotalWins", "unregistered") == 1
    assert alice.read("getTotalWins", OTHER) == alice.read("getVoterVoteCount", OTHER) == 0
    assert alice.read("uniqueVoters") == 1
    bob.send("registerPeer", OTHER)
    bob.send("submitWinners", 0, [PEER], OTHER)
    assert alice.read("getTotalWins", PEER) == 2
    assert alice.read("uniqueVoters") == 2


def test_votes_that_are_refused_in_the_originals_order(
    owner: Actor, alice: Actor, bob: Actor
) -> None:
    alice.send("registerPeer", PEER)
    with pytest.raises(Refused, match="InvalidRoundNumber"):
        bob.send("submitWinners", 1, [PEER, PEER], PEER)
    with pytest.raises(Refused, match="InvalidVoterPeerId"):
        bob.send("submitWinners", 0, [PEER, PEER], PEER)
    with pytest.raises(Refused, match="InvalidVote"):
        alice.send("submitWinners", 0, [PEER, OTHER, PEER], PEER)
    alice.send("submitWinners", 0, [OTHER], PEER)
    with pytest.raises(Refused, match="WinnerAlreadyVoted"):
        bob.send("submitWinners", 0, [OTHER], PEER)
    owner.send("updateStageAndRound")
    owner.send("updateStageAndRound")
    alice.send("submitWinners", 1, [PEER], PEER)  # any past round, once
    assert alice.read("getVoterVoteCount", PEER) == 2
    assert alice.read("uniqueVoters") == 1


def test_an_empty_vote_counts_each_time_as_in_the_original(alice: Actor) -> None:
    alice.send("registerPeer", PEER)
    alice.send("submitWinners", 0, [], PEER)
    alice.send("submitWinners", 0, [], PEER)
    assert alice.read("getVoterVoteCount", PEER) == 2
    assert alice.read("uniqueVoters") == 1


# --- rewards ----------------------------------------------------------------------------------


def test_rewards_add_up_per_account_and_per_peer(owner: Actor, alice: Actor) -> None:
    alice.send("registerPeer", PEER)
    alice.send("registerPeer", OTHER)
    told = alice.send(SUBMIT_REWARD, 0, 0, 7, PEER)
    assert [name for name, _ in told] == ["RewardSubmitted", "CumulativeRewardsUpdated"]
    assert told[0][1]["reward"] == 7
    alice.send(SUBMIT_REWARD, 0, 0, -10, OTHER)
    owner.send("updateStageAndRound")
    told = alice.send(SUBMIT_REWARD, 1, 0, 5, PEER)
    assert told[1][1]["totalRewards"] == 12
    assert alice.read("getRoundStageReward", 0, 0, [alice.address, owner.address]) == (-3, 0)
    assert alice.read("getTotalRewards", [PEER, OTHER, "nobody"]) == (12, -10, 0)
    assert alice.read(HAS_REWARD, 1, 0, PEER)
    assert not alice.read(HAS_REWARD, 1, 0, OTHER)
    assert alice.read("getRoundStageReward", 0, 0, []) == ()
    assert alice.read("getTotalRewards", []) == ()


def test_rewards_that_are_refused_in_the_originals_order(
    owner: Actor, alice: Actor, bob: Actor
) -> None:
    alice.send("registerPeer", PEER)
    with pytest.raises(Refused, match="InvalidRoundNumber"):
        bob.send(SUBMIT_REWARD, 1, 9, 1, PEER)
    with pytest.raises(Refused, match="InvalidStageNumber"):
        bob.send(SUBMIT_REWARD, 0, 1, 1, PEER)
    with pytest.raises(Refused, match="InvalidVoterPeerId"):
        bob.send(SUBMIT_REWARD, 0, 0, 1, PEER)
    alice.send(SUBMIT_REWARD, 0, 0, 1, PEER)
    with pytest.raises(Refused, match="RewardAlreadySubmitted"):
        bob.send(SUBMIT_REWARD, 0, 0, 1, PEER)
    owner.send("updateStageAndRound")
    # A past round accepts stage == stageCount: the original's tests rely on it.
    alice.send(SUBMIT_REWARD, 0, 1, 1, PEER)
    with pytest.raises(Refused, match="InvalidStageNumber"):
        alice.send(SUBMIT_REWARD, 0, 2, 1, PEER)


@pytest.mark.parametrize("peer", ["", "x", "y" * 31, "y" * 32, "y" * 33, PEER, "z" * 127])
def test_the_unsigned_overload_does_the_same(alice: Actor, peer: str) -> None:
    alice.send("registerPeer", peer)
    told = alice.send(UNSIGNED, 0, 0, 2**256 - 4, peer)
    assert told[0][1]["reward"] == -4
    assert told[0][1]["peerId"] == peer
    with pytest.raises(Refused, match="RewardAlreadySubmitted"):
        alice.send(UNSIGNED, 0, 0, 1, peer)
    with pytest.raises(Refused, match="InvalidRoundNumber"):
        alice.send(UNSIGNED, 3, 0, 1, peer)


def test_the_overload_refuses_what_is_not_a_call_of_it(alice: Actor) -> None:
    selector = keccak(text=UNSIGNED)[:4]
    good = abi_encode(["uint256", "uint256", "uint256", "string"], [0, 0, 1, PEER])
    for data in (
        b"",
        b"\x01",
        selector,
        keccak(text="nothing()")[:4] + good,
        selector + good[:130],
        selector + good[:128] + (2**255).to_bytes(32, "big") + good[160:],
        selector + good[:128] + (129).to_bytes(32, "big") + good[160:] + bytes(128),
        selector + good[:96] + (2**256 - 1).to_bytes(32, "big") + good[128:],
    ):
        with pytest.raises(Refused):
            alice.send_data(data)


def test_totals_do_not_overflow_silently(alice: Actor, actors: Callable[[], Actor]) -> None:
    alice.send("registerPeer", PEER)
    alice.send("registerPeer", OTHER)
    alice.send(SUBMIT_REWARD, 0, 0, 2**255 - 1, PEER)
    with pytest.raises(Refused):
        alice.send(SUBMIT_REWARD, 0, 0, 1, OTHER)
