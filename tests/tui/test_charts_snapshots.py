"""The charts screen at two sizes and in every look. After a wanted change: `--snapshot-update`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from core.home import Home
from tests.tui.charts_support import run
from tests.tui.support import START, ReplayNode, effective
from tests.tui.test_snapshots import pressing
from tui.app import WaggleApp


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The same clock, terminal and path on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TERM", "xterm-256color")
    time.tzset()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    monkeypatch.undo()
    time.tzset()


def app(*sets: str) -> WaggleApp:
    home = Home(Path("home"))
    return WaggleApp(
        home,
        effective(home, *sets),
        node_factory=lambda config, place: ReplayNode(run(1, 345)),
        clock=lambda: START + 2000.0,
        ticking=False,
    )


READ = ("c", "H", "H", "H", "space", "H", "s", "s", "s")


@pytest.mark.parametrize(
    ("look", "size"),
    [
        ("waggle", (80, 24)),
        ("waggle", (140, 40)),
        ("waggle-light", (140, 40)),
        ("no-color", (80, 24)),
        ("ascii", (80, 24)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}x{value[1]}",
)
def test_charts(
    snap_compare: Any, look: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    sets = {"ascii": ("console.ascii=true",), "no-color": ()}.get(look, (f"console.theme={look}",))
    assert snap_compare(app(*sets), terminal_size=size, run_before=pressing(*READ))


def test_one_chart_alone_on_a_logarithmic_scale(snap_compare: Any) -> None:
    keys = ("c", "down", "enter", "plus", "plus", "left", "v")
    assert snap_compare(app(), terminal_size=(80, 24), run_before=pressing(*keys))


def test_the_filter_line(snap_compare: Any) -> None:
    keys = ("c", "slash", *"kl|clip")
    assert snap_compare(app(), terminal_size=(80, 24), run_before=pressing(*keys))
