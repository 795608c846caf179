"""A gatekeeper with a clock to turn, and contributions to put before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from core import events
from core.gate.admission import Doubts
from core.gate.gatekeeper import Gatekeeper
from core.gate.remembered import Remembered
from core.protocols import Gathered, PeerRecord
from core.rollouts import Rollout, RolloutGroup
from core.schema import Config
from core.training.games.reasoning import ReasoningGame
from tests.hostile.conftest import ROUND
from tests.hostile.scene import CONFIG

ME, GOOD, BAD = "QmMe", "QmGood", "QmBad"


class Gate:
    """A gatekeeper with a clock to turn and the events that it told."""

    def __init__(
        self,
        game: ReasoningGame,
        config: Config = CONFIG,
        db: Path | None = None,
        doubts: Doubts | None = None,
    ) -> None:
        self.now = 1_000_000.0
        self.told: list[events.Event] = []
        self.remembered = Remembered(db)
        self.keeper = Gatekeeper(
            game, config, ME, self.remembered, self.told.append, doubts, lambda: self.now
        )

    def play(
        self, *gathered: Gathered, round: int = ROUND, own: Sequence[RolloutGroup] = ()
    ) -> list[RolloutGroup]:
        self.told.clear()
        self.keeper.open(round, own)
        admitted, rejections = self.keeper.judge(round, gathered)
        assert rejections == len(self.of(events.GroupRejected))
        return admitted

    def of(self, kind: type[events.Event]) -> list[events.Event]:
        return [event for event in self.told if type(event) is kind]

    @property
    def reasons(self) -> Counter[str]:
        return Counter(e.reason for e in self.told if isinstance(e, events.GroupRejected))

    def close(self) -> None:
        self.remembered.close()


def group(
    game: ReasoningGame, peer: str = GOOD, slot: int = 0, right: int = 2, round: int = ROUND
) -> RolloutGroup:
    task = game.task(game.schedule(peer, round)[slot])
    texts = [f"<answer>{task.answer if n < right else 'no'}</answer> {n}" for n in range(4)]
    return RolloutGroup(task.id, peer, round, tuple(Rollout(text) for text in texts))


def sent(
    *groups: RolloutGroup, peer: str = GOOD, signed: bool = True, reason: str = ""
) -> Gathered:
    record = PeerRecord(
        peer, f"name of {peer}", ROUND, 0, "d", 1, len(groups), 0.9, 0.0, 12.5, signed
    )
    return Gathered(record, groups, reason, reason)
