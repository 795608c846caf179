"""The devnet's rules and its first block, in which only the faucet has ether."""

from __future__ import annotations

from typing import Any, cast

from eth.abc import BlockHeaderAPI
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.typing import AccountDetails
from eth_account import Account
from eth_tester.backends.pyevm.main import get_default_genesis_params
from eth_typing import Address, BlockNumber
from eth_utils.crypto import keccak

from core.chain.metered import MeteredVM

ETHER = 10**18
CHAIN_ID = 131277322940537
"""eth-tester's: no other network has it."""
GAS_LIMIT = 60_000_000
"""Of a block: twice what one transaction may use."""
FAUCET_KEY = keccak(text="waggle devnet faucet")
"""Public on purpose: the devnet's ether is worth nothing and pays only for gas on it."""
FAUCET = cast(Address, bytes.fromhex(Account.from_key(FAUCET_KEY).address[2:]))
FAUCET_FUNDS = 10**12 * ETHER


class DevnetChain(MiningChain):
    """One block per transaction, always with the same gas limit; nobody seals, nobody is paid."""

    chain_id = CHAIN_ID
    vm_configuration = ((cast(BlockNumber, 0), MeteredVM),)

    def create_header_from_parent(
        self, parent_header: BlockHeaderAPI, **header_params: Any
    ) -> BlockHeaderAPI:
        params = {**header_params, "gas_limit": parent_header.gas_limit}
        return super().create_header_from_parent(parent_header, **params)


def begin(store: BaseDB) -> None:
    """Write the first block into an empty store."""
    params = {**get_default_genesis_params(), "gas_limit": GAS_LIMIT}
    funds: AccountDetails = {"balance": FAUCET_FUNDS, "nonce": 0, "code": b"", "storage": {}}
    DevnetChain.from_genesis(AtomicDB(store), params, {FAUCET: funds})


def chain_over(store: BaseDB) -> DevnetChain:
    """The chain that a store holds; what it does, it does to the store."""
    return DevnetChain(AtomicDB(store))
