"""What a transaction offers per gas: EIP-1559 where the chain has a base fee, else a gas price.

Pure arithmetic over what an RPC says and the two bounds of the configuration. An RPC may say
anything: nothing here goes beyond the bounds, whatever it says. All amounts are in wei.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.chain.rpc import Question, RpcError
from core.errors import TransientError
from core.schema import ChainSection

GWEI = 10**9
BLOCKS = 10
"""Of so many blocks the tips are looked at."""
USUAL_TIP = GWEI
REPLACEMENT = (1125, 1000)
"""A replacement offers at least 12.5 % more: nodes want 10 %, and count in their own way."""
MAX_QUANTITY_CHARS = 66

QUESTIONS: list[Question] = [
    ("eth_getBlockByNumber", ["latest", False]),
    ("eth_feeHistory", [hex(BLOCKS), "latest", [50]]),
    ("eth_maxPriorityFeePerGas", []),
    ("eth_gasPrice", []),
]
"""What `market` needs to know, in this order."""


@dataclass(frozen=True)
class Fee:
    """An offer. tip: of `per_gas`, for whoever mines it; None on a chain without a base fee."""

    per_gas: int
    tip: int | None

    def fields(self) -> dict[str, int]:
        """As a transaction has it."""
        if self.tip is None:
            return {"gasPrice": self.per_gas}
        return {"maxFeePerGas": self.per_gas, "maxPriorityFeePerGas": self.tip}


@dataclass(frozen=True)
class Market:
    """What the chain asks now. base: of the next block, None on a chain without; tip: usual."""

    base: int | None
    tip: int
    gas_price: int
    block_gas: int

    @property
    def now(self) -> int:
        """What a gas costs now."""
        return self.gas_price if self.base is None else self.base + self.tip


@dataclass(frozen=True)
class Bounds:
    """Wei per gas, from chain.max_fee_gwei and chain.max_tip_gwei."""

    fee: int
    tip: int

    @staticmethod
    def of(settings: ChainSection) -> Bounds:
        return Bounds(round(settings.max_fee_gwei * GWEI), round(settings.max_tip_gwei * GWEI))


def market(block: Any, history: Any, tip: Any, gas_price: Any) -> Market | None:
    """From the results of QUESTIONS, any of which may be an RpcError or nonsense; None when they
    say nothing of what a gas costs."""
    newest = block if isinstance(block, dict) else {}
    price = _quantity(gas_price)
    base = _quantity(newest.get("baseFeePerGas"))
    if base is None and price is None:
        return None
    if base is not None:
        following = _last(history, "baseFeePerGas")
        base = following if following is not None else base
    return Market(
        base=base,
        tip=_usual_tip(history, tip),
        gas_price=price if price is not None else 0,
        block_gas=_quantity(newest.get("gasLimit")) or 0,
    )


def offer(now: Market, bounds: Bounds) -> Fee:
    """Twice the base fee, so that a few full blocks do not strand it, and the usual tip.

    TransientError when the chain asks for more than the bounds allow.
    """
    if now.base is None:
        if now.gas_price > bounds.fee:
            raise _too_expensive(now.gas_price, bounds)
        return Fee(now.gas_price, None)
    if now.base > bounds.fee:
        raise _too_expensive(now.base, bounds)
    tip = min(now.tip, bounds.tip, bounds.fee - now.base)
    return Fee(min(bounds.fee, 2 * now.base + tip), tip)


def raised(old: Fee, now: Market, bounds: Bounds) -> Fee:
    """What to offer for the same transaction instead: at least REPLACEMENT as much.

    TransientError, saying which bound to raise, when that is too much.
    """
    per_gas = _more(old.per_gas)
    if old.tip is None:
        per_gas = max(per_gas, min(now.gas_price, bounds.fee))
        tip = None
    else:
        tip = max(_more(old.tip), min(now.tip, bounds.tip))
        wanted = 2 * (now.base or 0) + tip
        per_gas = max(per_gas, tip, min(wanted, bounds.fee))
        if tip > bounds.tip:
            raise _stuck("max_tip_gwei", tip, bounds.tip)
    if per_gas > bounds.fee:
        raise _stuck("max_fee_gwei", per_gas, bounds.fee)
    return Fee(per_gas, tip)


def within(fee: Fee, now: Market, most: int) -> Fee | None:
    """The same offer lowered to `most` per gas, for an account that has no more; None when the
    chain asks for more than that now."""
    if most >= fee.per_gas:
        return fee
    if fee.tip is None or most < (now.base or 0) + fee.tip:
        return None
    return Fee(most, fee.tip)


def _more(amount: int) -> int:
    times, per = REPLACEMENT
    return -(-amount * times // per) + 1


def _usual_tip(history: Any, suggested: Any) -> int:
    """The median of what recent blocks' middle transactions gave, else what the node suggests.

    Empty blocks say 0 and count for nothing.
    """
    rewards = history.get("reward") if isinstance(history, dict) else None
    given: list[int] = []
    for each in rewards[:1024] if isinstance(rewards, list) else []:
        tip = _quantity(each[0]) if isinstance(each, list) and each else None
        if tip:
            given.append(tip)
    if given:
        return sorted(given)[len(given) // 2]
    told = _quantity(suggested)
    return USUAL_TIP if told is None else told


def _last(history: Any, key: str) -> int | None:
    listed = history.get(key) if isinstance(history, dict) else None
    return _quantity(listed[-1]) if isinstance(listed, list) and listed else None


def _quantity(value: Any) -> int | None:
    if isinstance(value, RpcError) or not isinstance(value, str):
        return None
    if not value.startswith("0x") or not 2 < len(value) <= MAX_QUANTITY_CHARS:
        return None
    try:
        return int(value, 16)
    except ValueError:
        return None


def _too_expensive(asked: int, bounds: Bounds) -> TransientError:
    return TransientError(
        "The chain is too expensive now",
        f"a gas costs {asked / GWEI:.4g} gwei and chain.max_fee_gwei is {bounds.fee / GWEI:g}",
        "Wait, or raise chain.max_fee_gwei; what is due stays in the outbox",
    )


def _stuck(bound: str, wanted: int, most: int) -> TransientError:
    return TransientError(
        "A transaction is stuck and no more may be offered for it",
        f"to replace it takes {wanted / GWEI:.4g} gwei per gas and chain.{bound} is"
        f" {most / GWEI:g}",
        f"Wait until the chain is cheaper, or raise chain.{bound}",
    )
