"""The log screen in pictures: what folds, what is found, what is told. See test_snapshots.py."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.home import Home
from tests.logfile_support import line, write_logs
from tests.tui.conftest import settle
from tests.tui.support import ReplayNode, begin, effective
from tests.tui.test_logs import HOSTILE, NOW, TRACE, indexed, until
from tui.app import WaggleApp
from tui.screens.logs.frame import Frame
from tui.screens.logs.screen import LogsScreen


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    monkeypatch.undo()
    time.tzset()


def console(*sets: str) -> WaggleApp:
    """A console whose home has the logs of two nodes and a network part."""
    home = Home(Path("home").absolute())
    node = "".join(
        line(n, "INFO", f"round {n:>5}  reward 0.{n % 90 + 10}  loss -0.0339  1.7 s  2878 tok/s")
        for n in range(60)
    )
    refused = "".join(
        line(60 + n / 100, "WARNING", "core.net.link: Connection refused") for n in range(1200)
    )
    rest = line(73, "INFO", HOSTILE) + line(74, "INFO", "w" * 90_000) + line(75, "DEBUG", "idle")
    failed = line(72, "ERROR", "core.worker: the round failed") + TRACE
    write_logs(home, {"node": node + refused + failed + rest})
    write_logs(home, {"net": line(70, "WARNING", "core.net.daemon: the daemon is slow")})
    other = home.node(2)
    other.logs.mkdir(parents=True)
    other.log.write_text(line(71, "INFO", "round    60  reward 0.31  loss +0.0121  1.9 s"))
    return WaggleApp(
        home,
        effective(home, *sets),
        node_factory=lambda config, place: ReplayNode(begin()),
        clock=lambda: NOW,
        ticking=False,
    )


def frame_of(app: WaggleApp) -> Frame:
    return app.screen.desk.frame  # type: ignore[attr-defined]


def searched(app: WaggleApp) -> bool:
    frame = frame_of(app)
    return frame.filter.pattern is None or (frame.searched == 1.0 and not frame.waiting)


def pressing(*keys: str, shows: tuple[str, ...]) -> Any:
    async def before(pilot: Pilot[str]) -> None:
        app = pilot.app
        assert isinstance(app, WaggleApp)
        await settle(pilot, lambda: app.starting == "")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, LogsScreen) and indexed(app))
        await pilot.press(*keys)
        await until(pilot, lambda: all(text in str(frame_of(app)) for text in shows))
        await until(pilot, lambda: searched(app))
        await settle(pilot, lambda: True)

    return before


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
def test_the_end(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(console(), terminal_size=size, run_before=pressing(shows=("idle",)))


def test_a_search_while_it_is_typed(snap_compare: Any) -> None:
    keys = ("slash", *"cuda|refused")
    before = pressing(*keys, shows=("self.step()", "'cuda|refused'"))
    assert snap_compare(console(), terminal_size=(100, 30), run_before=before)


@pytest.mark.parametrize("look", ["light", "ascii", "no_color"])
def test_looks(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    sets = {"light": ("console.theme=waggle-light",), "ascii": ("console.ascii=true",)}
    if look == "no_color":
        monkeypatch.setenv("NO_COLOR", "1")
    before = pressing(
        "slash", *"round failed", "enter", "w", "enter", shows=("worker.py", "'round failed'")
    )
    app = console(*sets.get(look, ()))
    assert snap_compare(app, terminal_size=(80, 24), run_before=before)
