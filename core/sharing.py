"""One round's exchange with the swarm: publish mine, gather theirs, admit what holds, choose.

Nothing that a peer says is believed: `admission.admit` regenerates the task and scores again.
What one peer does costs only that peer's own contribution.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Sequence

from core import admission, events, rounds
from core.commands import Commands
from core.errors import TransientError
from core.incidents import incident
from core.parts import Parts, RoundState
from core.phases import Phases
from core.protocols import Exchange, Gathered, Interrupted
from core.rollouts import RolloutGroup

SEEN_DIGESTS = 20_000


class Sharing:
    """Remembers the digests of past groups, so that a copied group is known. Worker thread only."""

    def __init__(
        self,
        parts: Parts,
        exchange: Exchange,
        commands: Commands,
        phases: Phases,
        emit: Callable[[events.Event], None],
    ) -> None:
        self._parts = parts
        self._exchange = exchange
        self._commands = commands
        self._phases = phases
        self._emit = emit
        self._digests: OrderedDict[str, None] = OrderedDict()
        self._rng = random.Random(f"{parts.peer_id}/{parts.config.training.seed}")

    def play(self, now: RoundState) -> None:
        """Fill `now.foreign`, `now.peers`, `now.rejected` and `now.waited`."""
        for group in now.own:
            self._remember(group.digest)
        try:
            with self._phases.timed("publish", now.number):
                self._exchange.publish(now.number, now.stage, now.own)
        except TransientError as error:
            self._emit(incident("publish_failed", error, now.number))
        with self._phases.timed("gather", now.number) as timed:
            gathered = self._exchange.gather(
                now.number,
                now.stage,
                want=self._parts.config.game.foreign_groups,
                timeout_s=self._parts.config.net.gather_timeout_s,
                stop=self._commands.stop_now,
            )
        now.waited += timed.seconds
        if self._commands.stop_now.is_set():
            raise Interrupted
        if gathered:
            with self._phases.timed("admit", now.number):
                self._admit(now, gathered)

    def _admit(self, now: RoundState, gathered: Sequence[Gathered]) -> None:
        admitted: list[RolloutGroup] = []
        for contribution in gathered:
            record = contribution.record
            now.peers += 1
            groups, rejections = admission.admit(
                contribution,
                self._parts.game,
                self._parts.config,
                my_peer_id=self._parts.peer_id,
                round=now.number,
                seen_digests=self._digests.keys(),
            )
            for group in groups:
                self._remember(group.digest)
            for rejection in rejections:
                now.rejected += 1
                self._emit(
                    events.GroupRejected(
                        round=now.number,
                        peer_id=record.peer_id,
                        task=rejection.task,
                        reason=rejection.reason,
                        detail=rejection.detail,
                    )
                )
            admitted.extend(groups)
            self._emit(
                events.PeerSeen(
                    round=now.number,
                    peer_id=record.peer_id,
                    name=record.name,
                    groups=record.groups,
                    used=len(groups),
                    reward_mean=rounds.mean_reward(groups) if groups else None,
                    latency_ms=record.latency_ms,
                )
            )
        now.foreign = admission.select(now.own, admitted, self._parts.config, self._rng)
        for group in now.foreign:
            now.tasks[group.task] = self._parts.game.task(group.task)
            self._emit(
                events.GroupAdmitted(
                    round=now.number,
                    peer_id=group.peer_id,
                    task=str(group.task),
                    reward_mean=rounds.mean_reward([group]),
                )
            )

    def _remember(self, digest: str) -> None:
        self._digests[digest] = None
        while len(self._digests) > SEEN_DIGESTS:
            self._digests.popitem(last=False)
