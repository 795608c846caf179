"""The proxy, and the owner's right to put other code behind it. Capitals: the original's tests."""

from __future__ import annotations

import json

import pytest
from eth_abi import encode as abi_encode
from eth_utils.crypto import keccak

from core.chain import codec
from core.chain.contract import FOLDER, SUBMIT_REWARD, deployment, implementation
from core.chain.contract.proxy import IMPLEMENTATION_SLOT
from tests.chain.bare_evm import BareEvm, Someone, advance, cast
from tests.chain.conftest import Refused
from tests.chain.test_contract_peers import PEER
from tests.chain.test_contract_roles import OWNER

SLOT = IMPLEMENTATION_SLOT.to_bytes(32, "big")
INITIALIZED_SLOT = json.loads((FOLDER / "layout.json").read_text())["upgrades"]["initialized"][
    "slot"
]
FORWARD = bytes.fromhex(
    "365f5f375f5f365f7f360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc545af43d5f5f"
    "3e603657"
)


def behind(somebody: Someone) -> bytes:
    """The implementation that the contract's proxy points to."""
    return somebody.evm.storage(somebody.contract, IMPLEMENTATION_SLOT).to_bytes(20, "big")


def upgrade(somebody: Someone, to: bytes, data: bytes = b"", value: int = 0) -> list:
    call = codec.encode("upgradeToAndCall", "0x" + to.hex(), data)
    return somebody.call(call, value).events


def returning(word: bytes) -> bytes:
    """Init code of a contract that answers every call with this word."""
    runtime = b"\x7f" + word + bytes.fromhex("5f5260205ff3")
    return b"\x60" + bytes([len(runtime)]) + bytes.fromhex("80600a5f395ff3") + b"\x00" + runtime


def test_DeployedSuccessfully() -> None:
    owner, *_ = cast()
    assert owner.read("stageCount") == 1
    assert owner.evm.code(owner.contract)[: len(FORWARD)] == FORWARD
    assert len(owner.evm.code(owner.contract)) < 80
    assert owner.evm.code(behind(owner)) != b""


def test_Owner_Can_Upgrade() -> None:
    owner, alice, *_ = cast()
    alice.send("registerPeer", PEER)
    alice.send(SUBMIT_REWARD, 0, 0, 5, PEER)
    other = owner.evm.create(alice.sender, implementation())
    assert upgrade(owner, other) == [("Upgraded", {"implementation": "0x" + other.hex()})]
    assert behind(owner) == other
    assert alice.read("getTotalRewards", [PEER]) == (5,)  # state stays, and goes on
    advance(owner)
    alice.send(SUBMIT_REWARD, 1, 0, 6, PEER)
    assert alice.read("getTotalRewards", [PEER]) == (11,)
    with pytest.raises(Refused, match="InvalidInitialization"):
        alice.send("initialize", alice.address)


def test_NonOwner_Cannot_Upgrade() -> None:
    owner, alice, *_ = cast()
    before = behind(owner)
    with pytest.raises(Refused, match="OnlyOwner"):
        upgrade(alice, owner.evm.create(alice.sender, implementation()))
    owner.send("revokeRole", OWNER, owner.address)
    with pytest.raises(Refused, match="OnlyOwner"):
        upgrade(owner, before)
    assert behind(owner) == before


def test_an_upgrade_can_call_what_it_installs() -> None:
    owner, alice, *_ = cast()
    other = owner.evm.create(owner.sender, implementation())
    told = upgrade(owner, other, codec.encode("grantRole", OWNER, alice.address))
    assert [name for name, _ in told] == ["Upgraded", "RoleGranted"]
    assert alice.read("hasRole", OWNER, alice.address)


def test_an_upgrade_whose_call_fails_leaves_everything_as_it_was() -> None:
    owner, *_ = cast()
    before = behind(owner)
    other = owner.evm.create(owner.sender, implementation())
    with pytest.raises(Refused, match="InvalidInitialization"):
        upgrade(owner, other, codec.encode("initialize", owner.address))
    assert behind(owner) == before


def test_what_is_not_an_implementation_is_refused() -> None:
    owner, alice, *_ = cast()
    before = behind(owner)
    for nothing in (alice.sender, bytes(20), owner.contract):  # no code twice, then a proxy
        with pytest.raises(Refused, match="ERC1967InvalidImplementation"):
            upgrade(owner, nothing)
    with pytest.raises(Refused, match="UUPSUnsupportedProxiableUUID"):
        upgrade(owner, owner.evm.create(owner.sender, returning(b"\x01" * 32)))
    fitting = owner.evm.create(owner.sender, returning(SLOT))
    with pytest.raises(Refused, match="ERC1967NonPayable"):
        upgrade(owner, fitting, value=1)
    assert behind(owner) == before


def test_an_implementation_is_nobodys_and_cannot_be_upgraded_itself() -> None:
    owner, alice, *_ = cast()
    bare = Someone(owner.evm, behind(owner), alice.sender)
    with pytest.raises(Refused, match="InvalidInitialization"):
        bare.send("initialize", alice.address)
    with pytest.raises(Refused, match="UUPSUnauthorizedCallContext"):
        upgrade(bare, bare.contract)
    with pytest.raises(Refused, match="OnlyOwner"):
        bare.send("grantRole", OWNER, alice.address)
    assert bare.read("proxiableUUID") == SLOT
    with pytest.raises(Refused, match="UUPSUnauthorizedCallContext"):
        alice.read("proxiableUUID")  # so that a proxy is never taken for an implementation
    assert alice.read("UPGRADE_INTERFACE_VERSION") == "5.0.0"


def test_deploying_is_one_transaction_that_tells_what_it_did() -> None:
    evm = BareEvm()
    owner = b"\x0f" * 20
    contract = evm.create(owner, deployment("0x" + owner.hex()))
    anyone = Someone(evm, contract, bytes(20))
    assert anyone.read("hasRole", OWNER, "0x" + owner.hex())
    assert evm.storage(contract, INITIALIZED_SLOT) == 1
    assert evm.storage(behind(anyone), INITIALIZED_SLOT) == 2**64 - 1
    with pytest.raises(Refused, match="InvalidInitialization"):
        anyone.send("initialize", anyone.address)


def test_a_reason_and_an_answer_of_any_length_pass_the_proxy() -> None:
    owner, *_ = cast()
    owner.send("addBootnodes", ["x" * 256] * 64)
    assert len(owner.read("getBootnodes")) == 64
    with pytest.raises(Refused, match="Start index must be"):
        owner.read("voterLeaderboard", 1, 0)


def test_the_slots_are_those_of_the_standards() -> None:
    assert bytes.fromhex("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc") == SLOT
    name = int.from_bytes(keccak(text="openzeppelin.storage.Initializable"), "big") - 1
    slot = int.from_bytes(keccak(abi_encode(["uint256"], [name])), "big") & ~0xFF
    assert slot == INITIALIZED_SLOT
