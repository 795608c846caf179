"""One question to a coordinator, without an account: which account a peer id is registered to."""

from __future__ import annotations

from core.chain import codec
from core.chain.rpc import Rpc, RpcError
from core.errors import TransientError


def registered_to(rpc_url: str, contract: str, peer_id: str, timeout_s: float) -> str | None:
    """The checksummed address, or None for a peer that is not registered.

    TransientError when the chain does not answer, or has no coordinator at that address.
    """
    from eth_utils.address import to_checksum_address

    rpc = Rpc(rpc_url, timeout_s)
    data = "0x" + codec.encode("getEoa", [peer_id]).hex()
    try:
        answer = rpc.data("eth_call", {"to": contract, "data": data}, "latest")
    except RpcError as error:
        raise TransientError(
            f"The coordinator {contract} at {rpc.shown} did not answer", error.message
        ) from error
    finally:
        rpc.close()
    owner = codec.decode("getEoa", answer)[0][0]
    return None if owner == codec.NO_ACCOUNT else str(to_checksum_address(owner))
