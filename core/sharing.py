"""One round's exchange with the swarm: publish mine, gather theirs, admit what holds, choose.

Nothing that a peer says is believed: the gate regenerates the task and scores again. What one peer
does costs only that peer's own contribution.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

from core import events, rounds
from core.commands import Commands
from core.errors import TransientError
from core.gate import admission
from core.gate.gatekeeper import Gatekeeper
from core.incidents import incident
from core.parts import Parts, RoundState
from core.phases import Phases
from core.protocols import Exchange, Gathered, Interrupted
from core.rollouts import RolloutGroup
from core.swarm import gossip


class Sharing:
    """One node's side of every exchange. Worker thread only."""

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
        self._gate = Gatekeeper(
            parts.game, parts.config, parts.peer_id, parts.remembered, emit, parts.doubts
        )
        self._rng = random.Random(f"{parts.peer_id}/{parts.config.training.seed}")

    def play(self, now: RoundState) -> None:
        """Fill `now.foreign`, `now.peers`, `now.rejected` and `now.waited`."""
        self._gate.open(now.number, now.own)
        try:
            with self._phases.timed("publish", now.number):
                self._exchange.publish(now.number, now.stage, now.own)
        except TransientError as error:
            self._emit(incident("publish_failed", error, now.number))
        gathered = self._gather(now) if self._parts.config.game.foreign_groups else []
        admitted: list[RolloutGroup] = []
        if gathered:
            with self._phases.timed("admit", now.number):
                admitted = self._admit(now, gathered)
        unsigned = {each.record.peer_id for each in gathered if not each.record.signed}
        self._gossip(now, admitted, unsigned)

    def _gather(self, now: RoundState) -> list[Gathered]:
        with self._phases.timed("gather", now.number) as timed:
            gathered = self._exchange.gather(
                now.number,
                now.stage,
                want=self._parts.config.game.foreign_groups,
                timeout_s=self._parts.config.net.gather_timeout_s,
                stop=self._commands.stop_now,
                avoid=self._gate.leaves_alone,
            )
        now.waited += timed.seconds
        if self._commands.stop_now.is_set():
            raise Interrupted
        return gathered

    def _gossip(
        self, now: RoundState, admitted: Sequence[RolloutGroup], unsigned: Collection[str]
    ) -> None:
        """Tell the feed what others answered, and of mine what the screens show."""
        mine = rounds.most_telling(now.own)
        groups = [*([mine] if mine else []), *admitted]
        task_of = self._parts.game.task
        heard = gossip.heard(groups, task_of, now.number, now.stage, unsigned)
        if heard is not None:
            self._emit(heard)

    def _admit(self, now: RoundState, gathered: Sequence[Gathered]) -> list[RolloutGroup]:
        """The groups that passed, of which `now.foreign` are trained on."""
        now.peers += len(gathered)
        admitted, rejections = self._gate.judge(now.number, gathered)
        now.rejected += rejections
        now.refused = self._gate.refused
        now.admitted = admitted
        now.names = {each.record.peer_id: each.record.name for each in gathered}
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
        return admitted
