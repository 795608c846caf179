"""A coordinator of forty lines on a chain of blocks, which fails as it is told to.

The contract's rules for one swarm, a mempool, reorganisations; and between it and the outbox a line
that refuses, loses answers, or kills the node, call by call, as a script says. A script is a list
of faults, consumed one a call; when it is empty everything works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from core import events
from core.errors import RefusedError, TransientError
from core.protocols import OnSent, Receipt

FAULTS = (
    "ok",
    "down",  # no answer, and nothing was done
    "lost",  # done, but the answer is lost
    "kill",  # the node dies before the call
    "kill after",  # the node dies when the call is done
    "stuck",  # a transaction is out and not mined yet
    "dropped",  # a transaction is out and will never be mined
    "odd",  # refused with a reason that nobody knows
)
ME, OTHER = "0xMe", "0xOther"
T = TypeVar("T")


class Killed(BaseException):
    """kill -9, as far as Python can die of it."""


@dataclass(frozen=True)
class Tx:
    hash: str
    kind: str
    key: tuple[Any, ...]
    value: Any
    by: str = ME


@dataclass
class Chain:
    """blocks: of one transaction each, as on the devnet. The state follows from them."""

    round: int = 0
    blocks: list[Tx | None] = field(default_factory=lambda: [None])
    pool: list[Tx] = field(default_factory=list)
    made: int = 0
    reverted: int = 0

    def state(self) -> dict[tuple[Any, ...], Tx]:
        """What was registered, rewarded and voted: the first transaction of each key."""
        out: dict[tuple[Any, ...], Tx] = {}
        for tx in self.blocks:
            if tx is not None and self.refusal(tx, out) is None:
                out[tx.key] = tx
        return out

    def refusal(self, tx: Tx, state: dict[tuple[Any, ...], Tx]) -> str | None:
        if tx.key in state:
            return {
                "register": "PeerIdAlreadyRegistered",
                "reward": "RewardAlreadySubmitted",
                "winner": "WinnerAlreadyVoted",
            }[tx.kind]
        if tx.kind == "register":
            return None
        if tx.key[1] > self.round:
            return "InvalidRoundNumber"
        owner = state.get(("register", tx.key[-1]))
        return None if owner is not None and owner.by == tx.by else "InvalidVoterPeerId"

    def make(self, kind: str, key: tuple[Any, ...], value: Any, by: str = ME) -> Tx:
        self.made += 1
        return Tx(f"0x{self.made}", kind, (kind, *key), value, by)

    def mine(self, tx: Tx) -> None:
        self.reverted += self.refusal(tx, self.state()) is not None
        self.blocks.append(tx)

    def reorganise(self, depth: int, keep: bool) -> None:
        """Lose the newest blocks; their transactions go back to the pool, or nowhere."""
        depth = min(depth, len(self.blocks) - 1)
        lost = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        if keep:
            self.pool += [tx for tx in lost if tx is not None]


class Line:
    """The coordinator as the outbox reaches it: `core.protocols.Coordinator`."""

    account, swarm, kind, can_submit = ME, "1:0xc", "wallet", True
    first_block = "0x0123456789"

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.script: list[str] = []

    def fault(self) -> str:
        return self.script.pop(0) if self.script else "ok"

    def emit(self, event: events.Event) -> None:
        """Every commit is followed by an event: a good moment to die."""
        if self.fault() in ("kill", "kill after"):
            raise Killed

    def read(self, answer: Callable[[], T]) -> T:
        fault = self.fault()
        if fault == "kill":
            raise Killed
        if fault in ("down", "lost"):
            raise TransientError("The line is down")
        found = answer()
        if fault == "kill after":
            raise Killed
        return found

    def send(self, kind: str, key: tuple[Any, ...], value: Any, on_sent: OnSent | None) -> Receipt:
        fault = self.fault()
        if fault == "kill":
            raise Killed
        if fault == "down":
            raise TransientError("The line is down")
        if fault == "odd":
            raise RefusedError("The coordinator refused", code="Reverted")
        tx = self.chain.make(kind, key, value)
        if (why := self.chain.refusal(tx, self.chain.state())) is not None:
            raise RefusedError("The coordinator refused", code=why)
        if fault == "stuck":
            self.chain.pool.append(tx)
        elif fault != "dropped":
            self.chain.mine(tx)
        if fault == "kill after":
            raise Killed
        if on_sent is not None and fault != "lost":
            on_sent(tx.hash)
        if fault in ("lost", "stuck", "dropped"):
            raise TransientError("The answer was lost, or there is none yet")
        return self._receipt(tx)

    def _receipt(self, tx: Tx) -> Receipt:
        return Receipt(tx.hash, self.chain.blocks.index(tx), 21_000, 42_000)

    # --- core.protocols.Coordinator ---------------------------------------------------------------

    def round_and_stage(self) -> tuple[int, int]:
        return self.read(lambda: (self.chain.round, 0))

    def head(self) -> int:
        return self.read(lambda: len(self.chain.blocks) - 1)

    def owner_of(self, peer_id: str) -> str | None:
        found = self.read(lambda: self.chain.state().get(("register", peer_id)))
        return found.by if found else None

    def has_reward(self, round: int, stage: int, peer_id: str) -> bool:
        return self.read(lambda: ("reward", round, stage, peer_id) in self.chain.state())

    def has_voted(self, round: int, peer_id: str) -> bool:
        return self.read(lambda: ("winner", round, peer_id) in self.chain.state())

    def register(self, peer_id: str, on_sent: OnSent | None = None) -> Receipt:
        return self.send("register", (peer_id,), "", on_sent)

    def submit_reward(
        self, round: int, stage: int, reward: int, peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        return self.send("reward", (round, stage, peer_id), reward, on_sent)

    def submit_winners(
        self, round: int, winners: Sequence[str], peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt:
        return self.send("winner", (round, peer_id), list(winners), on_sent)

    def receipt(self, tx_hash: str) -> Receipt | None:
        def find() -> Receipt | None:
            state = self.chain.state()
            for tx in self.chain.blocks:
                if tx is not None and tx.hash == tx_hash:
                    if state.get(tx.key) != tx:
                        raise RefusedError("It was mined, and failed", code="Reverted")
                    return self._receipt(tx)
            return None

        return self.read(find)

    def counters(self, peer_id: str) -> dict[str, int]:
        def count() -> dict[str, int]:
            state = self.chain.state()
            return {
                "participation": sum(key[0] == "winner" for key in state),
                "wins": 0,
                "total_reward": sum(tx.value for key, tx in state.items() if key[0] == "reward"),
                "balance_wei": 10**18,
                "round_cost_wei": 10**14,
            }

        return self.read(count)

    def bootnodes(self) -> list[str]:
        return []
