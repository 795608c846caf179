"""Two exchanges as one: signed records and streams among Waggle nodes, GenRL's values with others.

A peer that signs is never taken at its unsigned word: whoever has a record, or had one lately, is
heard only through it, so nobody gains by putting a value in the name of a Waggle node.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from core.errors import TransientError
from core.protocols import Avoid, Exchange, Gathered, PeerRecord, nobody
from core.rollouts import RolloutGroup

PATIENCE_S = 30.0
"""Over its own deadline: a gather may be in the middle of a call to the sidecar."""


class BothExchange:
    """`core.protocols.Exchange` over two. The unsigned one gathers beside, in a thread of its own.

    A mind for both: what the one cannot do never keeps the other from doing it.
    """

    def __init__(self, signed: Exchange, unsigned: Exchange) -> None:
        self.peer_id = signed.peer_id
        self._signed, self._unsigned = signed, unsigned
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="genrl")

    def publish(self, round: int, stage: int, groups: Sequence[RolloutGroup]) -> None:
        """To both; TransientError of the first that cannot, after the other was tried."""
        errors: list[TransientError] = []
        for exchange in (self._signed, self._unsigned):
            try:
                exchange.publish(round, stage, groups)
            except TransientError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def gather(
        self,
        round: int,
        stage: int,
        *,
        want: int,
        timeout_s: float,
        stop: threading.Event,
        avoid: Avoid = nobody,
    ) -> list[Gathered]:
        """See `core.protocols.Exchange.gather`."""
        beside = self._pool.submit(
            self._unsigned.gather,
            *(round, stage),
            want=want,
            timeout_s=timeout_s,
            stop=stop,
            avoid=avoid,
        )
        signed = self._signed.gather(
            round, stage, want=want, timeout_s=timeout_s, stop=stop, avoid=avoid
        )
        unsigned = beside.result(timeout_s + PATIENCE_S)
        signers = {g.record.peer_id for g in signed} | {p.peer_id for p in self._signed.peers()}
        return [*signed, *(g for g in unsigned if g.record.peer_id not in signers)]

    def peers(self) -> list[PeerRecord]:
        signed = self._signed.peers()
        signers = {record.peer_id for record in signed}
        return [*signed, *(r for r in self._unsigned.peers() if r.peer_id not in signers)]

    def close(self) -> None:
        self._signed.close()
        self._unsigned.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
