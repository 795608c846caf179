"""What a worker works with: the loaded parts of a node, and what one round has come to so far.

`Clock`, `Ledger` and `Checkpoints` are the worker's own small protocols; the larger ones that the
rooms implement are in `protocols.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.gate.admission import Doubts, Rejection
from core.gate.remembered import Remembered
from core.protocols import Engine, EvalReport, Exchange, Game, PeerRecord, StepReport
from core.rollouts import RolloutGroup, Task, TaskId
from core.schema import Config
from core.surroundings import Surroundings


class Clock(Protocol):
    """Where the round number comes from."""

    def read(self) -> tuple[int, int]:
        """(round, stage). TransientError when the coordinator cannot be asked now."""

    def deadline(self) -> float | None:
        """Unix seconds when the clock will move on, where that is known."""


class Ledger(Protocol):
    """Where a trained round is recorded before anybody hears of it."""

    def has_round(self, round: int, stage: int) -> bool: ...

    def record_round(
        self, round: int, stage: int, reward: int, reward_mean: float, winners: Sequence[str]
    ) -> None: ...


class Checkpoints(Protocol):
    def save(self, engine: Engine, round: int, extra: dict[str, object]) -> tuple[str, int]: ...


@dataclass
class Parts:
    """What `node.build` hands to the worker, everything loaded and ready."""

    peer_id: str
    config: Config
    game: Game
    engine: Engine
    exchange: Exchange | None
    clock: Clock
    ledger: Ledger | None
    checkpoints: Checkpoints
    evaluate: Callable[[threading.Event], EvalReport]
    rss_mib: Callable[[], float]
    remembered: Remembered = field(default_factory=Remembered)
    doubts: Doubts | None = None
    """The local model's opinion of foreign groups; None asks nobody."""
    surroundings: Surroundings | None = None
    """Disk, memory and the copies of the keys; None looks at nothing."""
    close: Callable[[], None] = lambda: None


@dataclass
class RoundState:
    """What one round has come to so far."""

    number: int
    stage: int
    live: bool
    started: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    own: list[RolloutGroup] = field(default_factory=list)
    foreign: list[RolloutGroup] = field(default_factory=list)
    admitted: list[RolloutGroup] = field(default_factory=list)
    """Those of others that passed, `foreign` among them."""
    refused: list[tuple[PeerRecord, Rejection]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """What the peers of this round call themselves, by peer id."""
    rejected: int = 0
    peers: int = 0
    tasks: dict[TaskId, Task] = field(default_factory=dict)
    tokens_per_s: float = 0.0
    report: StepReport | None = None
