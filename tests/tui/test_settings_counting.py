"""What a changed setting does, at once or not at all; secrets, lists, other hands, the mouse."""

from __future__ import annotations

import time

import pytest
from textual.events import Paste

from core import config
from core.errors import TransientError
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.settings_support import FILE, opened, quiet, seen, to, write
from tests.tui.support import ReplayNode, begin
from tui import capture
from tui.app import WaggleApp
from tui.screens.failure import FailureScreen
from tui.screens.settings_line import SettingsLine
from tui.screens.settings_list import SettingsList


async def test_the_console_takes_its_settings_at_once(home: Home) -> None:
    async with opened(home) as (app, pilot, screen):
        await to(pilot, "console.theme")
        await write(pilot, "no-such-theme")
        assert "There is no theme 'no-such-theme'" in seen(pilot)
        await pilot.press("ctrl+u", *"waggle-light", "enter")
        await quiet(pilot)
        assert app.theme == "waggle-light"
        assert "It counts now." in seen(pilot)
        await pilot.press("escape")
        await to(pilot, "console.ascii")
        await pilot.press("enter", "up", "enter")
        await quiet(pilot)
        assert app.ascii
        assert app.pen.glyphs.ascii
        assert capture.text_of(app).isascii()
        assert all(row.pending is None for row in screen._rows)
        await pilot.press("u", "escape")
        await quiet(pilot)
        assert not app.pen.glyphs.ascii
        await to(pilot, "console.on_hangup")
        await pilot.press("enter", "down", "enter")
        await quiet(pilot)
        assert app.effective is not None
        assert app.effective.config.console.on_hangup == "continue"


async def test_the_pace_of_a_ticking_console_changes(home: Home) -> None:
    home.create()
    home.config.write_text("console:\n  refresh_hz: 0.2\n")
    load = lambda: config.load(home=home)  # noqa: E731
    node = ReplayNode(begin())
    app = WaggleApp(home, load(), load=load, node_factory=lambda effective, place: node)
    async with app.run_test() as pilot:
        await settle(pilot, lambda: app.starting == "")
        await pilot.press("s")
        await quiet(pilot)
        before = app._ticks
        await to(pilot, "console.refresh_hz")
        await write(pilot, "4")
        await pilot.press("enter")
        await quiet(pilot)
        assert app._ticks is not before


