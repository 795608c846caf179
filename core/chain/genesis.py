"""The first block of the devnet, and eth-tester's backend with its chain on disk."""

from __future__ import annotations

from typing import Any

from eth.db.atomic import AtomicDB
from eth_account import Account
from eth_tester.backends.pyevm.main import (
    PyEVMBackend,
    get_default_genesis_params,
    setup_tester_chain,
)
from eth_utils.crypto import keccak

from core.chain.chainstore import ChainStore

ETHER = 10**18
FAUCET_KEY = keccak(text="waggle devnet faucet")
"""Public on purpose: the devnet's ether is worth nothing and pays only for gas on it."""
FAUCET = bytes.fromhex(Account.from_key(FAUCET_KEY).address[2:])
FAUCET_FUNDS = 10**12 * ETHER


class DurableBackend(PyEVMBackend):
    """Continues the chain in `store`, or begins one in which only the faucet has ether."""

    def __init__(self, store: ChainStore) -> None:
        self._store = store
        funds = {"balance": FAUCET_FUNDS, "nonce": 0, "code": b"", "storage": {}}
        super().__init__(
            genesis_parameters=get_default_genesis_params(), genesis_state={FAUCET: funds}
        )

    def reset_to_genesis(self, genesis_params: Any = None, *args: Any, **kwargs: Any) -> None:
        self.account_keys, fresh = setup_tester_chain(genesis_params, *args, **kwargs)
        kind, disk = type(fresh), AtomicDB(self._store)
        if self._store.is_empty():
            self.chain = kind.from_genesis(disk, genesis_params, args[0])
            self._store.commit()
        else:
            self.chain = kind(disk)
