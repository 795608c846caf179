"""Rounds and roles. `test_` with capitals after it: the original's test of that name."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from tests.chain.bare_evm import Someone, advance, cast
from tests.chain.conftest import Refused

OWNER = bytes(keccak(text="OWNER_ROLE"))
STAGE_MANAGER = bytes(keccak(text="STAGE_MANAGER_ROLE"))
BOOTNODE_MANAGER = bytes(keccak(text="BOOTNODE_MANAGER_ROLE"))
ROLES = {
    "OWNER_ROLE": OWNER,
    "STAGE_MANAGER_ROLE": STAGE_MANAGER,
    "BOOTNODE_MANAGER_ROLE": BOOTNODE_MANAGER,
}


def granted(owner: Someone, somebody: Someone, role: bytes) -> None:
    told = owner.send("grantRole", role, somebody.address)
    fields = {"role": role, "account": somebody.address, "sender": owner.address}
    assert told == [("RoleGranted", fields)]
    assert owner.read("hasRole", role, somebody.address)


def revoked(owner: Someone, somebody: Someone, role: bytes) -> None:
    told = owner.send("revokeRole", role, somebody.address)
    fields = {"role": role, "account": somebody.address, "sender": owner.address}
    assert told == [("RoleRevoked", fields)]
    assert not owner.read("hasRole", role, somebody.address)


# --- rounds -----------------------------------------------------------------------------------


def test_Anyone_CanQuery_CurrentRound_Successfully() -> None:
    _, anyone, *_ = cast()
    assert (anyone.read("currentRound"), anyone.read("currentStage")) == (0, 0)


def test_Owner_CanAdvanceStage_Successfully() -> None:
    owner, *_ = cast()
    assert owner.read("updateStageAndRound") == (1, 0)  # a stage is a round: there is one only
    assert owner.read("currentStage") == 0


def test_NonOwner_CannotAdvanceStage_Fails() -> None:
    owner, anyone, *_ = cast()
    with pytest.raises(Refused, match="OnlyStageManager"):
        anyone.send("updateStageAndRound")
    assert owner.read("currentRound") == 0


def test_StageManager_CanAdvanceRound_Successfully() -> None:
    owner, manager, *_ = cast()
    granted(owner, manager, STAGE_MANAGER)
    assert manager.read("stageCount") == 1
    assert manager.send("updateStageAndRound") == [
        ("RoundAdvanced", {"newRoundNumber": 1}),
        ("StageAdvanced", {"roundNumber": 1, "newStage": 0}),
    ]
    assert (owner.read("currentRound"), owner.read("currentStage")) == (1, 0)


# --- who may do what --------------------------------------------------------------------------


def test_Owner_CanAdd_Owners() -> None:
    owner, other, third, *_ = cast()
    granted(owner, other, OWNER)
    granted(other, third, OWNER)


def test_Owner_CanRemove_Owners() -> None:
    owner, other, *_ = cast()
    granted(owner, other, OWNER)
    revoked(owner, other, OWNER)
    with pytest.raises(Refused, match="OnlyOwner"):
        other.send("grantRole", OWNER, other.address)


def test_NonOwner_CannotAdd_Owners() -> None:
    owner, anyone, *_ = cast()
    for call in ("grantRole", "revokeRole"):
        with pytest.raises(Refused, match="OnlyOwner"):
            anyone.send(call, OWNER, anyone.address)
    assert not owner.read("hasRole", OWNER, anyone.address)


def test_Owner_CanAdd_StageManagers() -> None:
    owner, manager, *_ = cast()
    granted(owner, manager, STAGE_MANAGER)
    advance(manager)


def test_Owner_CanRemove_StageManagers() -> None:
    owner, manager, *_ = cast()
    granted(owner, manager, STAGE_MANAGER)
    revoked(owner, manager, STAGE_MANAGER)
    with pytest.raises(Refused, match="OnlyStageManager"):
        advance(manager)


def test_Owner_CanAdd_BootnodeManagers() -> None:
    owner, manager, *_ = cast()
    granted(owner, manager, BOOTNODE_MANAGER)
    manager.send("addBootnodes", ["/ip4/10.0.0.1"])


def test_Owner_CanRemove_BootnodeManagers() -> None:
    owner, manager, *_ = cast()
    granted(owner, manager, BOOTNODE_MANAGER)
    revoked(owner, manager, BOOTNODE_MANAGER)
    with pytest.raises(Refused, match="OnlyBootnodeManager"):
        manager.send("clearBootnodes")


@pytest.mark.parametrize("name", ROLES)
def test_the_owner_begins_with_every_role_and_nobody_else_with_any(name: str) -> None:
    owner, anyone, *_ = cast()
    assert owner.read(name) == ROLES[name]
    assert owner.read("hasRole", ROLES[name], owner.address)
    assert not owner.read("hasRole", ROLES[name], anyone.address)


def test_any_role_can_be_granted_and_twice_changes_nothing() -> None:
    owner, anyone, *_ = cast()
    role = bytes(keccak(text="ANY_OTHER"))
    granted(owner, anyone, role)
    granted(owner, anyone, role)
    revoked(owner, anyone, role)
    revoked(owner, anyone, role)


def test_kept_of_the_original_the_last_owner_may_revoke_itself() -> None:
    owner, *_ = cast()
    revoked(owner, owner, OWNER)
    with pytest.raises(Refused, match="OnlyOwner"):
        owner.send("grantRole", OWNER, owner.address)
    advance(owner)  # the other roles are its own still
