"""The small protocols through which the rooms meet in `node.py` and `worker.py`.

`core/training` implements Engine and Game, `core/net` implements Exchange, `core/chain`
implements Coordinator. None of them imports another; each imports only this file, `rollouts`,
`events`, `errors` and `config`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.rollouts import RolloutGroup, Task, TaskId

Progress = Callable[[int, int], None]
"""Called with (done, total), often, from the thread that does the work; must return at once."""


@dataclass(frozen=True)
class Surprise:
    """One completion as the local policy sees it. Both are as long as the completion, EOS included.

    nats: the negative log-probability of each token, where it stands; 0 where the token belongs to
        the task's own answer, which says nothing about who wrote it.
    """

    token_ids: tuple[int, ...]
    nats: tuple[float, ...]


@dataclass(frozen=True)
class StepReport:
    """What an update did. loss is None when no optimiser step was taken (`skipped` says why)."""

    loss: float | None
    grad_norm: float
    step: int
    skipped: str = ""
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EvalReport:
    """pass_at_1: mean over tasks and samples at temperature 1; greedy: temperature 0."""

    pass_at_1: float
    greedy_pass_at_1: float
    tasks: int
    samples: int
    seconds: float
    per_dataset: dict[str, float] = field(default_factory=dict)


class Game(Protocol):
    """Which tasks exist, who does which, and what an answer is worth."""

    rules_digest: str
    """Hex digest of everything that two nodes must agree on to recompute each other's tasks."""

    def schedule(self, peer_id: str, round: int) -> list[TaskId]:
        """The tasks of this peer in this round; others recompute the same ones."""

    def task(self, task_id: TaskId) -> Task:
        """Rebuild a task from its name; WaggleError when the name is not one of this game's."""

    def score(self, task: Task, completions: Sequence[str]) -> list[float]:
        """Reward of each completion, in the sandboxed scorer; 0.0 where the scorer died or hung."""

    def cut_off(self) -> int:
        """How many answers were cut off so far: scoring took too long, or killed the scorer."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class TaskEntry:
    """A task as nodes of GenRL tell it to one another. metadata: plain JSON-like values."""

    question: str
    answer: str
    metadata: Mapping[str, Any]


class Questions(Protocol):
    """A game whose tasks GenRL nodes share: they name a task by the hex MD5 of its question."""

    def find(self, question_digest: str) -> TaskId | None:
        """The task of that question, if it is one that a GenRL node can have been asked."""

    def is_held_out(self, task_id: TaskId) -> bool:
        """Whether its question is one of those that are kept for evaluation."""

    def entry(self, task_id: TaskId) -> TaskEntry:
        """What a GenRL node needs in order to score it; WaggleError when it cannot be made."""


class Engine(Protocol):
    """Owns the model and the optimiser. Called from the worker thread only."""

    step: int

    @property
    def drawn_with(self) -> Mapping[str, float | str]:
        """How completions are drawn: sampling settings, and the number format of the weights."""

    def sample(
        self, tasks: Sequence[Task], stop: threading.Event, progress: Progress | None = None
    ) -> list[RolloutGroup]:
        """G completions per task, in the order of `tasks`, unscored, peer_id "" and round 0.

        Raises `Interrupted` (core.protocols) when `stop` is set; it is checked between tokens.
        """

    def update(self, groups: Sequence[RolloutGroup], tasks: dict[TaskId, Task]) -> StepReport:
        """One optimiser step over scored groups; foreign ones (no token ids) are tokenised here."""

    def surprise(
        self, groups: Sequence[RolloutGroup], tasks: Mapping[TaskId, Task]
    ) -> list[list[Surprise]]:
        """How surprising every completion of every group is to the policy as it is now.

        Foreign ones are tokenised here, at most `sampling.max_new_tokens` of each. Trains nothing.
        """

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of tokens, without special ones."""

    def save(self, path: str, extra: dict[str, object]) -> int:
        """Write a whole checkpoint to `path`, atomically; its bytes. May raise StorageError."""

    def load(self, path: str) -> dict[str, object]:
        """Restore weights, optimiser, RNG and step exactly; give back `extra`."""


class Interrupted(Exception):
    """Work was abandoned because its stop event was set. Not a failure."""


@dataclass(frozen=True)
class PeerRecord:
    """What one peer said about one round. signed: with the key of its peer id; see `net.records`.

    What is not signed may come from anybody: it is admitted under a stricter quota.
    """

    peer_id: str
    name: str
    round: int
    stage: int
    digest: str
    size_bytes: int
    groups: int
    reward_mean: float
    seen: float
    latency_ms: float | None = None
    signed: bool = True


