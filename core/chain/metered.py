"""The EVM of the devnet: Prague's rules, with a limit on the processor time of one execution.

An EVM in Python runs about two million gas a second, and its pairings a tenth of that: a gas limit
alone would let one call hold the chain for minutes. The limit is time of the thread's processor,
not of the clock, so that a busy machine refuses nothing. What exceeds it never happened: no block
holds it, so the outcome of what is in blocks does not depend on time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState
from eth.vm.gas_meter import GasMeter, RefundStrategy, allow_negative_refund_strategy

LOOK_EVERY = 256
"""Operations between two looks at the clock: well under a millisecond."""
SLOW_GAS_PER_S = 150_000
"""What the curve arithmetic in pure Python does at least; measured: 230,000 (pairings of BN254).
Powers of large numbers are quicker, but keep the interpreter from all threads until they are done.
"""
SLOW_FROM_GAS = 5000
_SLOW = ("ECPAIRING", "ECMUL", "BLS12_", "Blake2b", "Point Evaluation", "MODEXP")


class TooLong(Exception):
    """The execution would take, or took, longer than it may."""


class _Limit(threading.local):
    """Of each thread: until when, in seconds of its processor time, an execution may go on."""

    until = math.inf


_limit = _Limit()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Executions of this thread inside the block raise TooLong after so much processor time."""
    _limit.until = time.thread_time() + seconds
    try:
        yield
    finally:
        _limit.until = math.inf


class _Meter(GasMeter):
    def __init__(self, start_gas: int, refunds: RefundStrategy) -> None:
        super().__init__(start_gas, refunds)
        self._operations = 0
        _look()  # a tree of many small calls would never come to LOOK_EVERY operations in one

    def consume_gas(self, amount: int, reason: str) -> None:
        self._operations += 1
        if not self._operations % LOOK_EVERY:
            _look()
        super().consume_gas(amount, reason)
        if amount >= SLOW_FROM_GAS and reason.startswith(_SLOW):
            _look(ahead_s=amount / SLOW_GAS_PER_S)  # it cannot be stopped once it runs


def _look(ahead_s: float = 0.0) -> None:
    if time.thread_time() + ahead_s > _limit.until:
        raise TooLong


class _Computation(PragueComputation):
    def _configure_gas_meter(self) -> GasMeter:
        return _Meter(self.msg.gas, allow_negative_refund_strategy)


class _State(PragueState):
    computation_class = _Computation


class MeteredVM(PragueVM):
    """Prague, as eth-tester runs it."""

    _state_class = _State
