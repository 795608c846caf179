"""The coordinator contract as the services see it: on the `Evm` in their own process.

No HTTP, no waiting: a call costs a millisecond and a transaction is mined when it returns. Only
the swarm's owner uses this; nodes come in through JSON-RPC like anybody else.
"""

from __future__ import annotations

from typing import Any

from core.chain import codec
from core.chain.account import Wallet
from core.chain.contract import deployment
from core.chain.contract.refusals import refused
from core.chain.evm import Evm, Reverted
from core.errors import WaggleError

DEPLOY_GAS = 5_000_000
CALL_GAS = 300_000


class ChainClient:
    """Deploys the contract once, and calls it as its owner."""

    def __init__(self, evm: Evm, owner: Wallet) -> None:
        self._evm = evm
        self._owner = owner
        self._sender = bytes.fromhex(owner.address[2:])
        self.address = self._deployed()
        self.contract = _checksummed(self.address)

    def _deployed(self) -> bytes:
        """The contract is the owner's first transaction, so its address follows from the key: a
        crash at any moment leaves either no contract or this one. A swarm that was begun with an
        older contract goes on with that."""
        from eth_tester.utils.address import generate_contract_address

        address = bytes(generate_contract_address(self._sender, 0))
        if self._evm.code(address):
            return address
        if self._evm.nonce(self._sender):
            raise WaggleError(
                "The swarm's owner account has sent transactions but its contract is missing",
                "the devnet's files do not fit together",
                "Restore the services folder from a backup, or move it away to start a new swarm",
            )
        self._send(b"", deployment(self._owner.address), DEPLOY_GAS)
        return address

    def read(self, function: str, *arguments: Any) -> tuple[Any, ...]:
        """A view. RefusedError when it reverts."""
        try:
            output = self._evm.call(
                self.address, codec.encode(function, *arguments), sender=self._sender
            )
        except Reverted as error:
            raise refused(error.data, f"answer {function}") from error
        return codec.decode(function, output)

    def send(self, function: str, *arguments: Any, gas: int = CALL_GAS) -> bytes:
        """A transaction of the owner, mined; its hash. RefusedError when it would revert."""
        self.read(function, *arguments)
        return self._send(self.address, codec.encode(function, *arguments), gas)

    def _send(self, to: bytes, data: bytes, gas: int) -> bytes:
        self._evm.fund(self._sender)
        transaction = {
            "chainId": self._evm.chain_id,
            "nonce": self._evm.nonce(self._sender),
            "value": 0,
            "data": "0x" + data.hex(),
            "gas": gas,
            "maxFeePerGas": 2 * self._evm.base_fee() + 1,
            "maxPriorityFeePerGas": 0,
        }
        if to:
            transaction["to"] = to
        return self._evm.submit(self._owner.sign(transaction))


def _checksummed(address: bytes) -> str:
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(address))