@dataclass(frozen=True)
class Refusal:
    """A group that an exchange could not hand on. task: its name there; reason: as in admission."""

    task: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Gathered:
    """One peer's contribution, decoded and bounded, *not* yet admitted.

    groups carry texts, claimed log-probs and nothing that the receiver must believe. Without any,
    and without a reason, the peer was seen and there was no need to fetch from it.
    error: set, with no groups, when the peer's contribution failed; `reason` is then its code.
    refused: groups of this contribution that cannot be handed on; the others are not touched.
    """

    record: PeerRecord
    groups: tuple[RolloutGroup, ...] = ()
    reason: str = ""
    error: str = ""
    refused: tuple[Refusal, ...] = ()


Avoid = Callable[[str, bool], bool]
"""Whether to leave a peer alone: its peer id, and whether it is one that signs."""


def nobody(peer_id: str, signed: bool) -> bool:
    """Leaves no peer alone."""
    return False


class Exchange(Protocol):
    """Publishes my groups and fetches those of others. No peers is a normal state."""

    peer_id: str

    def publish(self, round: int, stage: int, groups: Sequence[RolloutGroup]) -> None:
        """Make my groups of this round available; TransientError when nobody can be told."""

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
        """Contributions of other peers for exactly this round.

        Of `want` of them, chosen by lot; of all there are with 0. Returns as soon as it has those,
        when there are no others, or when `timeout_s` is over; empty when nobody else is there.
        avoid: peers that are neither waited for nor fetched from. Never raises for what a peer did.
        """

    def peers(self) -> list[PeerRecord]:
        """The latest record of every peer seen recently, mine excluded."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class ChainEvent:
    """One event of the coordinator contract. position: its index within the block.

    fields: by their names in the ABI, of the ABI's types; texts come from anybody, of any length.
    """

    block: int
    position: int
    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Receipt:
    """A transaction that was mined and succeeded. block, gas_used and fee_wei (what the account
    paid): 0 where a coordinator cannot know them, because somebody else sends for this node."""

    tx_hash: str
    block: int = 0
    gas_used: int = 0
    fee_wei: int = 0


OnSent = Callable[[str], None]
"""Called with a transaction's hash as soon as it is out, and again with the hash of each one that
replaces it. The hash is durable when it returns; it must be quick and must not raise."""


class Coordinator(Protocol):
    """The contract as a node needs it. Every call has a deadline.

    TransientError: try again later. RefusedError: a final no; `code` is the contract's error name,
    or one of ReadOnly, WrongChain, NoContract, Reverted.
    """

    account: str
    swarm: str
    """Names chain and contract, so that rounds of two swarms are never taken for one another."""
    first_block: str
    """Hash of the chain's first block, empty where it is not known: a chain that was made anew
    has another one, and may have the same name."""
    kind: str
    """wallet: signs here; login: a login service signs; read-only: nobody signs."""
    can_submit: bool
    """False where every submission is refused, with the code ReadOnly."""

    def round_and_stage(self) -> tuple[int, int]: ...

    def head(self) -> int:
        """The number of the newest block."""

    def owner_of(self, peer_id: str) -> str | None:
        """The account that a peer id is registered to, or None."""

    def register(self, peer_id: str, on_sent: OnSent | None = None) -> Receipt:
        """Send; return once it is mined and succeeded."""

    def has_reward(self, round: int, stage: int, peer_id: str) -> bool: ...

    def submit_reward(
        self, round: int, stage: int, reward: int, peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt: ...

    def has_voted(self, round: int, peer_id: str) -> bool: ...

    def submit_winners(
        self, round: int, winners: Sequence[str], peer_id: str, on_sent: OnSent | None = None
    ) -> Receipt: ...

    def receipt(self, tx_hash: str) -> Receipt | None:
        """Of a transaction of this account; None while it is not mined, or when a reorganisation
        took its block away. RefusedError when it was mined and failed."""

    def counters(self, peer_id: str) -> dict[str, int]:
        """participation, wins, total_reward, balance_wei, round_cost_wei.

        round_cost_wei: what the transactions of a round cost at today's fees; with balance_wei it
        tells how many rounds are left. Both are 0 where somebody else pays.
        """

    def bootnodes(self) -> list[str]: ...
