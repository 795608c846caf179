"""Training as the worker needs it: game, engine, checkpoints and evaluation, loaded and resumed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from core import events
from core.errors import WaggleError
from core.home import Home
from core.incidents import incident
from core.memory import Plan
from core.protocols import EvalReport, Progress
from core.schema import Config

EVAL_SEED = 20_260_101


class TrainingRoom:
    """Everything of `core/training` that one node uses. `load` is slow and runs in the worker."""

    def __init__(
        self,
        config: Config,
        home: Home,
        emit: Callable[[events.Event], None],
        *,
        visiting: bool = False,
    ) -> None:
        """visiting: beside a node that may be running on this home, whose checkpoints are only
        read."""
        self._config = config
        self._visiting = visiting
        self._emit = emit
        self._started = time.monotonic()
        emit(events.ServiceChanged(service="model", status="starting", detail=config.model.id))
        from core.training.games import load_game
        from core.training.store import CheckpointStore

        self.game = load_game(config, home.logs / "scorer.log")
        self.checkpoints = CheckpointStore(
            home.checkpoints, config.checkpoint.keep, config.checkpoint.max_gib
        )
        self._folder = home.checkpoints
        self.resumed_round: int | None = None
        """The round that the loaded checkpoint was saved in; None for the model as shipped."""

    def load(self) -> None:
        """Plan the memory, load the model, then the newest whole checkpoint, if there is one.

        WaggleError, before anything is loaded, when the model does not fit into the memory.
        """
        from core.training.engine import TorchEngine
        from core.training.models import load_model
        from core.training.store import visit
        from core.training.support import check_supported

        config = self._as_before()
        plan = self._plan(config)
        loaded = load_model(config.model, self._downloading)
        check_supported(config, loaded.model)
        self.engine = TorchEngine(config, loaded, plan, trains=not self._visiting)
        if self._visiting:
            extra = visit(self._folder, self.engine)
        else:
            extra = self.checkpoints.resume(self.engine, self._report_damage)
        if extra is not None:
            self.resumed_round = int(str(extra["round"]))
        self._emit(
            events.ModelLoaded(
                model=config.model.id,
                parameters=self.engine.parameters,
                dtype=self.engine.dtype,
                device=self.engine.device,
                threads=self.engine.threads,
                seconds=time.monotonic() - self._started,
                checkpoint_round=self.resumed_round,
                recipe=str(self.engine.recipe),
                estimated_peak_mib=plan.peak_mib if plan is not None and plan.recipe else None,
                machine=str(self.engine.choose()),
            )
        )
        self._emit(events.ServiceChanged(service="model", status="up"))

    def _as_before(self) -> Config:
        """With the recipe that the newest checkpoint was trained with, where none is configured.

        What is free differs from day to day; a restart must not turn a full model into an adapter.
        """
        from core.training.store import newest_about

        about = newest_about(self._folder)
        if about.get("model") != self._config.model.id:
            return self._config
        training = self._config.training
        if training.recipe == "auto" and about.get("recipe") in ("full", "lora"):
            training = replace(training, recipe=about["recipe"])
        if training.optimizer == "auto" and about.get("optimizer"):
            training = replace(training, optimizer=about["optimizer"])
        return replace(self._config, training=training)

    def _plan(self, config: Config) -> Plan:
        """How the model is trained so that it fits here."""
        from core import catalogue, free_memory, memory
        from core.training.models import locate

        shape = catalogue.shape_of(config.model.id)
        if shape is None:
            # Nothing is known of it yet but its name: its config.json is fetched with the weights.
            locate(config.model.id, self._downloading)
            shape = catalogue.shape_of(config.model.id)
        device = free_memory.device_of(config)
        plan = memory.plan(shape, config, free_memory.budget(config, device), device)
        if not self._visiting:
            plan.require(config.model.id)
        return plan

    def evaluate(
        self,
        stop: threading.Event,
        *,
        tasks: int | None = None,
        samples: int | None = None,
        seed: int = EVAL_SEED,
        progress: Progress | None = None,
    ) -> EvalReport:
        """Held-out evaluation of the weights as they are now."""
        from core.training.evaluate import evaluate

        held_out = self.game.held_out(tasks or self._config.eval.tasks)
        return evaluate(
            self.engine,
            self.game,
            [self.game.held_out_task(task_id) for task_id in held_out],
            samples or self._config.eval.samples,
            seed,
            stop,
            progress,
        )

    def close(self) -> None:
        self.game.close()

    def _downloading(self, done: int, total: int) -> None:
        detail = f"downloading {self._config.model.id}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
        self._emit(events.ServiceChanged(service="model", status="starting", detail=detail))

    def _report_damage(self, error: WaggleError) -> None:
        self._emit(incident("checkpoint_damaged", error, level="error"))
