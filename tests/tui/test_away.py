"""The card that greets who returns."""

from __future__ import annotations

from textual.events import AppBlur, AppFocus

from core import away, events
from core.fold import replay
from core.home import Home
from tests.tui.conftest import running, settle
from tests.tui.support import START, history, keep, now_of, round_events
from tui import capture
from tui.presence import UNATTENDED_S
from tui.screens.away import AwayScreen
from tui.screens.dashboard import Dashboard


async def test_who_returns_after_a_crash_is_told_what_happened(home: Home) -> None:
    incident = events.Incident(
        time=now_of(80),
        code="x",
        what="The chain was [b]out[/b] of reach\x1b[2J",
        why="",
        next_step="",
        level="warning",
    )
    keep(home, [*history(80), incident])
    away.save(home.look, away.look(replay(history(20)), now_of(20)))
    async with running(home, [], now_of(80) + 4 * 3600) as (app, pilot, _):
        assert isinstance(app.screen, AwayScreen)
        screen = capture.text_of(app)
        for expected in (
            "While you were away",
            "4 h 04 m ago",
            "60 more trained",
            "Crashes        1",
            "[b]out[/b] of reach\\x1b",
        ):
            assert expected in screen
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))
        await settle(pilot, lambda: True)
        assert isinstance(app.screen, Dashboard)  # told once


async def test_the_first_console_and_a_quick_return_are_not_greeted(home: Home) -> None:
    async with running(home, history(5), now_of(5)) as (app, _, _):
        assert isinstance(app.screen, Dashboard)
    assert away.load(home.look) is not None
    async with running(home, history(6), now_of(6)) as (app, _, _):
        assert isinstance(app.screen, Dashboard)


async def test_a_terminal_that_gets_the_focus_back_is_greeted(home: Home) -> None:
    async with running(home, history(5), now_of(5)) as (app, pilot, node):
        moment = now_of(5)
        app.clock = lambda: moment
        await app.on_event(AppBlur())
        for event in [e for n in range(6, 300) for e in round_events(n, START + 4 * n)]:
            node.bus.emit(event)
        moment += away.AWAY_S + 1
        await settle(pilot, lambda: True)
        await app.on_event(AppFocus())
        await pilot.pause()
        assert isinstance(app.screen, AwayScreen)
        assert "294 more trained" in capture.text_of(app)


async def test_the_key_that_wakes_a_forgotten_screen_shows_the_card_and_does_nothing_else(
    home: Home,
) -> None:
    async with running(home, history(5), now_of(5)) as (app, pilot, node):
        moment = now_of(5)
        app.clock = lambda: moment
        for event in round_events(6, START + 28):
            node.bus.emit(event)
        moment += UNATTENDED_S + 1
        await settle(pilot, lambda: True)
        await pilot.press("q")
        assert isinstance(app.screen, AwayScreen)
        await pilot.press("q")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        assert node.asked == []
