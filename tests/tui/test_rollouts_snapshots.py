"""The rollouts screen, two sizes and every look; after a wanted change: `--snapshot-update`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from core.home import Home
from tests.tui.rollouts_support import history, now_of
from tests.tui.support import ReplayNode, effective
from tests.tui.test_snapshots import pressing
from tui.app import WaggleApp

ROUNDS = 12


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
        node_factory=lambda config, place: ReplayNode(history(ROUNDS)),
        clock=lambda: now_of(ROUNDS),
        ticking=False,
    )


@pytest.mark.parametrize(
    ("look", "size", "keys"),
    [
        ("waggle", (80, 24), ()),
        ("waggle", (140, 40), ("j", "j")),
        ("waggle-light", (140, 40), ("4",)),
        ("no-color", (80, 24), ("4",)),
        ("ascii", (80, 24), ("j", "space")),
    ],
    ids=["80x24", "140x40", "light", "no-color", "ascii"],
)
def test_rollouts(
    snap_compare: Any,
    look: str,
    size: tuple[int, int],
    keys: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    sets = {"ascii": ("console.ascii=true",), "no-color": ()}.get(look, (f"console.theme={look}",))
    assert snap_compare(app(*sets), terminal_size=size, run_before=pressing("r", *keys))


def test_one_group_on_the_whole_screen(snap_compare: Any) -> None:
    keys = pressing("r", "4", "enter")
    assert snap_compare(app(), terminal_size=(80, 24), run_before=keys)
