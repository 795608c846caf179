"""The settings screen at two sizes and in every look. To change: `--snapshot-update`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core import config
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.support import START, ReplayNode, begin
from tui.app import WaggleApp

FILE = """\
profile: trio
model:
  id: Qwen/Qwen2.5-0.5B-Instruct
chain:
  rpc_url: http://user:pass@rpc.example:8545/v2/APIKEY
  org_id: b2f0c6de-0b3c-4c1e
"""
LOOKS = [
    ("waggle", (80, 24)),
    ("waggle", (140, 40)),
    ("waggle-light", (140, 40)),
    ("waggle-colourblind", (80, 24)),
    ("no-color", (80, 24)),
    ("ascii", (80, 24)),
]


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same path on every machine."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)


def app(*sets: str) -> WaggleApp:
    home = Home(Path("home"))
    home.create()
    home.config.write_text(FILE)
    load = lambda: config.load(None, home, env={}, sets=sets)  # noqa: E731
    return WaggleApp(
        home,
        load(),
        load=load,
        node_factory=lambda effective, place: ReplayNode(begin()),
        clock=lambda: START + 3,
        ticking=False,
    )


def pressing(*keys: str) -> Any:
    async def before(pilot: Pilot[str]) -> None:
        await settle(pilot, lambda: pilot.app.starting == "")  # type: ignore[attr-defined]
        for key in ("s", *keys):
            await pilot.press(key)
            await settle(pilot, lambda: not getattr(pilot.app.screen, "_busy", False))

    return before


@pytest.mark.parametrize(
    ("look", "size"),
    LOOKS,
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}x{value[1]}",
)
def test_settings(
    snap_compare: Any, look: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    sets = {"ascii": ("console.ascii=true",), "no-color": ()}.get(look, (f"console.theme={look}",))
    before = pressing("down", "down", "l", "down", "down", "down")
    assert snap_compare(app(*sets), terminal_size=size, run_before=before)


@pytest.mark.parametrize(
    ("keys", "sets"),
    [
        (("slash", *"url"), ()),
        (("slash", *"threads", "enter", "enter", "ctrl+u", *"9999"), ()),
        (("slash", *"max", "enter", "enter", "ctrl+u", "3", "enter"), ()),
        (("slash", *"level", "enter", "enter", "down"), ("log.level=debug",)),
    ],
    ids=["search", "wrong", "saved", "flag"],
)
def test_changing(snap_compare: Any, keys: tuple[str, ...], sets: tuple[str, ...]) -> None:
    assert snap_compare(app(*sets), terminal_size=(80, 24), run_before=pressing(*keys))
