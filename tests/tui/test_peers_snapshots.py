"""How peers and rewards look: at both sizes, dark and light, without colour, in ASCII."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.home import Home
from tests.tui import peers_support, rewards_support
from tests.tui.conftest import settle
from tests.tui.support import ReplayNode, begin, effective
from tests.tui.test_snapshots import SIZE_NAMES, SIZES, same_everywhere
from tui.app import WaggleApp
from tui.screens.peers import PeersScreen
from tui.screens.rewards import RewardsScreen

__all__ = ["same_everywhere"]
"""The fixture of all snapshots, used here too."""


def console(*sets: str, trouble: bool = False) -> WaggleApp:
    """A node with a leaderboard of three hundred and a ledger of 240 rounds."""
    home = Home(Path("home"))
    rewards_support.fill(home, 240, peers_support.NOW)
    ledger = rewards_support.told(home, trouble)
    swarm = peers_support.swarm(300)[1:]
    peers_support.save(home, peers_support.entries(300), rewards_support.SWARM)
    return WaggleApp(
        home,
        effective(home, *sets),
        node_factory=lambda config, place: ReplayNode([*begin(), *swarm, *ledger]),
        clock=lambda: max(peers_support.NOW, rewards_support.NOW) + 2,
        ticking=False,
    )


def pressing(*keys: str) -> Any:
    async def before(pilot: Pilot[str]) -> None:
        app = pilot.app
        assert isinstance(app, WaggleApp)
        await settle(pilot, lambda: app.starting == "")
        for key in keys:
            await pilot.press(key)
            await settle(pilot, lambda: read(app))

    return before


def read(app: WaggleApp) -> bool:
    """Whether all that threads read is on the screen."""
    app.tick()
    screen = app.screen
    if isinstance(screen, PeersScreen):
        return len(screen._rows) >= 300
    if isinstance(screen, RewardsScreen):
        return screen.table.length > 0 and screen._figures is not None
    return True


@pytest.mark.parametrize("size", SIZES, ids=SIZE_NAMES)
@pytest.mark.parametrize(
    "keys",
    [("n",), ("n", "2"), ("n", "4"), ("n", "7", "j", "j", "enter"), ("w",), ("w", "2"), ("w", "f")],
    ids=["peers", "gossip", "quarantine", "peer", "rewards", "counters", "failed"],
)
def test_pages(snap_compare: Any, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    assert snap_compare(console(), terminal_size=size, run_before=pressing(*keys))


@pytest.mark.parametrize(
    "keys",
    [("n", "3"), ("n", "slash", "f", "o", "x"), ("n", "s", "s", "s", "l"), ("w", "3")],
    ids=["network", "search", "sorted", "queue"],
)
def test_small_terminals(snap_compare: Any, keys: tuple[str, ...]) -> None:
    assert snap_compare(console(trouble=True), terminal_size=(80, 24), run_before=pressing(*keys))


@pytest.mark.parametrize("key", ["n", "w"], ids=["peers", "rewards"])
@pytest.mark.parametrize("look", ["waggle-light", "waggle-colourblind", "ascii", "no-color"])
def test_looks(snap_compare: Any, look: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    sets = {"ascii": ("console.ascii=true",), "no-color": ()}.get(look, (f"console.theme={look}",))
    app = console(*sets, trouble=True)
    assert snap_compare(app, terminal_size=(140, 40), run_before=pressing(key))
