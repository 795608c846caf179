"""The settings screen by keyboard and mouse: origins, search, validation, saving, undo."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from textual.events import Paste
from textual.pilot import Pilot

from core import config, settings_edit
from core.config import settings, value_of
from core.errors import TransientError
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.support import START, ReplayNode, begin
from tui import capture, derive_settings
from tui.app import WaggleApp
from tui.derive_settings import Heading, Row, lines, meant, rows, told_value
from tui.draw import Pen
from tui.draw_settings import ROWS, About, about_text
from tui.glyphs import ASCII, UNICODE
from tui.palette import Palette
from tui.screens.dashboard import Dashboard
from tui.screens.failure import FailureScreen
from tui.screens.settings import SettingsScreen
from tui.screens.settings_line import SettingsLine
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


async def test_every_value_has_its_origin_and_no_secret_is_shown(home: Home) -> None:
    async with opened(home, "game.groups=4", size=(100, 150)) as (_, pilot, screen):
        told = seen(pilot)
        assert "profile trio · 100 settings" in told or f"{len(settings())} settings" in told
        for row in screen._rows:
            assert row.name in told
        assert "some/model config.yaml" in told
        assert "nodes 3 profile" in told
        assert "groups 4 flag wins" in told
        assert "rpc_url http://rpc.example:8545/... config.yaml" in told
        for secret in ("APIKEY", "user:pass", "b2f0c6de"):
            assert secret not in told


async def test_search_only_set_ones_and_back(home: Home) -> None:
    async with opened(home) as (app, pilot, screen):
        await pilot.press("slash", *"bootnode")
        await pilot.pause()
        assert {r.key for r in screen.list.lines if isinstance(r, Row)} >= {"net.bootnodes"}
        assert "with 'bootnode'" in seen(pilot)
        await pilot.press("escape")  # as before
        assert len([r for r in screen.list.lines if isinstance(r, Row)]) == len(settings())
        await pilot.press("o")
        shown = [r for r in screen.list.lines if isinstance(r, Row)]
        assert shown
        assert all(r.layer != "default" for r in shown)
        await pilot.press("slash", *"no such words", "enter")
        await pilot.pause()
        assert "No setting has all these words." in seen(pilot)
        await pilot.press("enter", "x", "y", "u", "down", "end", "l", "h")  # nothing to do it to
        await pilot.press("escape")
        assert screen.list.row is not None
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))


async def test_a_value_is_checked_while_it_is_typed_and_kept_with_its_comments(home: Home) -> None:
    async with opened(home) as (app, pilot, screen):
        await to(pilot, "model.threads")
        await write(pilot, "-1")
        assert "must be between 0 and 512" in seen(pilot)
        await pilot.press("enter")
        assert screen.query_one(SettingsLine).display  # it is not left with a wrong value
        assert home.config.read_text() == FILE
        await pilot.press("ctrl+u", *"many")
        await pilot.pause()
        assert "must be a whole number" in seen(pilot)
        await pilot.press("ctrl+u", "3")
        await pilot.pause()
        assert "must be" not in seen(pilot)
        await pilot.press("enter")
        await quiet(pilot)
        assert home.config.read_text() == FILE.replace("# why\n", "# why\n  threads: 3\n")
        assert settings_edit.backup_of(home).read_text() == FILE
        told = seen(pilot)
        assert "It counts from the node's next start." in told
        assert "The node still runs with 1, until its next start." in told
        assert "1 at restart" in told
        assert app.effective is not None
        assert app.effective.config.model.threads == 1
        await pilot.press("u")
        await quiet(pilot)
        assert home.config.read_text() == FILE
        assert "at restart" not in seen(pilot)
        await pilot.press("u")
        assert "Nothing was changed here yet." in seen(pilot)


async def test_esc_leaves_a_setting_as_it_was(home: Home) -> None:
    async with opened(home) as (_, pilot, _screen):
        await to(pilot, "log.level")
        await pilot.press("enter", "down", "escape")
        assert home.config.read_text() == FILE


async def test_choices_are_gone_through_by_up_and_down(home: Home) -> None:
    async with opened(home) as (_, pilot, screen):
        await to(pilot, "log.level")
        await pilot.press("enter", "down", "down")
        assert screen.query_one(SettingsLine).input.value == "error"
        await pilot.press("down", "up", "up", "enter")
        await quiet(pilot)
        assert config.load(home=home, env={}).config.log.level == "warning"


async def test_a_setting_is_taken_out(home: Home) -> None:
    async with opened(home) as (_, pilot, _screen):
        await to(pilot, "model.id")
        await pilot.press("x")
        await quiet(pilot)
        assert "taken out of" in seen(pilot)
        assert "some/model" not in home.config.read_text()
        await pilot.press("x")
        await quiet(pilot)
        assert "is not in config.yaml" in seen(pilot)


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
        assert f"Set by {where}, which wins over config.yaml." in seen(pilot)
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


# --- pure -------------------------------------------------------------------------------------


def effective(*sets: str) -> config.Effective:
    return config.load("solo", env={}, sets=sets)


def test_rows_are_the_schema_in_order_under_their_headings() -> None:
    found = rows(effective(), effective().config)
    assert [row.key for row in found] == list(settings())
    shown = lines(found)
    headings = [each.section for each in shown if isinstance(each, Heading)]
    assert headings == list(dict.fromkeys(row.section for row in found))
    assert all(heading.about for heading in shown if isinstance(heading, Heading))
    assert len(shown) == len(found) + len(headings)


def test_what_a_row_begins_an_edit_with_means_the_same_value() -> None:
    now = effective("net.bootnodes=[a, b]", "training.learning_rate=5e-4")
    for row in rows(now, now.config):
        text = derive_settings.editable(row, now)
        assert meant(row.key, text) == value_of(now.config, row.key), row.key


def test_an_error_never_repeats_a_secret() -> None:
    for text in ("x" * 200, "\x1b[2J"):
        assert meant("chain.org_id", text) == text  # any text is one: nothing is said of it
    assert told_value("chain.org_id", "b2f0") == "[hidden]"
    assert told_value("chain.rpc_url", "http://a/KEY,http://b") == "http://a/..., http://b"


@pytest.mark.parametrize("width", [10, 40, 80, 140])
@pytest.mark.parametrize("signs", [UNICODE, ASCII])
def test_what_is_said_of_any_setting_fits(width: int, signs: object) -> None:
    pen = Pen(signs, Palette())  # type: ignore[arg-type]
    now = effective("log.level=debug", "model.id=\u202eevil\x1b[31m")
    for row in rows(now, effective().config):
        text = about_text(About(row, "What you typed: " + "x " * 300, "degraded"), width, pen)
        shown = text.plain.split("\n")
        assert len(shown) <= ROWS + 1
        assert all(len(line) <= width for line in shown)
        assert "\x1b" not in text.plain
        assert "\u202e" not in text.plain
