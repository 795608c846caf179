"""Journeys on the charts screen, by keyboard; every key of its table is pressed at least once."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from core import events
from core.home import Home
from core.series import EMPTY
from tests.tui.charts_support import finished, run
from tests.tui.conftest import running, settle
from tests.tui.support import START, ReplayNode, begin
from tui import capture, keys
from tui.app import WaggleApp
from tui.charting.look import SMOOTHING
from tui.screens.charts.desk import Desk
from tui.screens.charts.screen import ChartsScreen
from tui.screens.dashboard import Dashboard
from tui.widgets.chart_grid import ChartGrid

NOW = START + 2000.0


@asynccontextmanager
async def charts(
    home: Home,
    recorded: list[events.Event] | None = None,
    size: tuple[int, int] = (80, 24),
    sets: tuple[str, ...] = (),
) -> AsyncIterator[tuple[WaggleApp, Pilot[str], Desk, ReplayNode]]:
    """The charts of a run of 345 rounds, opened from the dashboard by its key."""
    async with running(home, recorded or run(1, 345), NOW, size, sets) as (app, pilot, node):
        await pilot.press("c")
        await settle(pilot, lambda: isinstance(app.screen, ChartsScreen))
        yield app, pilot, app.screen._desk, node  # type: ignore[attr-defined]


def told(app: WaggleApp) -> str:
    """What was said in notes at the edge of the screen."""
    return "\n".join(note.message for note in app._notifications)


async def press(pilot: Pilot[str], *pressed: str) -> str:
    await pilot.press(*pressed)
    await settle(pilot, lambda: True)
    return capture.text_of(pilot.app)


async def test_they_open_with_one_key_and_close_again(home: Home) -> None:
    async with charts(home) as (app, pilot, _, _):
        screen = capture.text_of(app)
        for expected in ("Reward", "o own 0.5", "Loss", "1-4 of", "rounds 1 to 345"):
            assert expected in screen
        await press(pilot, "escape")
        assert isinstance(app.screen, Dashboard)


async def test_a_larger_terminal_shows_more_of_them(home: Home) -> None:
    async with charts(home, size=(140, 40)) as (app, pilot, _, _):
        assert "1-9 of" in capture.text_of(app)
        sizes = {(240, 66): "1-19 of 19", (60, 20): "chart 1 of 19", (20, 6): "Char"}
        for size, expected in sizes.items():
            await pilot.resize_terminal(*size)
            await settle(pilot, lambda: True)
            assert expected in capture.text_of(app)


async def test_the_cursor_reads_all_charts_at_once(home: Home) -> None:
    async with charts(home) as (_, pilot, desk, _):
        screen = await press(pilot, "left", "left")
        assert "Reward at round 333" in screen
        assert screen.count("◆") >= 4
        assert desk.round == 333
        screen = await press(pilot, "l", "H", "shift+left", "L", "shift+right", "h")
        assert "Reward at round 333" in screen
        screen = await press(pilot, "s", "s")
        assert "smooth 0.5" in screen
        assert "o own 0.5" in screen


async def test_zooming_and_panning(home: Home) -> None:
    async with charts(home) as (_, pilot, desk, _):
        assert "rounds 259 to 345 (25 %)" in await press(pilot, "plus", "equals_sign")
        screen = await press(pilot, "left_square_bracket")
        assert "rounds 216 to 302 (25 %, standing still)" in screen
        assert "rounds 1 to 87" in await press(pilot, "home")
        assert "still" not in await press(pilot, "end")
        assert "rounds 1 to 87" in await press(pilot, "g")
        assert "rounds 44 to 130" in await press(pilot, "right_square_bracket")
        assert "still" not in await press(pilot, "G")
        assert "(50 %)" in await press(pilot, "minus")
        assert "rounds 1 to 345" in await press(pilot, "0")
        assert desk.look.window.whole


async def test_the_cursor_takes_the_window_along(home: Home) -> None:
    async with charts(home) as (_, pilot, desk, _):
        await press(pilot, "plus", "plus", "plus", "left")
        for _ in range(12):
            await pilot.press("H")
        await settle(pilot, lambda: True)
        first, last = desk.look.window.resolve(desk.extent)
        assert desk.look.cursor is not None
        assert first <= desk.look.cursor <= last < 345
        for _ in range(30):
            await pilot.press("L")
        await settle(pilot, lambda: True)
        assert desk.look.cursor == 345
        assert desk.look.window.follows


async def test_a_bracket_measures_and_zooms(home: Home) -> None:
    async with charts(home) as (_, pilot, desk, _):
        assert "Space keeps a place" in await press(pilot, "z")
        screen = await press(pilot, "left", "space", "H", "H")
        assert "mean" in screen
        assert "slope" in screen
        span = sorted((desk.look.bracket or 0, desk.look.cursor or 0))
        screen = await press(pilot, "z")
        assert f"rounds {span[0]:.0f} to {span[1]:.0f}" in screen
        await press(pilot, "space")
        await press(pilot, "space")
        assert desk.look.bracket is None


async def test_smoothing_log_scale_and_outliers(home: Home) -> None:
    async with charts(home) as (_, pilot, desk, _):
        assert "smoothing 0.3" in await press(pilot, "s")
        assert f"smoothing {SMOOTHING[-1]}" in await press(pilot, *"s" * 20)
        assert "smoothing" not in await press(pilot, *"S" * 20)
        assert "log" in (await press(pilot, "v")).splitlines()[0]
        assert "without outliers" in await press(pilot, "o")
        screen = await press(pilot, "v", "o")
        assert "without outliers" not in screen
        assert not desk.look.log


async def test_choosing_and_enlarging(home: Home) -> None:
    async with charts(home) as (app, pilot, desk, _):
        for pressed, chosen in (
            ("tab", "Loss"),
            ("j", "Entropy"),
            ("k", "Loss"),
            ("down", "Entropy"),
            ("shift+tab", "Groups with equal rewards"),
            ("up", "Reward"),
            ("up", "Reward"),
            ("pagedown", "KL to the start"),
            ("pageup", "Reward"),
        ):
            screen = await press(pilot, pressed)
            assert f"▸ {chosen}" in screen, pressed
        screen = await press(pilot, "enter")
        assert desk.look.open
        assert "chart 1 of" in screen
        assert "Loss" not in screen
        assert "▸ Loss" in await press(pilot, "down")
        await press(pilot, "escape")
        assert not desk.look.open
        assert isinstance(app.screen, ChartsScreen)
        await press(pilot, "enter")
        assert "1-4 of" in await press(pilot, "enter")


async def test_filtering_previews_every_letter(home: Home) -> None:
    async with charts(home) as (app, pilot, desk, _):
        assert "a regular expression" in await press(pilot, "slash")
        screen = await press(pilot, *"kl|")
        assert "filter kl|: " in screen
        screen = await press(pilot, "backspace", "vertical_line", *"entropy", "enter")
        assert "filter kl|entropy: 4 of" in screen
        assert "Reward" not in screen.splitlines()[1]
        assert app.screen.focused is None
        assert "smoothing" in await press(pilot, "s")  # letters are keys again
        await press(pilot, "slash")
        assert "rounds 1 to 345" in await press(pilot, "escape")
        assert desk.look.filter == ""
        screen = await press(pilot, "slash", "left_square_bracket", "enter")
        assert "not a regular expression" in screen
        assert "No chart matches" in screen
        for key in ("left", "enter", "plus", "tab", "pagedown", "space", "z", "y", "v", "escape"):
            await press(pilot, key)  # nothing to draw is no reason to fail
        assert isinstance(app.screen, ChartsScreen)


async def test_help_and_palette_know_the_charts(home: Home) -> None:
    async with charts(home, size=(140, 40)) as (app, pilot, desk, _):
        assert "Back" in await press(pilot, "question_mark")
        await press(pilot, "escape")
        assert isinstance(app.screen, ChartsScreen)
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"outliers")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await settle(pilot, lambda: desk.look.clip)


async def test_the_mouse_points_zooms_and_pans(home: Home) -> None:
    async with charts(home, size=(140, 40)) as (app, pilot, desk, _):
        grid = app.screen.query_one(ChartGrid)
        await pilot.click(ChartGrid, offset=(46 + 30, 5))
        await settle(pilot, lambda: desk.look.cursor is not None)
        assert desk.look.chosen == 1
        assert 150 < (desk.look.cursor or 0) < 260
        before = desk.look.cursor
        grid.post_message(ChartGrid.Rolled(1, False))
        await settle(pilot, lambda: not desk.look.window.whole)
        assert desk.look.cursor == before
        last = desk.look.window.resolve(desk.extent)[1]
        grid.post_message(ChartGrid.Rolled(-1, True))
        await settle(pilot, lambda: desk.look.window.resolve(desk.extent)[1] < last)


async def test_the_round_is_linked_with_other_screens(home: Home) -> None:
    async with charts(home) as (app, pilot, desk, _):
        seen: list[float | None] = []
        app.round_signal.subscribe(app.screen, seen.append)
        await press(pilot, "left")
        assert app.linked_round == 339
        assert seen == [339]
        app.link_round(100.0)
        assert "at round 100" in await press(pilot)
        await press(pilot, "end")
        assert app.linked_round is None
        app.link_round(50.0)
        await press(pilot, "escape")
        await press(pilot, "c")
        assert desk.round == 50


async def test_what_was_looked_at_is_there_again(home: Home) -> None:
    async with charts(home) as (_, pilot, _, _):
        await press(pilot, "plus", "s", "slash", *"loss", "enter")
        screen = await press(pilot, "escape", "c")
        for expected in ("filter loss: 1 of", "(50 %)", "smoothing 0.3"):
            assert expected in screen


async def test_news_is_drawn_and_no_news_is_not(home: Home) -> None:
    async with charts(home) as (app, pilot, desk, node):
        grid = app.screen.query_one(ChartGrid)
        before = grid._drawn
        app.tick()
        await pilot.pause()
        assert grid._drawn is before
        node.bus.emit(finished(346, random.Random(1)))
        await settle(pilot, lambda: app.tick() is None and desk.extent[1] == 346)
        assert "rounds 1 to 346" in capture.text_of(app)
        assert grid._drawn is not before


async def test_moving_the_cursor_sends_only_rows_that_changed(home: Home) -> None:
    async with charts(home) as (app, pilot, desk, _):
        await press(pilot, "left")
        grid = app.screen.query_one(ChartGrid)
        same = desk.frame(*grid.size, *_drawn_with(app))
        assert grid.show(same.shape, same.rows, grid._styles) == 0
        desk.choose(1)
        other = desk.frame(*grid.size, *_drawn_with(app))
        assert grid.show(other.shape, other.rows, grid._styles) == 2  # two titles


def _drawn_with(app: WaggleApp) -> tuple[object, ...]:
    from tui.charting.dots import signs

    return signs(app.ascii), app.ascii, app.pen.glyphs.ellipsis


async def test_before_the_first_round_there_is_a_word(home: Home) -> None:
    async with charts(home, begin()) as (app, pilot, _, _):
        assert "first finished round" in capture.text_of(app)
        elsewhere = ("leave", "app.logs_at", "app.help", "app.command_palette", "compare", "filter")
        for command in keys.commands("charts"):
            if command.action not in elsewhere:
                await pilot.press(*command.keys)
                await pilot.pause()
        assert isinstance(app.screen, ChartsScreen)


@pytest.mark.parametrize("theme", ["waggle-light", "nord"])
async def test_themes_change_while_it_is_open(home: Home, theme: str) -> None:
    async with charts(home) as (app, pilot, _, _):
        app.theme = theme
        await settle(pilot, lambda: True)
        assert "Reward" in capture.text_of(app)


async def test_every_key_answers_in_a_run_of_a_million_rounds(home: Home) -> None:
    """How quickly is for benchmarks/charts.py to say; here: that what is kept stays small."""
    series = EMPTY
    noise = random.Random(1)
    values = [noise.random() for _ in range(5000)]
    for n in range(1_000_000):
        series = series.append(n, values[n % 5000])
    assert len(series.x) + sum(len(level.n) for level in series.levels) < 8192
    async with charts(home) as (app, pilot, desk, _):
        app.state = replace(app.state, series=dict.fromkeys(app.state.series, series))
        await settle(pilot, lambda: app.tick() is None and desk.extent[1] == 999_999)
        for key in (*"ssvo", "plus", "minus", "left", "H", "space", "L", "z", "0", "tab", "enter"):
            assert "of 19" in await press(pilot, key), key
        assert desk.round is not None
        assert 0 <= desk.round <= 999_999
