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
    return RefusedError(
        f"The coordinator refused to {doing}",
        f"it reverted with {'0x' + data[:36].hex() if data else 'no reason'}",
        "Check that chain.contract is a SwarmCoordinator and that its chain is the right one",
        code="Reverted",
    )


def named(name: str) -> RefusedError:
    """The RefusedError for an error of the contract. KeyError when it has no such error."""
    told = REFUSALS[name]
    return RefusedError(told.what, told.why, told.next_step, code=name)
