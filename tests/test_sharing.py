"""What a round asks of its exchange, and when. The exchange is an in-test double."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from core import events
from core.protocols import Gathered, PeerRecord
from core.rollouts import RolloutGroup
from core.schema import Config, GameSection
from tests.test_worker import Bench, TestClock


class Lonely:
    """An exchange with nobody at the other end; remembers what it was asked."""

    peer_id = "me"

    def __init__(self) -> None:
        self.published: list[int] = []
        self.wanted: list[int] = []

    def publish(self, round: int, stage: int, groups: Sequence[RolloutGroup]) -> None:
        self.published.append(round)

    def gather(
        self,
        round: int,
        stage: int,
        *,
        want: int,
        timeout_s: float,
        stop: threading.Event,
        avoid: Callable[[str, bool], bool],
    ) -> list[Gathered]:
        self.wanted.append(want)
        return []

    def peers(self) -> list[PeerRecord]:
        return []

    def close(self) -> None: ...


@pytest.mark.parametrize(("foreign_groups", "wanted"), [(0, []), (4, [4, 4])])
def test_who_trains_on_nobody_publishes_and_asks_nobody(
    foreign_groups: int, wanted: list[int]
) -> None:
    bench, exchange = Bench(TestClock(3, 4), max_rounds=2), Lonely()
    bench.parts.exchange = exchange
    bench.parts.config = replace(Config(), game=GameSection(foreign_groups=foreign_groups))
    bench.run()
    assert exchange.published == [3, 4]
    assert exchange.wanted == wanted
    assert [event.round for event in bench.of(events.RoundFinished)] == [3, 4]
