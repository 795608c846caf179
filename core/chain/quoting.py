"""Before a transaction: would the contract take it, how much gas, at which fee, and is it paid for.

Everything in one batch, and free. What the contract would refuse is refused here and explained; an
account without ether is told what it lacks, or helped by the faucet of a Waggle devnet. It signs
and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.chain import fees
from core.chain.contract.refusals import refused
from core.chain.fees import Bounds, Fee, Market
from core.chain.reading import ChainReader, View
from core.chain.rpc import RpcError
from core.errors import TransientError, WaggleError

ETHER = 10**18
DEVNET = "waggle-devnet"
"""What a chain hosted by Waggle calls itself."""
ROUNDS_TOLD = 100
"""How many rounds the advised amount of ether lasts."""


@dataclass(frozen=True)
class Intent:
    """What a transaction is for. doing: in words, after "to".

    most_gas: an estimate beyond it is not believed. usual_gas: where the RPC cannot estimate.
    view, landed: the question to the contract that shows whether it has happened, and whether its
    answer says so; None where no view shows it. once: the contract takes it once only.
    """

    doing: str
    data: bytes
    most_gas: int
    usual_gas: int
    view: View | None = None
    landed: Callable[[Any], bool] = bool
    once: bool = True


@dataclass(frozen=True)
class Quote:
    gas: int
    fee: Fee


class Quoter:
    """For one account and contract."""

    def __init__(self, chain: ChainReader, bounds: Bounds) -> None:
        self._chain = chain
        self._rpc = chain.rpc
        self._account = chain.account
        self._contract = chain.contract
        self._bounds = bounds

    def market(self) -> Market:
        """What the chain asks now. TransientError when it does not say."""
        return self._market(self._chain.ask(fees.QUESTIONS).results)

    def quote(self, intent: Intent, round_gas: int) -> Quote:
        """RefusedError for what the contract refuses; TransientError when the chain is too
        expensive or the account too poor. round_gas: of a usual round, to say how far ether goes.
        """
        message = self._message(intent)
        answered = self._chain.ask(
            [
                ("eth_estimateGas", [message, "latest"]),
                ("eth_getBalance", [self._account, "latest"]),
                *fees.QUESTIONS,
            ]
        )
        gas = self._gas(intent, answered.results[0])
        balance = self._chain.number("eth_getBalance", answered.results[1])
        now = self._market(answered.results[2:])
        if now.block_gas and gas > now.block_gas:
            raise self._too_much(intent, gas, now.block_gas)
        fee = fees.offer(now, self._bounds)
        affordable = fees.within(fee, now, balance // gas)
        if affordable is None and self.fund():
            balance = self._balance()
            affordable = fees.within(fee, now, balance // gas)
        if affordable is None:
            raise self._empty(intent, balance, gas * fee.per_gas, now.now * round_gas)
        return Quote(gas, affordable)

    def refusal(self, intent: Intent) -> WaggleError | None:
        """Why the contract would refuse it now; None when it would not.

        This is the second time that it is asked: a refusal is final, so one answer is not enough.
        """
        try:
            self._rpc.call("eth_call", self._message(intent), "latest")
        except RpcError as error:
            if error.is_revert:
                return refused(error.data or b"", intent.doing)
            return self._rpc.told(error)
        return None

    def fund(self) -> bool:
        """Ask the faucet of a Waggle devnet, here or at the host that invited us; False where the
        chain is another one, or refuses. It gives nothing to an account that has enough."""
        try:
            if self._rpc.call("web3_clientVersion") != DEVNET:
                return False
            self._rpc.call("waggle_fund", self._account)
        except RpcError:
            return False
        return True

    def empty_now(self, intent: Intent, cost: int, round_gas: int) -> TransientError:
        """The same for an account whose balance is not known. TransientError, too, when the chain
        does not tell it."""
        return self._empty(intent, self._balance(), cost, self.market().now * round_gas)

    def _balance(self) -> int:
        answered = self._chain.ask([("eth_getBalance", [self._account, "latest"])])
        return self._chain.number("eth_getBalance", answered.results[0])

    def _empty(self, intent: Intent, balance: int, cost: int, round_cost: int) -> TransientError:
        """All amounts in wei. cost: of this transaction at most."""
        return TransientError(
            f"Account {self._account} cannot pay for its transactions",
            f"its balance on chain {self._rpc.chain_id} is {ether(balance)}; to {intent.doing}"
            f" takes up to {ether(cost)}, and a round costs about {ether(round_cost)}",
            f"Send some ether to {self._account}: {ether(ROUNDS_TOLD * round_cost)} lasts for about"
            f" {ROUNDS_TOLD} rounds; what is due stays in the outbox",
        )

    def _message(self, intent: Intent) -> dict[str, str]:
        return {"from": self._account, "to": self._contract, "data": "0x" + intent.data.hex()}

    def _market(self, results: Sequence[Any]) -> Market:
        block, history, tip, price = results
        found = fees.market(block, history, tip, price)
        if found is not None:
            return found
        for each in results:
            if isinstance(each, RpcError):
                raise self._rpc.told(each)
        raise self._rpc.senseless("it does not tell what a gas costs")

    def _gas(self, intent: Intent, estimate: Any) -> int:
        """A quarter more than estimated: the state may change until it is mined."""
        if isinstance(estimate, RpcError):
            why = self.refusal(intent)
            if why is not None:
                raise why
            if estimate.is_revert:
                raise TransientError(
                    f"The chain at {self._rpc.shown} contradicts itself",
                    f"it refused to estimate how much gas it takes to {intent.doing}, and then"
                    " did not refuse the same call",
                    "The node asks again; if it lasts, take another RPC in chain.rpc_url",
                )
            return intent.usual_gas
        gas = self._rpc.as_quantity("eth_estimateGas", estimate)
        if gas > intent.most_gas:
            raise self._too_much(intent, gas, intent.most_gas)
        return gas + gas // 4 + 5_000

    def _too_much(self, intent: Intent, gas: int, most: int) -> TransientError:
        return TransientError(
            f"The chain at {self._rpc.shown} asks for too much gas",
            f"to {intent.doing} would take {gas}, and {most} is the most that makes sense",
            "Check that chain.contract is a SwarmCoordinator and that its chain is the right one",
        )


def ether(wei: int) -> str:
    return f"{wei / ETHER:.6g} ether"
