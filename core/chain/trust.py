"""What an RPC must show before it is believed: its chain's id and first block, and the contract.

Anybody can answer JSON-RPC. An RPC of another chain, or of a chain that began anew, gives answers
that look right and are about something else; so each one is looked at before its first answer
counts, and again after it was away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from core.chain import codec
from core.chain.rpc import Rpc, RpcError
from core.errors import RefusedError


@dataclass(frozen=True)
class Proof:
    """What an RPC says of its chain. first: the hash of block 1, empty where it keeps none. (All
    chains of a kind may have the same block 0.) code: the digest of the contract's code.
    """

    chain_id: int
    first: str
    code: bytes


def prove(rpc: Rpc, contract: str, chain_id: int, like: Proof | None) -> Proof:
    """Look at an RPC. chain_id: the only one to accept; 0 accepts any. like: what an RPC of the
    same chain said before.

    RefusedError, with the code WrongChain or NoContract, when it is not the one; Unreachable when
    it does not answer; RpcError when it answers with an error.
    """
    call = {"to": contract, "data": "0x" + codec.encode("currentRound").hex()}
    told, block, code, answer = rpc.batch(
        [
            ("eth_chainId", []),
            ("eth_getBlockByNumber", ["0x1", False]),
            ("eth_getCode", [contract, "latest"]),
            ("eth_call", [call, "latest"]),
        ]
    )
    found = rpc.as_quantity("eth_chainId", told)
    check_chain_id(rpc.shown, found, like.chain_id if like else chain_id)
    if like is not None and _hash(block) and like.first and _hash(block) != like.first:
        why = "its first block is another one: a copy of the chain, or a chain that began anew"
        raise _another(rpc, found, why)
    deployed = rpc.as_data("eth_getCode", code)
    if not deployed:
        raise RefusedError(
            f"There is no contract at {contract}",
            f"chain {found} at {rpc.shown} has no code at that address",
            "Correct chain.contract or chain.rpc_url",
            code="NoContract",
        )
    _check_coordinator(rpc, contract, answer)
    proof = Proof(found, _hash(block), keccak(deployed))
    if like is not None and proof.code != like.code:
        raise _another(rpc, found, "the coordinator's code is another one there")
    return proof


def check_chain_id(shown: str, found: int, wanted: int) -> None:
    """RefusedError when the RPC at `shown` is on another chain. wanted: 0 is any."""
    if wanted and found != wanted:
        raise RefusedError(
            f"The chain at {shown} is not the one expected",
            f"its chain id is {found}, this swarm's is {wanted}",
            "Correct chain.rpc_url, or chain.chain_id when that is wrong",
            code="WrongChain",
        )


def _check_coordinator(rpc: Rpc, contract: str, answer: Any) -> None:
    if isinstance(answer, RpcError):
        if not answer.is_revert:
            raise answer
        why = "it refuses to tell its round"
    elif len(rpc.as_data("eth_call", answer)) != 32:
        why = "it answers something else when asked for its round"
    else:
        return
    raise RefusedError(
        f"The contract at {contract} is no SwarmCoordinator",
        why,
        "Correct chain.contract",
        code="NoContract",
    )


def _another(rpc: Rpc, chain_id: int, why: str) -> RefusedError:
    return RefusedError(
        f"The chain at {rpc.shown} is not the one expected",
        f"its chain id is {chain_id} as it should be, but {why}",
        "Correct chain.rpc_url; when the chain was made anew on purpose, start the node again",
        code="WrongChain",
    )


def _hash(block: Any) -> str:
    value = block.get("hash") if isinstance(block, dict) else None
    return value.lower() if isinstance(value, str) and len(value) == 66 else ""
