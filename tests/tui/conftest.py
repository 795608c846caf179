"""Consoles under test: a fixed clock, no timer, a home of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core import events, measuring
from core.home import Home
from tests.measured import MACHINE
from tests.tui.support import ReplayNode, effective
from tui.app import WaggleApp

Settle = Callable[[Pilot[str]], object]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast the machine is, is known already: measuring takes seconds of every core."""
    monkeypatch.setattr(measuring, "SESSION", measuring.Measurement(MACHINE))


@asynccontextmanager
async def running(
    home: Home,
    recorded: list[events.Event],
    now: float,
    size: tuple[int, int] = (80, 24),
    sets: tuple[str, ...] = (),
) -> AsyncIterator[tuple[WaggleApp, Pilot[str], ReplayNode]]:
    """A dashboard whose node has emitted `recorded`, drawn once."""
    node = ReplayNode(recorded)
    app = WaggleApp(
        home,
        effective(home, *sets),
        node_factory=lambda config, place: node,
        clock=lambda: now,
        ticking=False,
    )
    async with app.run_test(size=size) as pilot:
        await settle(pilot, lambda: app.starting == "")
        yield app, pilot, node


async def settle(pilot: Pilot[str], until: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Let the app work until `until`, tick, and let it draw."""
    await pilot.pause()
    for _ in range(int(timeout_s / 0.01)):
        if until():
            break
        await asyncio.sleep(0.01)
    assert until(), "the console did not get there in time"
    app = pilot.app
    app.tick()  # type: ignore[attr-defined]
    await pilot.pause()
    app.tick()  # type: ignore[attr-defined]
    await pilot.pause()
