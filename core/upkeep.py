"""What follows a round on a schedule: checkpoints, the held-out evaluation, a look around."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core import events
from core.errors import StorageError
from core.incidents import incident
from core.parts import Parts
from core.phases import Phases


class Upkeep:
    """Knows which step was saved last. Worker thread only."""

    def __init__(
        self,
        parts: Parts,
        phases: Phases,
        emit: Callable[[events.Event], None],
        stop: threading.Event,
    ) -> None:
        self._parts = parts
        self._phases = phases
        self._emit = emit
        self._stop = stop
        self._saved_step = parts.engine.step
        self._look_around()

    def after_round(self, finished: int, round: int, stage: int) -> None:
        """Save and evaluate when it is time. Interrupted when the stop event ends an evaluation.

        finished: rounds finished in this run, this one included.
        """
        if finished % self._parts.config.checkpoint.every_rounds == 0:
            self._save(round, stage)
        every = self._parts.config.eval.every_rounds
        if every and finished % every == 0:
            self._evaluate(round)
        self._look_around()

    def at_end(self, round: int, stage: int) -> None:
        """A clean stop keeps what was trained since the last scheduled checkpoint."""
        if self._saved_step != self._parts.engine.step:
            self._save(round, stage)

    def _look_around(self) -> None:
        if self._parts.surroundings is not None:
            self._parts.surroundings.look()

    def _save(self, round: int, stage: int) -> None:
        """A checkpoint that cannot be written is told and leaves the older one as it is."""
        engine = self._parts.engine
        try:
            with self._phases.timed("save", round) as timed:
                path, size = self._parts.checkpoints.save(
                    engine, round, {"round": round, "stage": stage}
                )
        except StorageError as error:
            self._emit(incident("checkpoint_failed", error, round, level="error"))
            return
        self._saved_step = engine.step
        self._emit(
            events.CheckpointSaved(round=round, path=path, size_bytes=size, seconds=timed.seconds)
        )

    def _evaluate(self, round: int) -> None:
        with self._phases.timed("eval", round):
            report = self._parts.evaluate(self._stop)
        self._emit(
            events.Evaluated(
                round=round,
                pass_at_1=report.pass_at_1,
                greedy_pass_at_1=report.greedy_pass_at_1,
                tasks=report.tasks,
                samples=report.samples,
                seconds=report.seconds,
            )
        )
