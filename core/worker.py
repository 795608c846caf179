"""The round loop: one background thread that drives training, net and chain through protocols.

It knows the order of a round and what to do when a step fails; it knows nothing of torch, of
libp2p or of Ethereum. Commands come in through `Commands`, events go out through `emit`. A step
that fails becomes an Incident and the loop goes on with what it has; only the loss of the home
folder or of the model ends it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from core import collecting, events, rounds, showing
from core.commands import Commands
from core.errors import StorageError, TransientError, WaggleError
from core.incidents import incident
from core.parts import Ledger, Parts, RoundState
from core.phases import Phases
from core.protocols import Game, Interrupted, StepReport
from core.rollouts import RolloutGroup, Task
from core.sharing import Sharing
from core.upkeep import Upkeep

logger = logging.getLogger(__name__)

FULL_DISK_PAUSE_S = 5.0
PRACTICE_ROUNDS = 1 << 40
"""Rounds trained while the coordinator is out of reach are numbered from here for the schedule
only: they are neither published nor recorded."""


class NodeWorker(threading.Thread):
    """Runs `build` and then rounds until stopped, or until `max_rounds` are finished."""

    def __init__(
        self,
        build: Callable[[Commands], Parts],
        commands: Commands,
        emit: Callable[[events.Event], None],
        max_rounds: int | None = None,
    ) -> None:
        super().__init__(name="worker", daemon=True)
        self.commands = commands
        self.error: Exception | None = None
        """Why the worker ended, when nobody asked it to."""
        self.finished_rounds = 0
        self._build = build
        self._emit = emit
        self._max_rounds = max_rounds
        self._phases = Phases(emit)
        self._sharing: Sharing | None = None
        self._last_round: tuple[int, int] | None = None
        self._upkeep: Upkeep | None = None
        self._practice = 0

    # --- life ---------------------------------------------------------------------------------

    def run(self) -> None:
        parts: Parts | None = None
        try:
            with collecting.put_off():
                parts = self._build(self.commands)
            self._upkeep = Upkeep(parts, self._phases, self._emit, self.commands.stop_now)
            if parts.exchange is not None:
                self._sharing = Sharing(
                    parts, parts.exchange, self.commands, self._phases, self._emit
                )
            self._loop(parts)
        except Interrupted:
            pass
        except Exception as error:  # noqa: BLE001 - the edge of the thread: told, never lost
            self.error = error
            self._tell("worker_stopped", error, level="error")
        finally:
            if parts is not None:
                if self._upkeep is not None and self._last_round is not None:
                    self._upkeep.at_end(*self._last_round)
                parts.close()

    def _loop(self, parts: Parts) -> None:
        failures = 0
        while not self.commands.stopping and not self._enough():
            if self.commands.paused:
                self._stay_paused()
                continue
            now = self._next_round(parts)
            if now is None:
                continue
            try:
                self._play(parts, now)
                failures = 0
            except Interrupted:
                return
            except StorageError:
                raise
            except Exception as error:  # noqa: BLE001 - one bad round must not end the node
                failures += 1
                self._tell("round_failed", error, now.number, level="error")
                self._phases.enter("wait", f"round {now.number} failed, trying again")
                self.commands.sleep(min(60.0, 2.0**failures))

    def _enough(self) -> bool:
        return self._max_rounds is not None and self.finished_rounds >= self._max_rounds

    def _stay_paused(self) -> None:
        self._emit(events.Paused())
        self._phases.enter("paused", "press p to go on")
        while self.commands.paused and not self.commands.stopping:
            self.commands.sleep(1.0)
        self._emit(events.Resumed())

    # --- the clock ----------------------------------------------------------------------------

    def _next_round(self, parts: Parts) -> RoundState | None:
        """The round to play now; None when something was asked while waiting for it."""
        waiting_since = time.monotonic()
        pause = 0.02
        told = False
        while not self.commands.stopping and not self.commands.paused:
            try:
                number, stage = parts.clock.read()
                new = self._is_new(parts, number, stage)
            except TransientError as error:
                self._tell("clock_unreachable", error)
                return self._practice_round()
            if new:
                self._emit(
                    events.ClockMoved(round=number, stage=stage, deadline=parts.clock.deadline())
                )
                started = RoundState(number, stage, live=True)
                started.waited = time.monotonic() - waiting_since
                started.started = waiting_since
                return started
            if not told and time.monotonic() - waiting_since > 1.0:
                detail = f"round {number} is trained here; waiting for the others or the clock"
                self._phases.enter("wait", detail, round=number)
                told = True
            self.commands.sleep(pause)
            pause = min(1.0, pause * 1.5)
        return None

    def _is_new(self, parts: Parts, number: int, stage: int) -> bool:
        if self._last_round == (number, stage):
            return False
        if parts.ledger is not None and parts.ledger.has_round(number, stage):
            # Trained before a restart: the outbox still sends it, training it again would not
            # count and would change the weights twice for one round.
            self._last_round = (number, stage)
            return False
        return True

    def _practice_round(self) -> RoundState:
        self._practice += 1
        last = self._last_round or (0, 0)
        return RoundState(last[0], last[1], live=False)

    # --- a round ------------------------------------------------------------------------------

    def _play(self, parts: Parts, now: RoundState) -> None:
        key = now.number if now.live else PRACTICE_ROUNDS + self._practice
        ids = parts.game.schedule(parts.peer_id, key)
        now.tasks = {task_id: parts.game.task(task_id) for task_id in ids}
        self._emit(
            events.RoundStarted(
                round=now.number,
                stage=now.stage,
                tasks=[str(task_id) for task_id in ids],
                deadline=parts.clock.deadline() if now.live else None,
            )
        )
        self._sample(parts, now)
        if now.live and self._sharing is not None:
            self._sharing.play(now)
        for event in showing.examples(now, parts.game.task, parts.config.training.scale_rewards):
            self._emit(event)
        self._update(parts, now)
        if now.live:
            if parts.ledger is not None:
                self._account(parts.ledger, parts.peer_id, now)
            self._last_round = (now.number, now.stage)
        self.finished_rounds += 1
        if self.finished_rounds <= collecting.SETTLED_ROUNDS:
            collecting.settle()
        self._finish(parts, now)
        if self._upkeep is not None:
            self._upkeep.after_round(self.finished_rounds, now.number, now.stage)

    def _sample(self, parts: Parts, now: RoundState) -> None:
        with self._phases.timed("sample", now.number) as timed:

            def progress(done: int, total: int) -> None:
                self._emit(
                    events.PhaseProgress(round=now.number, phase="sample", done=done, total=total)
                )

            tasks = list(now.tasks.values())
            sampled = parts.engine.sample(tasks, self.commands.stop_now, progress)
            now.own = [
                replace(score(parts.game, task, group), peer_id=parts.peer_id, round=now.number)
                for task, group in zip(tasks, sampled, strict=True)
            ]
        completions = [rollout for group in now.own for rollout in group.rollouts]
        tokens = sum(len(rollout.token_ids) for rollout in completions)
        now.tokens_per_s = tokens / max(timed.seconds, 1e-9)
        self._emit(
            events.GroupsSampled(
                round=now.number,
                groups=len(now.own),
                completions=len(completions),
                tokens=tokens,
                seconds=timed.seconds,
                tokens_per_s=now.tokens_per_s,
                reward_mean=rounds.mean_reward(now.own),
                truncated=sum(not r.finished for r in completions) / max(1, len(completions)),
                drawn_with=dict(parts.engine.drawn_with),
            )
        )

    def _update(self, parts: Parts, now: RoundState) -> None:
        with self._phases.timed("update", now.number) as timed:
            now.report = parts.engine.update([*now.own, *now.foreign], now.tasks)
        report = now.report
        if report.loss is None:
            self._emit(events.StepSkipped(round=now.number, reason=report.skipped))
            return
        self._emit(
            events.StepTrained(
                round=now.number,
                step=report.step,
                loss=report.loss,
                grad_norm=report.grad_norm,
                groups=len(now.own),
                foreign_groups=len(now.foreign),
                seconds=timed.seconds,
                metrics=report.metrics,
            )
        )

    def _account(self, ledger: Ledger, peer_id: str, now: RoundState) -> None:
        """Commit the round. A full disk is waited for: a trained round is not thrown away."""
        while True:
            try:
                with self._phases.timed("account", now.number):
                    ledger.record_round(
                        now.number,
                        now.stage,
                        rounds.points(now.own),
                        rounds.mean_reward(now.own),
                        rounds.winners(now.own, now.foreign, peer_id, seen=now.peers),
                    )
                return
            except StorageError as error:
                self._tell("ledger_unwritable", error, now.number, level="error")
                if self.commands.stopping:
                    raise
                self.commands.sleep(FULL_DISK_PAUSE_S)

    def _finish(self, parts: Parts, now: RoundState) -> None:
        report = now.report or StepReport(None, 0.0, parts.engine.step)
        self._emit(
            events.RoundFinished(
                round=now.number,
                stage=now.stage,
                reward_mean=rounds.mean_reward(now.own),
                swarm_reward_mean=rounds.mean_reward([*now.own, *now.foreign]),
                loss=report.loss,
                seconds=time.monotonic() - now.started - now.waited,
                wait_s=now.waited,
                own_groups=len(now.own),
                foreign_groups=len(now.foreign),
                rejected_groups=now.rejected,
                peers=now.peers,
                tokens_per_s=now.tokens_per_s,
                rss_mib=parts.rss_mib(),
                metrics=report.metrics,
            )
        )

    def _tell(
        self, code: str, error: Exception, round: int | None = None, level: str = "warning"
    ) -> None:
        if not isinstance(error, WaggleError):
            logger.error("%s: a bug, with its traceback", code, exc_info=error)
        self._emit(incident(code, error, round, level))


def score(game: Game, task: Task, group: RolloutGroup) -> RolloutGroup:
    """The group with every rollout's reward as this game's scorer gives it."""
    rewards = game.score(task, [rollout.text for rollout in group.rollouts])
    scored = (
        replace(rollout, reward=reward)
        for rollout, reward in zip(group.rollouts, rewards, strict=True)
    )
    return replace(group, rollouts=tuple(scored))
