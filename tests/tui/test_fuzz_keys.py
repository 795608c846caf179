"""A short part of the fuzz run; `benchmarks/console.py --fuzz` makes the long one."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest
from rich.style import Style
from textual._callback import invoke
from textual.command import CommandList
from textual.events import Click, Key, Paste
from textual.message import Message
from textual.widgets import Tabs
from textual.worker import WorkerCancelled

from core import config
from core.home import Home
from tests.tui.conftest import running, settle
from tests.tui.fuzz_console import Play
from tests.tui.fuzzing import Fuzz, shrink
from tests.tui.onboarding_support import console, screen
from tests.tui.support import ReplayNode, history, now_of
from tui import capture, keys
from tui.app import WaggleApp
from tui.command_palette import Commands
from tui.screens.dashboard import Dashboard
from tui.screens.help import HelpScreen
from tui.screens.onboarding.asking import ask
from tui.screens.onboarding.screen import OnboardingScreen

INPUTS = 200


async def test_no_keys_break_a_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fuzz = Fuzz(tmp_path, seed=4)
    await fuzz.play(INPUTS)
    assert fuzz.made == INPUTS
    assert sum(fuzz.inputs.values()) == INPUTS


async def test_what_breaks_is_told_in_few_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HelpScreen, "action_follow", lambda self: 1 / 0)
    steps = [("type", key) for key in ("c", "s", "\x1b", "?", "j", "G", "k")]
    few = await shrink(tmp_path, Play(1, 1, "Help"), steps, "ZeroDivisionError('division by zero')")
    assert few == [("type", "?"), ("type", "G")]


async def test_a_tick_while_a_page_opens_is_harmless(home: Home) -> None:
    async with running(home, history(1), now_of(1)) as (app, pilot, _):
        for action in ("ask_quit", "peers", "rewards", "rollouts", "settings", "logs", "charts"):
            getattr(app, f"action_{action}")()
            app.tick()
            await pilot.pause()
            await pilot.press("escape")
        assert app._exception is None


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


@pytest.mark.parametrize("opens", ["q", "ctrl+p"])
async def test_a_page_closes_once(home: Home, opens: str) -> None:
    """A key and a click that reach it before it has gone closed the dashboard beneath it, too."""
    async with running(home, history(3), now_of(3)) as (app, pilot, _):
        await pilot.press(opens)
        await pilot.pause()
        page = app.screen
        page.dismiss()
        page.dismiss()
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)


async def test_turning_the_page_of_an_empty_palette_is_harmless(home: Home) -> None:
    """Textual 8.2.8 fails there, and with it the console and its node."""
    async with running(home, history(1), now_of(1)) as (app, pilot, _):
        await pilot.press("ctrl+p", *"zzzz", "pagedown", "pageup", "end", "home", "down", "enter")
        await pilot.resize_terminal(3, 2)
        await pilot.press("pagedown", "escape")
        assert app._exception is None


async def test_an_entry_of_the_palette_that_has_gone_can_be_clicked(home: Home) -> None:
    """While one types, entries come and go; Textual 8.2.8 fails on a click at one that went."""
    async with running(home, history(1), now_of(1)) as (app, pilot, _):
        await pilot.press("ctrl+p", *"zzzz")
        await pilot.pause()
        entries = app.screen.query_one(CommandList)
        gone = Style(meta={"option": 1})
        entries.post_message(Click(entries, 1, 1, 0, 0, 1, False, False, False, style=gone))
        await pilot.pause()
        assert app._exception is None


async def test_a_command_for_a_page_that_was_left_does_nothing(home: Home) -> None:
    async with running(home, history(1), now_of(1)) as (app, pilot, _):
        await pilot.press("r")
        await pilot.pause()
        page, commands = app.screen, keys.commands("rollouts")
        run = [Commands(page)._runner(command) for command in commands if command.palette]
        await pilot.press("escape")
        await pilot.pause()
        assert [await invoke(each) for each in run] == [None] * len(run)
        assert isinstance(app.screen, Dashboard)


async def test_an_answer_that_comes_while_the_console_closes_is_dropped(home: Home) -> None:
    """Its page has no fields any more; that ended a console that was being left as failed."""
    app, _ = console(home)
    answered, came = threading.Event(), []

    async def asks() -> None:
        came.append(await ask(answered.wait, 20.0))

    async with app.run_test() as pilot:
        worker = screen(app).run_worker(asks())
        await pilot.pause()
        app.exit("left")
        answered.set()
        with contextlib.suppress(WorkerCancelled):
            await worker.wait()
    assert came == []
    assert app.return_code == 0


@pytest.mark.parametrize("page", ["", "c", "l", "n", "w", "r", "s"])
async def test_a_console_that_closes_under_a_question_has_not_failed(home: Home, page: str) -> None:
    """The page beneath comes up once more while it is taken apart."""
    async with running(home, history(3), now_of(3)) as (app, pilot, _):
        await pilot.press(*page)
        await pilot.press("ctrl+p")
        await pilot.pause()
        app.exit("lost")
    assert app.return_code == 0


async def test_two_enters_on_the_last_step_start_one_node(home: Home) -> None:
    app, node = console(home)
    async with app.run_test() as pilot:
        await pilot.pause()
        page = screen(app)
        app.post_message(OnboardingScreen.Finished(None))
        app.post_message(OnboardingScreen.Finished(None))
        await settle(pilot, node.started.is_set)
        assert page not in app.screen_stack
        assert [type(each) for each in app.screen_stack[1:]] == [Dashboard]


async def test_what_is_pasted_while_the_screens_close_is_dropped(home: Home) -> None:
    async with running(home, history(1), now_of(1)) as (app, pilot, _):
        app.exit("stopped")
        await app.on_event(Paste("late"))
        await pilot.pause()
    assert app.return_code == 0
