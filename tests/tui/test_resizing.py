"""A terminal that becomes larger: no frame shows a pane that comes into sight empty.

Every frame is read as it is drawn, not the last one alone: over a slow link, or beside a trainer,
the first one stays for as long as a person needs to wonder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.home import Home
from tests.tui import peers_support, rewards_support
from tests.tui.conftest import settle
from tests.tui.peers_support import NOW
from tests.tui.support import ReplayNode, effective, history
from tests.tui.test_peers_snapshots import read
from tui import app as console
from tui import capture
from tui.app import WaggleApp

SMALL, LARGE = (80, 24), (140, 40)


class Framed(WaggleApp):
    """Keeps the text of every frame."""

    CSS_PATH = Path(console.__file__).with_name("app.tcss")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.frames: list[str] = []

    def _display(self, screen: Any, renderable: Any) -> None:
        super()._display(screen, renderable)
        if screen is self.screen and tuple(self.size) == LARGE:
            self.frames.append(capture.text_of(self))


@pytest.mark.parametrize(
    ("key", "behind", "words"),
    [
        ("", ("1", "4"), ("brief nifty fossa", "submitted 20")),
        (
            "n",
            ("1", "3"),
            ("dappled diligent", "dialled this node", "round 240  shy", "3 schedule"),
        ),
        ("w", ("1", "2"), ("credited", "coordinator was asked", "points of this", "Stages")),
    ],
    ids=["dashboard", "peers", "rewards"],
)
async def test_what_comes_into_sight_is_there_in_its_first_frame(
    home: Home, key: str, behind: Sequence[str], words: Sequence[str]
) -> None:
    rewards_support.fill(home, 60, NOW)
    peers_support.save(home, peers_support.entries(300), rewards_support.SWARM)
    told = [*history(20), *peers_support.swarm(300)[1:], *rewards_support.told(home)]
    app = Framed(
        home,
        effective(home),
        node_factory=lambda config, place: ReplayNode(told),
        clock=lambda: NOW + 2,
        ticking=False,
    )
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot, lambda: app.starting == "")
        await pilot.press(*key)
        await settle(pilot, lambda: read(app))
        for pane in behind:
            await pilot.press(pane)
            await pilot.resize_terminal(*LARGE)
            await pilot.pause()
            frames, app.frames = app.frames, []
            await pilot.resize_terminal(*SMALL)
            await pilot.pause()
            assert frames
            for frame in frames:
                missing = [word for word in words if word not in frame]
                assert not missing, (missing, frame)
