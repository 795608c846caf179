"""Peers and bootnodes. `test_` with capitals after it: the original's test of that name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chain import codec
from tests.chain.bare_evm import cast
from tests.chain.conftest import Refused
from tests.chain.test_contract_roles import BOOTNODE_MANAGER

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
OTHER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
THIRD = "QmQ2gEXoPJg6iMBSUFWGzAabS2VhnzuS782Y637hGjfsRJ"
NOBODY = "0x" + "00" * 20
MULTIADDRS = [f"/ip4/127.0.0.1/tcp/400{n}/p2p/{PEER}" for n in range(3)]

# --- peers ------------------------------------------------------------------------------------


def test_Anyone_CanAddPeer_Successfully() -> None:
    _, anyone, *_ = cast()
    told = anyone.send("registerPeer", PEER)
    assert told == [("PeerRegistered", {"eoa": anyone.address, "peerId": PEER})]
    assert anyone.read("getPeerId", [anyone.address]) == ((PEER,),)


def test_Anyone_CanRegister_DifferentPeerIds_Successfully() -> None:
    _, alice, bob, *_ = cast()
    alice.send("registerPeer", PEER)
    bob.send("registerPeer", OTHER)
    assert alice.read("getPeerId", [alice.address, bob.address]) == ((PEER,), (OTHER,))


def test_Anyone_CanAddMultiplePeerIds_Successfully() -> None:
    _, alice, *_ = cast()
    for peer in (PEER, OTHER, THIRD):
        alice.send("registerPeer", peer)
    assert alice.read("getPeerId", [alice.address]) == ((PEER, OTHER, THIRD),)
    assert alice.read("getEoa", [THIRD, PEER, OTHER]) == (alice.address,) * 3


def test_Anyone_CanGetEoa_ForPeerId_Successfully() -> None:
    _, alice, bob, *_ = cast()
    alice.send("registerPeer", PEER)
    assert bob.read("getEoa", [PEER]) == (alice.address,)


def test_Anyone_CanGetEoa_ForMultiplePeerIds_Successfully() -> None:
    _, alice, bob, *_ = cast()
    alice.send("registerPeer", PEER)
    bob.send("registerPeer", OTHER)
    assert alice.read("getEoa", [PEER, OTHER]) == (alice.address, bob.address)


def test_GetEoa_ReturnsZeroAddress_ForUnregisteredPeerId_Successfully() -> None:
    _, alice, *_ = cast()
    assert alice.read("getEoa", [PEER]) == (NOBODY,)
    assert alice.read("getEoa", []) == ()


def test_GetPeerId_ReturnsEmptyString_ForUnregisteredEoa_Successfully() -> None:
    _, alice, *_ = cast()
    assert alice.read("getPeerId", [alice.address]) == ((),)
    assert alice.read("getPeerId", []) == ()


def test_a_peer_id_is_bound_for_ever_even_against_its_own_account() -> None:
    _, alice, bob, *_ = cast()
    alice.send("registerPeer", PEER)
    for actor in (alice, bob):
        with pytest.raises(Refused, match="PeerIdAlreadyRegistered"):
            actor.send("registerPeer", PEER)
    assert bob.read("getEoa", [PEER]) == (alice.address,)


def test_a_peer_that_was_voted_for_first_can_still_be_registered_by_anyone() -> None:
    _, alice, bob, *_ = cast()
    alice.send("registerPeer", PEER)
    alice.send("submitWinners", 0, [OTHER], PEER)
    assert alice.read("getEoa", [OTHER]) == (NOBODY,)
    bob.send("registerPeer", OTHER)
    assert bob.read("getEoa", [OTHER]) == (bob.address,)
    assert bob.read("getTotalWins", OTHER) == 1  # what it won before stays


def test_kept_of_the_original_an_empty_peer_id_can_be_registered() -> None:
    _, alice, bob, *_ = cast()
    alice.send("registerPeer", "")
    with pytest.raises(Refused, match="PeerIdAlreadyRegistered"):
        bob.send("registerPeer", "")
    assert alice.read("getPeerId", [alice.address]) == (("",),)


@pytest.mark.parametrize("length", [1, 30, 31, 32, 62, 63, 64, 94, 95, 96, 126, 127])
def test_a_peer_id_of_any_length_comes_back_as_it_was(length: int) -> None:
    _, alice, *_ = cast()
    name = ("é" + "abcdefghijk" * 12)[: length - 1] + "\x00"  # bytes are bytes: also these two
    name = name.encode()[:length].decode(errors="ignore")
    alice.send("registerPeer", name)
    assert alice.read("getPeerId", [alice.address]) == ((name,),)
    assert alice.read("getEoa", [name, name[:-1]]) == (alice.address, NOBODY)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=31), unique=True, max_size=12))
def test_any_texts_are_kept_apart_and_in_order(names: list[str]) -> None:
    _, alice, *_ = cast()
    for name in names:
        alice.send("registerPeer", name)
    assert alice.read("getPeerId", [alice.address]) == (tuple(names),)
    assert alice.read("getEoa", names) == (alice.address,) * len(names)


def test_bounded_a_peer_id_beyond_127_bytes_is_refused() -> None:
    _, alice, *_ = cast()
    alice.send("registerPeer", "x" * 127)
    with pytest.raises(Refused, match=r"^$"):
        alice.send("registerPeer", "x" * 128)


def test_bounded_an_account_may_have_more_peers_than_are_listed() -> None:
    _, alice, *_ = cast()
    names = [f"peer {n}" for n in range(66)]
    for name in names:
        alice.send("registerPeer", name)
    assert alice.read("getPeerId", [alice.address]) == (tuple(names[:64]),)
    assert alice.read("getEoa", names) == (alice.address,) * 66


def test_a_dashboard_may_ask_for_a_hundred_accounts_and_five_hundred_peers() -> None:
    people = cast(100)
    for number, person in enumerate(people):
        person.send("registerPeer", f"peer {number}")
    found = people[0].read("getPeerId", [person.address for person in people])
    assert found == tuple((f"peer {number}",) for number in range(100))
    names = [f"peer {number}" for number in range(512)]
    assert people[0].read("getEoa", names)[99:101] == (people[99].address, NOBODY)
    for data in (
        codec.encode("getPeerId", [NOBODY] * 101),
        codec.encode("getEoa", [""] * 513),
        codec.encode("getTotalRewards", [""] * 513),
        codec.encode("getRoundStageReward", 0, 0, [NOBODY] * 513),
    ):
        with pytest.raises(Refused, match=r"^$"):
            people[0].call(data)


# --- bootnodes --------------------------------------------------------------------------------


def test_BootnodeManager_CanAddBootnodes_Successfully() -> None:
    owner, manager, *_ = cast()
    owner.send("grantRole", BOOTNODE_MANAGER, manager.address)
    told = manager.send("addBootnodes", MULTIADDRS[:2])
    assert told == [("BootnodesAdded", {"manager": manager.address, "count": 2})]
    assert owner.read("getBootnodes") == tuple(MULTIADDRS[:2])


def test_NonBootnodeManager_CannotAddBootnodes_Fails() -> None:
    _, anyone, *_ = cast()
    with pytest.raises(Refused, match="OnlyBootnodeManager"):
        anyone.send("addBootnodes", MULTIADDRS)


def test_BootnodeManager_CanRemoveBootnode_Successfully() -> None:
    owner, *_ = cast()
    owner.send("addBootnodes", MULTIADDRS)
    told = owner.send("removeBootnode", 0)
    assert told == [("BootnodeRemoved", {"manager": owner.address, "index": 0})]
    assert owner.read("getBootnodes") == (MULTIADDRS[2], MULTIADDRS[1])  # the last takes its place
    owner.send("removeBootnode", 1)
    assert owner.read("getBootnodes") == (MULTIADDRS[2],)


def test_BootnodeManager_CannotRemoveInvalidIndex_Fails() -> None:
    owner, *_ = cast()
    with pytest.raises(Refused, match="InvalidBootnodeIndex"):
        owner.send("removeBootnode", 0)
    owner.send("addBootnodes", MULTIADDRS)
    with pytest.raises(Refused, match="InvalidBootnodeIndex"):
        owner.send("removeBootnode", 3)


def test_NonBootnodeManager_CannotRemoveBootnode_Fails() -> None:
    owner, anyone, *_ = cast()
    owner.send("addBootnodes", MULTIADDRS)
    with pytest.raises(Refused, match="OnlyBootnodeManager"):
        anyone.send("removeBootnode", 9)  # asked before the index is


def test_BootnodeManager_CanClearAllBootnodes_Successfully() -> None:
    owner, *_ = cast()
    owner.send("addBootnodes", MULTIADDRS)
    assert owner.send("clearBootnodes") == [("AllBootnodesCleared", {"manager": owner.address})]
    assert owner.read("getBootnodes") == ()
    owner.send("addBootnodes", MULTIADDRS[:1])
    assert owner.read("getBootnodes") == (MULTIADDRS[0],)


def test_NonBootnodeManager_CannotClearBootnodes_Fails() -> None:
    _, anyone, *_ = cast()
    with pytest.raises(Refused, match="OnlyBootnodeManager"):
        anyone.send("clearBootnodes")


def test_Anyone_CanGetBootnodes_Successfully() -> None:
    owner, anyone, *_ = cast()
    owner.send("addBootnodes", ["a", "b", "a"])  # twice the same is no fault
    assert anyone.read("getBootnodes") == ("a", "b", "a")


def test_Anyone_CanGetBootnodesCount_Successfully() -> None:
    owner, anyone, *_ = cast()
    assert anyone.read("getBootnodesCount") == 0
    owner.send("addBootnodes", MULTIADDRS)
    assert anyone.read("getBootnodesCount") == 3


def test_bounded_sixty_four_bootnodes_of_256_bytes() -> None:
    owner, *_ = cast()
    owner.send("addBootnodes", ["x" * 256] * 64)
    assert owner.read("getBootnodesCount") == 64
    for more in (["y"], ["x" * 257]):
        with pytest.raises(Refused, match=r"^$"):
            owner.send("addBootnodes", more)
