"""The coordinator in py-evm with neither blocks nor signatures: a call costs a millisecond or two.

For what concerns the contract alone. Accounts are bare addresses. Gas is that of the call itself,
without what a transaction costs for being one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.vm.message import Message
from eth_abi import decode as abi_decode
from eth_tester import PyEVMBackend
from eth_tester.utils.address import generate_contract_address
from eth_utils.crypto import keccak

from core.chain import codec
from core.chain.contract import artifact, deployment
from core.chain.contract.build import ERRORS
from tests.chain.conftest import Refused

GAS = 100_000_000
ERROR_NAMES = {
    keccak(text=f"{name}({','.join(each.split()[0] for each in inputs)})")[:4]: name
    for name, inputs in ERRORS.items()
}
REASON = bytes(keccak(text="Error(string)")[:4])
EVENT_NAMES = {codec.topic(e["name"]): e["name"] for e in artifact()["abi"] if e["type"] == "event"}

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Done:
    """What a call returned, and its events by name, of whatever contract."""

    output: bytes
    events: list[Event]
    gas: int


class BareEvm:
    """One state, on which calls are run one after the other. Refused when a call reverts."""

    def __init__(self) -> None:
        backend = PyEVMBackend()
        vm = backend.chain.get_vm()
        self._backend = backend  # keeps the database open
        self._state = vm.state
        self._created = 0

    def code(self, address: bytes) -> bytes:
        return bytes(self._state.get_code(address))

    def storage(self, address: bytes, slot: int) -> int:
        return int(self._state.get_storage(address, slot))

    def create(self, sender: bytes, code: bytes) -> bytes:
        """Run init code; the new contract's address."""
        address = bytes(generate_contract_address(sender, self._created))
        self._created += 1
        message = Message(
            gas=GAS,
            to=CREATE_CONTRACT_ADDRESS,
            sender=sender,
            value=0,
            data=b"",
            code=code,
            create_address=address,
        )
        run = self._state.computation_class.apply_create_message
        self._done(run(self._state, message, self._context(sender)))
        return address

    def call(self, sender: bytes, to: bytes, data: bytes, value: int = 0) -> Done:
        if value:
            self._state.set_balance(sender, value)
        message = Message(
            gas=GAS, to=to, sender=sender, value=value, data=data, code=self._state.get_code(to)
        )
        run = self._state.computation_class.apply_message
        return self._done(run(self._state, message, self._context(sender)))

    def _context(self, sender: bytes) -> Any:
        return self._state.get_transaction_context_class()(gas_price=0, origin=sender)

    def _done(self, computation: Any) -> Done:
        self._state.lock_changes()  # the next call finds every slot cold, as a transaction does
        if computation.is_error:
            raise Refused(_named(computation.output))
        events = [
            _event(tuple(topic.to_bytes(32, "big") for topic in topics), data)
            for _, topics, data in computation.get_log_entries()
        ]
        return Done(computation.output, events, computation.get_gas_used())


def _named(data: bytes) -> str:
    """The error's name, or the text of a reason, or the bare bytes."""
    if data[:4] == REASON:
        return str(abi_decode(["string"], data[4:])[0])
    return ERROR_NAMES.get(data[:4], data.hex())


def _event(topics: tuple[bytes, ...], data: bytes) -> Event:
    name = EVENT_NAMES[topics[0]]
    return name, codec.decode_event(name, topics, data)


@dataclass(frozen=True)
class Someone:
    """An account that calls a coordinator."""

    evm: BareEvm
    contract: bytes
    sender: bytes

    @property
    def address(self) -> str:
        return "0x" + self.sender.hex()

    def read(self, function: str, *arguments: Any) -> Any:
        """A view; its only result, or all of them."""
        output = self.call(codec.encode(function, *arguments)).output
        found = codec.decode(function, output)
        return found[0] if len(found) == 1 else found

    def send(self, function: str, *arguments: Any) -> list[Event]:
        """A call that changes something; its events."""
        return self.call(codec.encode(function, *arguments)).events

    def call(self, data: bytes, value: int = 0) -> Done:
        return self.evm.call(self.sender, self.contract, data, value)


def ours(evm: BareEvm, owner: bytes) -> bytes:
    """Deploy the committed artifact; its address."""
    return evm.create(owner, deployment("0x" + owner.hex()))


def cast(count: int = 5, deploy: Callable[[BareEvm, bytes], bytes] = ours) -> list[Someone]:
    """People around a fresh coordinator on an EVM of its own; the first one is the owner."""
    evm = BareEvm()
    accounts = [(0xACC0 + number).to_bytes(20, "big") for number in range(count)]
    contract = deploy(evm, accounts[0])
    return [Someone(evm, contract, account) for account in accounts]


def advance(owner: Someone, rounds: int = 1) -> None:
    for _ in range(rounds):
        owner.send("updateStageAndRound")
