"""Every screen at 80x24 and 140x40. After a wanted change: `pytest tests/tui --snapshot-update`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core import free_memory
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.support import START, ReplayNode, begin, effective, history, now_of
from tui.app import WaggleApp

SIZES = [(80, 24), (140, 40)]
SIZE_NAMES = ["80x24", "140x40"]


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The same clock, memory, model and path on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(free_memory, "device_of", lambda config: "cpu")
    monkeypatch.setattr(free_memory, "budget", lambda config, device: 16 * 2**30)
    yield
    monkeypatch.undo()
    time.tzset()


def dashboard(rounds: int, *sets: str) -> WaggleApp:
    home = Home(Path("home"))
    recorded = history(rounds) if rounds else begin()[:3]
    return WaggleApp(
        home,
        effective(home, *sets),
        node_factory=lambda config, place: ReplayNode(recorded),
        clock=lambda: now_of(rounds) if rounds else START + 2,
        ticking=False,
    )


def pressing(*keys: str) -> Any:
    async def before(pilot: Pilot[str]) -> None:
        await settle(pilot, lambda: pilot.app.starting == "")  # type: ignore[attr-defined]
        for key in keys:
            await pilot.press(key)
            await settle(pilot, lambda: True)

    return before


@pytest.mark.parametrize("size", SIZES, ids=SIZE_NAMES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("dashboard", ()),
        ("help", ("question_mark",)),
        ("quit", ("q",)),
    ],
    ids=["dashboard", "help", "quit"],
)
def test_pages(snap_compare: Any, name: str, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    assert snap_compare(dashboard(60), terminal_size=size, run_before=pressing(*keys))


@pytest.mark.parametrize("key", ["2", "3", "4"])
def test_panes_of_a_small_terminal(snap_compare: Any, key: str) -> None:
    assert snap_compare(dashboard(60), terminal_size=(80, 24), run_before=pressing(key))


@pytest.mark.parametrize("size", SIZES, ids=SIZE_NAMES)
def test_starting(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(dashboard(0), terminal_size=size, run_before=pressing())


@pytest.mark.parametrize("look", ["waggle-light", "waggle-colourblind", "ascii", "no-color"])
def test_looks(snap_compare: Any, look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    sets = {"ascii": ("console.ascii=true",), "no-color": ()}.get(look, (f"console.theme={look}",))
    assert snap_compare(dashboard(60, *sets), terminal_size=(140, 40), run_before=pressing())
