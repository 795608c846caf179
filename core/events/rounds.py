"""What happens in a round: sampling, rollouts, admission, the update, its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from core.events.base import Event


@dataclass(frozen=True, kw_only=True)
class RoundStarted(Event):
    stage: int = 0
    tasks: list[str] = field(default_factory=list)
    deadline: float | None = None
    """Unix seconds when the clock will move on without the slow ones; None when unknown."""


@dataclass(frozen=True, kw_only=True)
class PhaseChanged(Event):
    """What the node does now.

    phase: `sample`, `publish`, `gather`, `admit`, `update`, `account`, `save`, `eval`, `wait` or
    `paused`. expected_s: how long it usually takes here, or None. detail: why, when waiting.
    """

    METRIC: ClassVar[bool] = True
    phase: str
    detail: str = ""
    expected_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class PhaseProgress(Event):
    METRIC: ClassVar[bool] = True
    phase: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class GroupsSampled(Event):
    """My own rollouts of this round, scored. Rewards are means over completions.

    drawn_with: the sampling settings, and `rollout_format`, that of the weights meanwhile.
    """

    groups: int
    completions: int
    tokens: int
    seconds: float
    tokens_per_s: float
    reward_mean: float
    truncated: float
    drawn_with: dict[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RolloutShown(Event):
    """One group of this round with its best and worst completion, for the screens.

    Texts are excerpts: what a round shows is bounded by `core.showing.ROUND_BYTES`. name: of a
    peer. outcome: `trained`, `no_signal` (mine, left out of the step), `spare` (admitted, but the
    draw took others), or the reason of a rejection, with its detail; "" of earlier versions.
    best_reward, worst_reward: None where nothing was scored. rewards: of all completions, in
    order. chars: of the whole text; tokens: where they are known; finished: ended by the model.
    """

    task: str
    peer_id: str
    question: str
    answer: str
    best: str
    best_reward: float | None
    worst: str
    worst_reward: float | None
    name: str = ""
    signed: bool = True
    outcome: str = ""
    detail: str = ""
    rewards: list[float] = field(default_factory=list)
    completions: int = 0
    best_advantage: float | None = None
    worst_advantage: float | None = None
    best_chars: int = 0
    worst_chars: int = 0
    best_tokens: int | None = None
    worst_tokens: int | None = None
    best_finished: bool = True
    worst_finished: bool = True


@dataclass(frozen=True, kw_only=True)
class GroupAdmitted(Event):
    peer_id: str
    task: str
    reward_mean: float


@dataclass(frozen=True, kw_only=True)
class GroupRejected(Event):
    """reason: a stable code, for example `schedule`, `signature`, `size`, `no_signal`."""

    peer_id: str
    task: str
    reason: str
    detail: str = ""
    signed: bool = True


@dataclass(frozen=True, kw_only=True)
class StepTrained(Event):
    """One optimiser step. `metrics` carries the names of `core/training/metrics.py`."""

    step: int
    loss: float
    grad_norm: float
    groups: int
    foreign_groups: int
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StepSkipped(Event):
    """No optimiser step this round. reason: `no_signal`, `non_finite`, ..."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Evaluated(Event):
    """Held-out evaluation on seeds that no training ever sees."""

    pass_at_1: float
    greedy_pass_at_1: float
    tasks: int
    samples: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(Event):
    path: str
    size_bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RoundFinished(Event):
    """The round as trained here. loss is None when the step was skipped.

    reward_mean: mean reward of my own completions. swarm_reward_mean: over mine and the admitted
    foreign ones. seconds: whole round, waiting excluded; wait_s: waiting for peers and the clock.
    """

    stage: int = 0
    reward_mean: float
    swarm_reward_mean: float
    loss: float | None
    seconds: float
    wait_s: float
    own_groups: int
    foreign_groups: int
    rejected_groups: int
    peers: int
    tokens_per_s: float
    rss_mib: float
    metrics: dict[str, float] = field(default_factory=dict)
