"""A short part of the fuzz run; `benchmarks/console.py --fuzz` makes the long one."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key
from textual.message import Message
from textual.widgets import Tabs

from core import config
from core.home import Home
from tests.tui.conftest import running, settle
from tests.tui.fuzzing import Fuzz
from tests.tui.support import ReplayNode, history, now_of
from tui import capture
from tui.app import WaggleApp

INPUTS = 300


@pytest.mark.parametrize("seed", [4, 6])
async def test_no_keys_break_a_console(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fuzz = Fuzz(tmp_path, seed)
    await fuzz.play(INPUTS)
    assert fuzz.made >= INPUTS


@pytest.mark.parametrize(("page", "last"), [("", "Rewards"), ("n", "Network"), ("w", "Queue")])
async def test_a_quick_hand_ends_where_it_went(home: Home, page: str, last: str) -> None:
    """Keys that come faster than pages are drawn once made two of them take turns for ever."""
    node, activated = ReplayNode(history(3)), 0

    def count(message: Message) -> None:
        nonlocal activated
        activated += isinstance(message, Tabs.TabActivated)

    app = WaggleApp(
        home,
        config.load("trio", home, env={}),
        node_factory=lambda *_: node,
        clock=lambda: now_of(3),
        ticking=False,
    )
    async with app.run_test(size=(80, 24), message_hook=count) as pilot:
        await settle(pilot, lambda: app.starting == "")
        if page:
            await pilot.press(page)
        before = activated
        for key in "12121213":
            app.post_message(Key(key, key))
        await settle(pilot, lambda: True)
        await pilot.pause(0.3)
        assert activated - before <= 40  # each is counted on its way up
        active = app.screen.query_one(Tabs).active_tab
        assert active is not None
        assert last in str(active.label)
        assert f"3 {last}" in capture.text_of(app)


async def test_turning_the_page_of_an_empty_palette_is_harmless(home: Home) -> None:
    """Textual 8.2.8 fails there, and with it the console and its node."""
    async with running(home, history(1), now_of(1)) as (app, pilot, _):
        await pilot.press("ctrl+p", *"zzzz", "pagedown", "pageup", "end", "home", "down", "enter")
        await pilot.resize_terminal(3, 2)
        await pilot.press("pagedown", "escape")
        assert app._exception is None
