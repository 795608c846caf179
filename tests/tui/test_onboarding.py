"""The first start by keyboard alone: from nothing to a started node, back and forth, and away."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from textual.events import Key

from core import config
from core.chain import account
from core.home import Home
from core.net import identity
from tests.tui.conftest import settle
from tests.tui.onboarding_support import console, enter, fill, go, screen, seen, shows, step
from tui import capture
from tui.screens.dashboard import Dashboard
from tui.screens.onboarding.draft import PROFILES, Draft
from tui.screens.onboarding.leaving import LeaveScreen
from tui.screens.onboarding.ready import user_values
from tui.screens.onboarding.screen import FIRST, OnboardingScreen, steps_of
from tui.screens.onboarding.swarm import CHOICES


async def test_six_times_enter_starts_a_swarm(home: Home) -> None:
    app, node = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        for number in range(5):
            await enter(pilot)
            assert screen(app).position == number + 1
        assert "Enter starts the node" in seen(pilot)
        assert "profile solo" in seen(pilot)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))
        assert "STARTING" in capture.text_of(app)
    assert config.load(home=home).profile == "solo"
    assert home.identity.exists()
    assert account.address_of(home.account)


async def test_three_nodes_by_keyboard(home: Home) -> None:
    app, node = console(home)
    async with app.run_test() as pilot:
        await pilot.press("down")
        await go(pilot, "Ready")
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    effective = config.load(home=home)
    assert (effective.profile, effective.config.swarm.nodes) == ("trio", 3)


async def test_going_back_loses_nothing(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await pilot.press("down")
        await go(pilot, "Identity")
        await pilot.press("down", "down")
        await fill(pilot, "~/half a path")
        await pilot.press("escape")
        await settle(pilot, lambda: step(app).NAME == "Swarm")
        await enter(pilot)
        await pilot.press("down", "down")
        assert "~/half a path" in seen(pilot)
        await pilot.press("up", "up")
        await go(pilot, "Extras")
        await pilot.press("down")
        before = screen(app).draft
        for _ in range(4):
            await pilot.press("escape")
            await pilot.pause()
        assert screen(app).position == 0
        assert screen(app).draft.way == "trio"
        assert screen(app).draft.peer_id == before.peer_id
        await go(pilot, "Ready")
        assert screen(app).draft.eval_every == 25
        assert screen(app).draft.settings() == {"eval.every_rounds": 25}


async def test_another_way_and_back_keeps_what_was_typed_on_the_first(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await pilot.press("down", "down", "down", "down", "enter")
        await settle(pilot, lambda: step(app).NAME == "Chain")
        await fill(pilot, "0xabc")
        await pilot.press("escape")
        await settle(pilot, lambda: step(app).NAME == "Swarm")
        await pilot.press("up", "up", "enter")
        await settle(pilot, lambda: step(app).NAME == "Join")
        await pilot.press("escape")
        await settle(pilot, lambda: step(app).NAME == "Swarm")
        await pilot.press("down", "down", "enter")
        await settle(pilot, lambda: step(app).NAME == "Chain")
        assert step(app).value("contract") == "0xabc"


async def test_esc_on_the_first_step_says_how_to_leave(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await pilot.press("escape")
        await shows(pilot, FIRST)


async def test_leaving_is_asked_about_and_starts_nothing(home: Home) -> None:
    app, node = console(home)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+c")
        assert isinstance(app.screen, LeaveScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, OnboardingScreen)
        await pilot.press("ctrl+c", "ctrl+c")
    assert app.return_value == "left"
    assert not node.started.is_set()
    assert not home.config.exists()


async def test_leaving_by_enter(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+c", "enter")
    assert app.return_value == "left"


async def test_enter_held_down_goes_through_and_breaks_nothing(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        deadline = time.monotonic() + 60
        while isinstance(app.screen, OnboardingScreen):
            assert time.monotonic() < deadline
            app.screen.action_next()
            await asyncio.sleep(0)
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))
        await pilot.pause()
    assert identity.load(home.identity).peer_id
    assert account.load_or_create(home.account).address == account.address_of(home.account)


async def test_keys_that_come_at_once_count_in_their_order(home: Home) -> None:
    """Over a slow link several come in one piece: Enter and Tab overtake nothing."""
    app, _ = console(home)
    async with app.run_test() as pilot:
        for key in ("down", "down", "down", "down", "enter"):
            app.post_message(Key(key, None))
        await settle(pilot, lambda: step(app).NAME == "Chain")
        for key in ("h", "t", "tab", "0", "x", "tab", "tab", "tab", "down", "up", "down"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        for key in ("shift+tab", "shift+tab", "7", "escape"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await settle(pilot, lambda: step(app).NAME == "Swarm")
        draft = screen(app).draft
    typed = {key: draft.typed[f"CoordinatorStep.{key}"] for key in ("rpc", "contract", "chain")}
    assert typed == {"rpc": "ht", "contract": "0x", "chain": "7"}
    assert draft.coordinator == "login"


async def test_resizing_in_the_middle_changes_nothing_that_was_chosen(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test(size=(140, 40)) as pilot:
        await go(pilot, "Identity")
        before = screen(app).draft
        for size in ((30, 10), (200, 60), (1, 1), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert screen(app).draft == before
        assert "Who is this node in the swarm?" in seen(pilot)


async def test_flags_of_the_start_win_and_are_shown_as_such(home: Home) -> None:
    app, _ = console(home, config.load("solo", home, env={}, sets=["model.max_ram_gib=2.5"]))
    async with app.run_test(size=(100, 40)) as pilot:
        await go(pilot, "Model")
        await shows(pilot, "of 2.5 GiB")
        await go(pilot, "Ready")
        assert "model.max_ram_gib 2.5 command line" in seen(pilot)
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))
    assert config.load(home=home).config.model.max_ram_gib == 0


# --- pure -------------------------------------------------------------------------------------


def test_every_way_has_its_questions() -> None:
    assert [choice.id for choice in CHOICES] == list(dict.fromkeys(c.id for c in CHOICES))
    assert {choice.id for choice in CHOICES} == set(PROFILES)
    names = {way: [s.NAME for s in steps_of(Draft(way=way))] for way in PROFILES}
    common = ["Identity", "Account", "Model", "Extras", "Ready"]
    assert names["solo"] == names["trio"] == ["Swarm", *common]
    assert names["invite"] == ["Swarm", "Join", *common]
    assert names["join"] == ["Swarm", "Chain", *common]
    assert names["host"] == ["Swarm", "Open", *common, "Invite"]


def test_settings_are_only_what_was_chosen() -> None:
    assert Draft().settings() == {}
    assert user_values(Draft(), {}) == {"profile": "solo"}
    before = {"profile": "solo", "console": {"ascii": True}}
    chosen = Draft(way="trio", log_level="debug", chosen=frozenset({"log.level"}))
    assert user_values(chosen, before) == {
        "profile": "trio",
        "console": {"ascii": True},
        "log": {"level": "debug"},
    }


def test_no_secret_is_in_the_text_of_a_draft() -> None:
    assert "b2f0c6de" not in repr(Draft(org_id="b2f0c6de-0b3c"))


def test_a_home_of_an_earlier_start_is_used_as_it_is(tmp_path: Path) -> None:
    """What `waggle identity new` made before the first start is not replaced."""
    home = Home(tmp_path / "home")
    peer_id = identity.load_or_create(home.identity).peer_id

    async def walk() -> None:
        app, _ = console(home)
        async with app.run_test() as pilot:
            await go(pilot, "Account")
            assert screen(app).draft.peer_id == peer_id

    asyncio.run(walk())
