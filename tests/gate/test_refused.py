"""What was refused is kept for the screens, scored as far as it came, until the next round."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.training.games import load_game
from core.training.games.reasoning import ReasoningGame
from tests.hostile.gate import BAD, GOOD, Gate, group, sent
from tests.hostile.scene import CONFIG


@pytest.fixture(scope="module")
def game() -> Iterator[ReasoningGame]:
    made = load_game(CONFIG)
    yield made
    made.close()


def test_a_refused_group_comes_along_with_its_reason(game: ReasoningGame) -> None:
    gate = Gate(game)
    silent, stolen = group(game, right=0), group(game, peer=GOOD, slot=1)
    gate.play(sent(silent), sent(stolen, peer=BAD))
    told = [(who.peer_id, why.reason, why.group) for who, why in gate.keeper.refused]
    assert [each[:2] for each in told] == [(GOOD, "no_signal"), (BAD, "identity")]
    scored, unscored = told[0][2], told[1][2]
    assert scored is not None
    assert scored.rewards == (0.0,) * 4
    assert unscored is not None
    assert unscored.rollouts[0].reward is None
    gate.play(sent(group(game, slot=2)))
    assert gate.keeper.refused == [], "of the newest round only"
    gate.close()
