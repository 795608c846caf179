"""What the tests of the settings screen share: a console with that screen open, and its keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.events import Paste
from textual.pilot import Pilot

from core import config
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.support import START, ReplayNode, begin
from tui import capture
from tui.app import WaggleApp
from tui.screens.settings import SettingsScreen
from tui.screens.settings_list import SettingsList

FILE = """\
# mine
profile: trio
model:
  id: some/model   # why
chain:
  rpc_url: http://user:pass@rpc.example:8545/v2/APIKEY
  org_id: b2f0c6de-0b3c-4c1e
"""


@asynccontextmanager
async def opened(
    home: Home, *sets: str, text: str = FILE, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[WaggleApp, Pilot[str], SettingsScreen]]:
    home.create()
    home.config.write_text(text)
    load: Callable[[], config.Effective] = lambda: config.load(home=home, sets=sets)  # noqa: E731
    app = WaggleApp(
        home,
        load(),
        load=load,
        node_factory=lambda effective, place: ReplayNode(begin()),
        clock=lambda: START + 3,
        ticking=False,
    )
    async with app.run_test(size=size) as pilot:
        await settle(pilot, lambda: app.starting == "")
        await pilot.press("s")
        assert isinstance(app.screen, SettingsScreen)
        await quiet(pilot)
        yield app, pilot, app.screen


async def quiet(pilot: Pilot[str]) -> None:
    await settle(pilot, lambda: not pilot.app.screen._busy)  # type: ignore[attr-defined]


def seen(pilot: Pilot[str]) -> str:
    return " ".join(capture.text_of(pilot.app).split())


async def to(pilot: Pilot[str], key: str) -> None:
    """Search for a setting and keep what was found."""
    await pilot.press("slash", "ctrl+u")
    pilot.app.screen.focused.post_message(Paste(key))  # type: ignore[union-attr]
    await pilot.pause()
    await pilot.press("enter")
    await pilot.pause()
    row = pilot.app.screen.query_one(SettingsList).row
    assert row is not None
    assert row.key == key


async def write(pilot: Pilot[str], text: str) -> None:
    """Change the chosen setting."""
    await pilot.press("enter", "end", "ctrl+u")
    pilot.app.screen.focused.post_message(Paste(text))  # type: ignore[union-attr]
    await pilot.pause()
