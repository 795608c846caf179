"""One question to a chain: what an account has to pay for gas with."""

from __future__ import annotations

from core.chain.rpc import Rpc, RpcError
from core.errors import TransientError


def balance_of(rpc_urls: str, address: str, timeout_s: float) -> int:
    """In wei, as the first of the addresses (commas between them) that answers says.

    TransientError when none does, each within `timeout_s` divided by their number.
    """
    urls = [url.strip() for url in rpc_urls.split(",") if url.strip()]
    failed: TransientError | None = None
    for url in urls:
        rpc = Rpc(url, timeout_s / len(urls))
        try:
            return rpc.quantity("eth_getBalance", address, "latest")
        except TransientError as error:
            failed = error
        except RpcError as error:
            failed = TransientError(f"The chain at {rpc.shown} tells no balance", error.message)
        finally:
            rpc.close()
    raise failed or TransientError("There is no chain to ask", "chain.rpc_url is empty")