@pytest.mark.parametrize("layer", ["flag", "environment"])
async def test_a_value_that_the_file_cannot_change_says_so(
    home: Home, layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = ("log.level=debug",) if layer == "flag" else ()
    if layer == "environment":
        monkeypatch.setenv("WAGGLE__LOG__LEVEL", "debug")
    where = "--set log.level" if layer == "flag" else "WAGGLE__LOG__LEVEL"
    async with opened(home, *sets) as (_, pilot, _screen):
        await to(pilot, "log.level")
        assert f"Set by {where}, which wins over config.yaml until it is gone." in seen(pilot)
        await write(pilot, "error")
        await pilot.press("enter")
        await quiet(pilot)
        assert f"{where} still wins over it." in seen(pilot)
        assert "level: error" in home.config.read_text()
        assert "level debug" in seen(pilot)


async def test_a_secret_is_set_without_an_echo_and_never_copied(home: Home) -> None:
    async with opened(home) as (app, pilot, screen):
        await to(pilot, "chain.org_id")
        await pilot.press("enter")
        line = screen.query_one(SettingsLine).input
        assert line.password
        assert line.value == ""
        line.post_message(Paste("f00dcafe-other"))
        await pilot.pause()
        assert "f00d" not in seen(pilot)
        await pilot.press("enter")
        await quiet(pilot)
        assert config.load(home=home, env={}).config.chain.org_id == "f00dcafe-other"
        assert "f00d" not in seen(pilot)
        await pilot.press("y")
        assert "A secret is never copied." in seen(pilot)
        assert app.clipboard == ""
        await pilot.press("escape")
        await to(pilot, "chain.rpc_url")
        await pilot.press("enter")
        assert line.value == ""
        assert not line.password
        await pilot.press("escape", "y")
        assert app.clipboard == ""
        await pilot.press("escape")
        await to(pilot, "game.groups")
        await pilot.press("y")
        assert app.clipboard == "game.groups=8"


async def test_a_list_is_typed_with_commas(home: Home) -> None:
    async with opened(home) as (_, pilot, _screen):
        await to(pilot, "net.bootnodes")
        await write(pilot, "/ip4/1.2.3.4/tcp/1/p2p/Qm1, /ip4/1.2.3.4/tcp/2/p2p/Qm2")
        await pilot.press("enter")
        await quiet(pilot)
        assert len(config.load(home=home, env={}).config.net.bootnodes) == 2
        await write(pilot, "")
        await pilot.press("enter")
        await quiet(pilot)
        assert config.load(home=home, env={}).config.net.bootnodes == []


async def test_another_hand_in_the_file_is_seen_and_not_overwritten(home: Home) -> None:
    async with opened(home) as (_, pilot, _screen):
        await to(pilot, "log.level")
        await write(pilot, "error")
        await pilot.press("enter")
        await quiet(pilot)
        theirs = home.config.read_text() + "eval:\n  tasks: 9\n"
        home.config.write_text(theirs)
        await pilot.press("u")
        await quiet(pilot)
        assert "changed by another hand" in seen(pilot)
        assert home.config.read_text() == theirs
        home.config.write_text("model: [")
        await write(pilot, "debug")
        await pilot.press("enter")
        await quiet(pilot)
        assert "config.yaml, line" in seen(pilot)
        assert home.config.read_text() == "model: ["


async def test_by_mouse(home: Home) -> None:
    async with opened(home) as (_, pilot, screen):
        await pilot.click(SettingsList, offset=(5, 3))
        assert screen.list.row is not None
        assert screen.list.row.key == "swarm.nodes"
        await pilot.click(SettingsList, offset=(5, 0))  # a heading is no setting
        assert screen.list.row.key == "swarm.nodes"
        await pilot.click(SettingsList, offset=(5, 3), times=2)
        assert screen.query_one(SettingsLine).key == "swarm.nodes"
        await pilot.press("escape")
        await pilot.click("#keys-settings KeyBar", offset=(25, 0))
        await pilot.pause()
        assert screen.query_one(SettingsLine).display


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (20, 5), (200, 60)])
async def test_moving_is_quick_and_stays_inside_at_any_size(
    home: Home, size: tuple[int, int]
) -> None:
    async with opened(home, size=size) as (_, pilot, screen):
        for key in ("end", "down", "pagedown", "up", "pageup", "l", "l", "h", "home", "up", "j"):
            await pilot.press(key)
            found = screen.list
            assert found.row is not None
            assert found.top <= found.cursor < max(found.top + found.height, found.top + 1)
        started = time.perf_counter()
        for _ in range(100):
            screen.list.move(1)
        assert (time.perf_counter() - started) / 100 < 0.02


async def test_a_node_that_cannot_start_is_mended_here(home: Home) -> None:
    home.create()
    home.config.write_text(FILE)
    load = lambda: config.load(home=home)  # noqa: E731

    def fails(effective: object, place: object) -> ReplayNode:
        raise TransientError("There is no model some/model on the Hugging Face Hub")

    app = WaggleApp(home, load(), load=load, node_factory=fails, ticking=False)
    async with app.run_test() as pilot:
        await settle(pilot, lambda: app.failure is not None)
        await settle(pilot, lambda: isinstance(app.screen, FailureScreen))
        await pilot.press("s")
        await quiet(pilot)
        await to(pilot, "model.id")
        await write(pilot, "waggle-tiny")
        await pilot.press("enter")
        await quiet(pilot)
        await pilot.press("escape", "escape")
        await settle(pilot, lambda: isinstance(app.screen, FailureScreen))
        await pilot.press("enter")
    assert load().config.model.id == "waggle-tiny"
