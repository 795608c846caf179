"""One question to a coordinator, without an account: which account a peer id is registered to."""

from __future__ import annotations

from core.chain.readonly import ReadOnlyCoordinator
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
