"""A round with a victim in it, real game and scorer; nothing is sent anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.net.identity import Identity, load_or_create
from core.rollouts import Rollout, RolloutGroup
from core.training.games import load_game
from core.training.games.reasoning import ReasoningGame
from tests.hostile.scene import CONFIG, Scene

ROUND = 12


@pytest.fixture(scope="package")
def game() -> Iterator[ReasoningGame]:
    made = load_game(CONFIG)
    yield made
    made.close()


@pytest.fixture(scope="package")
def identities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Identity, Identity, Identity]:
    """Mine, an honest peer's, and a hostile one's."""
    folder: Path = tmp_path_factory.mktemp("identities")
    me, honest, hostile = (load_or_create(folder / f"{n}.pem") for n in range(3))
    return me, honest, hostile


@pytest.fixture(scope="package")
def scene(game: ReasoningGame, identities: tuple[Identity, Identity, Identity]) -> Scene:
    _, honest, hostile = identities
    task = game.task(game.schedule(honest.peer_id, ROUND)[0])
    texts = [f"<answer>{task.answer if n % 2 else 'no'}</answer> {n}" for n in range(4)]
    group = RolloutGroup(task.id, honest.peer_id, ROUND, tuple(Rollout(t) for t in texts))
    return Scene(
        identity=hostile,
        swarm="test",
        game=game,
        generations=CONFIG.game.generations,
        round=ROUND,
        victim=honest,
        victim_groups=(group,),
    )
