"""One round as a hostile peer sees it, and what an item of the corpus is."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgpack

from core.net import records
from core.net.identity import Identity
from core.protocols import Game
from core.rollouts import Rollout, RolloutGroup, TaskId
from core.schema import Config, GameSection, SamplingSection

CONFIG = Config(
    game=GameSection(groups=6, generations=4, groups_per_peer=3, foreign_groups=4),
    sampling=SamplingSection(max_new_tokens=32),
)
"""The rules of the swarm that the corpus is made for."""
HANGING, TRICKLE = "stream: one that never ends", "stream: a trickle"
"""Not bytes but behaviour, see `raider.py`."""


@dataclass(frozen=True)
class Scene:
    """One round as a hostile peer sees it. victim_groups: what an honest peer has published."""

    identity: Identity
    swarm: str
    game: Game
    generations: int
    round: int
    victim: Identity
    victim_groups: tuple[RolloutGroup, ...] = ()
    now: float = field(default_factory=time.time)

    @cached_property
    def tasks(self) -> list[TaskId]:
        """My tasks of this round, as everybody reckons them."""
        return self.game.schedule(self.identity.peer_id, self.round)

    def group(
        self, slot: int = 0, texts: Callable[[str, int], str] | None = None, **changes: Any
    ) -> RolloutGroup:
        """A group that an honest peer could have sent: half of the answers are right."""
        task = self.game.task(self.tasks[slot])

        def usual(answer: str, n: int) -> str:
            return f"<answer>{answer if n % 2 else 'no'}</answer> {n}"

        make = texts or usual
        rollouts = tuple(
            Rollout(make(task.answer, n), logprobs=(-0.5, -1.0)) for n in range(self.generations)
        )
        group = RolloutGroup(task.id, self.identity.peer_id, self.round, rollouts)
        return dataclasses.replace(group, **changes)

    def record(self, payload: bytes, groups: int = 1, **changes: Any) -> records.Record:
        plain = records.Record(
            swarm=self.swarm,
            peer_id=self.identity.peer_id,
            round=self.round,
            stage=0,
            digest=hashlib.sha256(payload).hexdigest(),
            size_bytes=len(payload),
            groups=groups,
            reward_mean=1.0,
            maddrs=(),
            issued=self.now,
            expires=self.now + 600,
            public_key_bytes=self.identity.public_key_bytes,
        )
        return dataclasses.replace(plain, **changes)


def sign(record: records.Record, identity: Identity) -> bytes:
    """As `records.encode` does, whatever is in the record and whoever's it is."""
    body = records._pack(record)
    value: bytes = msgpack.packb([body, identity.sign(records._DOMAIN + body)], use_bin_type=True)
    return value


@dataclass(frozen=True)
class Attempt:
    """What goes out: `record` into the directory, `payload` to whoever fetches."""

    record: bytes
    payload: bytes


@dataclass(frozen=True)
class Item:
    """One way to be hostile. reason: why it is refused.

    door: `record` is brought to who keeps records, `told` in answer to who looks for some;
    `payload` and `groups` are served under a good record.
    """

    name: str
    door: str
    reason: str
    make: Callable[[Scene], Attempt]
