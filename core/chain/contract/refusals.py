"""What the contract's custom errors mean, in a person's words.

A revert carries only four bytes, the start of keccak256("Name()"); nothing names them but this
table. The names are the original coordinator's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from core.errors import RefusedError


@dataclass(frozen=True)
class Refusal:
    """The sentences of one custom error."""

    what: str
    why: str
    next_step: str


REFUSALS: dict[str, Refusal] = {
    "OnlyOwner": Refusal(
        "The coordinator refused: only its owner may do this",
        "this account has no owner role",
        "Use the account that deployed the swarm, or ask its owner to grant you the role",
    ),
    "OnlyStageManager": Refusal(
        "The coordinator refused to advance the round",
        "this account is not a stage manager",
        "Ask the swarm's owner to grant the stage manager role to the clock's account",
    ),
    "OnlyBootnodeManager": Refusal(
        "The coordinator refused to change the bootnodes",
        "this account is not a bootnode manager",
        "Ask the swarm's owner to grant you the bootnode manager role",
    ),
    "PeerIdAlreadyRegistered": Refusal(
        "The coordinator already knows this peer id",
        "a peer id is bound to the first account that registered it, for ever",
        "Use the account it was registered with, or start with a new identity",
    ),
    "InvalidBootnodeIndex": Refusal(
        "The coordinator has no bootnode with this number",
        "the list is shorter",
        "Read the list again and choose one of its numbers",
    ),
    "InvalidRoundNumber": Refusal(
        "The coordinator has not reached this round yet",
        "the submission is for a round after the current one",
        "Check that the node talks to the swarm it trained for",
    ),
    "InvalidStageNumber": Refusal(
        "The coordinator has not reached this stage, or has no such stage",
        "the submission is for a stage that is not open",
        "Check that the node talks to the swarm it trained for",
    ),
    "InvalidVoterPeerId": Refusal(
        "The coordinator does not accept this peer id from this account",
        "the peer id is not registered, or is registered to another account",
        "Use the account that the peer id was registered with, or start with a new identity",
    ),
    "WinnerAlreadyVoted": Refusal(
        "The coordinator already has this peer's vote for the round",
        "one vote per peer and round",
        "Nothing to do: the first vote counts",
    ),
    "RewardAlreadySubmitted": Refusal(
        "The coordinator already has this peer's reward for the round",
        "one reward per peer, round and stage",
        "Nothing to do: the first reward counts",
    ),
    "InvalidVote": Refusal(
        "The coordinator refused the vote",
        "a peer id stands in it twice",
        "This is a fault of the node: please report it",
    ),
}


_CONTRACT = "Check that chain.contract is a SwarmCoordinator and that its chain is the right one"
OTHERS: dict[str, Refusal] = {
    "EoaAlreadyHasPeerId()": Refusal(
        "The coordinator knows another peer of this account",
        "it is of version 0.3, which binds one peer to an account",
        "Use the identity that was registered with the account, or another account",
    ),
    "StageOutOfBounds()": Refusal(
        "The coordinator has no such stage",
        "the stage is beyond its last one",
        "Check that the node talks to the swarm it trained for",
    ),
    "InvalidInitialization()": Refusal(
        "The coordinator has an owner already", "it is set up once", "Nothing to do"
    ),
    "NotInitializing()": Refusal(
        "The coordinator is being set up only when it is deployed",
        "it was asked to do so later",
        _CONTRACT,
    ),
    "UUPSUnauthorizedCallContext()": Refusal(
        "The coordinator cannot be upgraded from here",
        "the call did not go through its proxy",
        "Call the coordinator's own address, not its implementation's",
    ),
    "UUPSUnsupportedProxiableUUID(bytes32)": Refusal(
        "The coordinator refused the upgrade",
        "the new implementation is for another kind of proxy",
        "Deploy an implementation that is a SwarmCoordinator",
    ),
    "ERC1967InvalidImplementation(address)": Refusal(
        "The coordinator refused the upgrade",
        "there is no implementation at the new address",
        "Deploy the implementation first, and name its address",
    ),
    "ERC1967NonPayable()": Refusal(
        "The coordinator takes no ether", "some was sent along", "Send none"
    ),
    "AddressEmptyCode(address)": Refusal(
        "The coordinator called an address without code",
        "its implementation is missing",
        _CONTRACT,
    ),
    "FailedCall()": Refusal(
        "The coordinator's implementation failed", "it gave no reason", _CONTRACT
    ),
    "AccessControlUnauthorizedAccount(address,bytes32)": Refusal(
        "The contract refused: this account lacks a role",
        "it is a contract with OpenZeppelin's roles",
        _CONTRACT,
    ),
}
"""By full signature: what a coordinator says that is being upgraded, or is another contract."""
_PANICS = {
    0x01: "an assertion of the contract failed",
    0x11: "a number became too large or too small",
    0x12: "it divided by zero",
    0x22: "its storage is damaged",
    0x31: "it took from an empty list",
    0x32: "it read beyond the end of a list",
    0x41: "it asked for too much memory",
}
"""Codes of Solidity's Panic(uint256)."""
MAX_REASON_CHARS = 200


@cache
def selectors() -> dict[bytes, str]:
    """The four bytes of each error -> its name."""
    from eth_utils.crypto import keccak

    return {keccak(text=f"{name}()")[:4]: name for name in REFUSALS}


def refused(data: bytes, doing: str) -> RefusedError:
    """The RefusedError for a revert's data; `doing` says what was asked, when nothing else does.

    `code` is the error's name, `Reverted` when the contract gave no name that is known here.
    """
    name = selectors().get(data[:4])
    if name is not None:
        return named(name)
    signature = _others().get(data[:4])
    if signature is not None:
        told = OTHERS[signature]
        return RefusedError(told.what, told.why, told.next_step, code=signature.partition("(")[0])
    return RefusedError(
        f"The coordinator refused to {doing}", _reason(data), _CONTRACT, code="Reverted"
    )


@cache
def _others() -> dict[bytes, str]:
    from eth_utils.crypto import keccak

    return {keccak(text=signature)[:4]: signature for signature in OTHERS}


def _reason(data: bytes) -> str:
    """What a revert without a name of its own says: a text, a panic, or bytes."""
    if data[:4] == b"\x08\xc3\x79\xa0":  # Error(string)
        size = int.from_bytes(data[36:68], "big")
        text = data[68 : 68 + min(size, 4 * MAX_REASON_CHARS)].decode("utf-8", "replace")
        return f"it said: {''.join(c for c in text if c.isprintable())[:MAX_REASON_CHARS]}"
    if data[:4] == b"\x4e\x48\x7b\x71":  # Panic(uint256)
        code = int.from_bytes(data[4:36], "big")
        return _PANICS.get(code, f"it stopped with the code {code:#x}"[:64])
    return f"it reverted with {'0x' + data[:36].hex() if data else 'no reason'}"


def named(name: str) -> RefusedError:
    """The RefusedError for an error of the contract. KeyError when it has no such error."""
    told = REFUSALS[name]
    return RefusedError(told.what, told.why, told.next_step, code=name)
