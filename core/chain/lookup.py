"""Single questions to a chain, without an account: is it the one, whose is a peer id."""

from __future__ import annotations

from core.chain.reading import checksummed
from core.chain.readonly import ReadOnlyCoordinator
from core.chain.rpc import Rpc, RpcError
from core.chain.trust import check_chain_id, prove
from core.schema import ChainSection


def registered_to(rpc_url: str, contract: str, peer_id: str, timeout_s: float) -> str | None:
    """The checksummed address, or None for a peer that is not registered.

    TransientError when the chain does not answer; RefusedError when there is no coordinator at
    that address.
    """
    coordinator = ReadOnlyCoordinator(rpc_url, contract, ChainSection(call_timeout_s=timeout_s))
    try:
        return coordinator.owner_of(peer_id)
    finally:
        coordinator.close()


def chain_at(url: str, contract: str, chain_id: int, timeout_s: float) -> int:
    """The id of the chain at one RPC address, and that it has the coordinator.

    contract: empty to look for none. chain_id: the only one to accept; 0 accepts any. ConfigError,
    TransientError, RefusedError.
    """
    rpc = Rpc(url, timeout_s)
    try:
        if contract:
            return prove(rpc, checksummed(contract), chain_id, None).chain_id
        found = rpc.quantity("eth_chainId")
        check_chain_id(rpc.shown, found, chain_id)
        return found
    except RpcError as error:
        raise rpc.told(error) from error
    finally:
        rpc.close()
