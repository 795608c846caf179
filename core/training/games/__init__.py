"""The games a node can play. `load_game` makes the one that the configuration asks for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.schema import Config
    from core.training.games.reasoning import ReasoningGame


def load_game(config: Config, log: Path = Path(os.devnull)) -> ReasoningGame:
    """The game over the task set `config.game.tasks`; its scorer is starting in the background.

    log: where the scorer process complains. ConfigError when the task set cannot be used.
    """
    from core.errors import ConfigError
    from core.training import tasks
    from core.training.games.reasoning import ReasoningGame
    from core.training.scoring import Scorer

    task_set = tasks.load(config.game.tasks)
    if config.swarm.genrl and all(d.genrl_seed is None for d in task_set.datasets):
        raise ConfigError(
            f"swarm.genrl is on, but no dataset of task set {task_set.name} has a genrl_seed",
            "so not one question of a GenRL node would be known here",
            "Set game.tasks to genrl, or write such a task set; see configs/tasks/genrl.yaml",
        )
    datasets = {spec.name: spec.params for spec in task_set.datasets}
    scorer = Scorer(datasets, task_set.index_range, log)
    game = ReasoningGame(config, scorer, task_set)
    scorer.start()  # imports its libraries while this process imports its own
    try:
        task_set.check_generators()
    except BaseException:
        game.close()
        raise
    return game
