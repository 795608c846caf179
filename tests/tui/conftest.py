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
from core.pace import Machine
from tests.tui.support import ReplayNode, effective
from tui.app import WaggleApp

Settle = Callable[[Pilot[str]], object]
MACHINE = Machine(
    threads=2,
    few=8,
    many=128,
    sample={"exact": (4e-10, 2.4e-9), "bfloat16": (1.2e-10, 5e-10), "int8": (3e-11, 4e-10)},
    update={"float32": 1.3e-11, "bfloat16": 3.4e-12},
    move=8e-12,
    fresh=4e-10,
    draw=4.7e-10,
    alone=1.9e-11,
    operation=2.6e-6,
)
"""Two cores of a server of 2024."""


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
