"""The settings screen by keyboard and mouse: origins, search, validation, saving, undo."""

from __future__ import annotations

from core import config, settings_edit
from core.config import settings
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.settings_support import FILE, opened, quiet, seen, to, write
from tui.derive_settings import Row
from tui.screens.dashboard import Dashboard
from tui.screens.settings_line import SettingsLine


async def test_every_value_has_its_origin_and_no_secret_is_shown(home: Home) -> None:
    async with opened(home, "game.groups=4", size=(100, 150)) as (_, pilot, screen):
        told = seen(pilot)
        assert f"profile trio · {home.path.parent.parent}" in told
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


async def test_enter_on_what_stands_there_writes_nothing_and_empties_no_secret(home: Home) -> None:
    async with opened(home) as (_, pilot, screen):
        for key in ("model.threads", "chain.org_id"):
            await to(pilot, key)
            await pilot.press("enter", "enter")
            await quiet(pilot)
            assert not screen.query_one(SettingsLine).display
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


async def test_a_page_that_is_left_while_a_file_is_read_takes_it_all_the_same(home: Home) -> None:
    """An answer that came when the page's list had gone already ended the console."""
    async with opened(home) as (app, pilot, screen):
        theme = app.theme
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))
        screen._take(config.load(home=home, sets=["console.theme=waggle-light"]))
        screen._say("too late")
        assert app.theme == "waggle-light" != theme
