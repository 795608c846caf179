"""Journeys on the dashboard, by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import events
from core.errors import StorageError
from core.home import Home
from tests.tui.conftest import running, settle
from tests.tui.support import ME, START, ReplayNode, begin, effective, history, keep, now_of
from tests.tui.test_draw import HOSTILE, hostile
from tui import capture
from tui.app import WaggleApp
from tui.screens.dashboard import Dashboard
from tui.screens.failure import FailureScreen
from tui.screens.quit import QuitScreen
from tui.widgets.lines import Lines
from tui.widgets.log_view import LogView


async def test_the_first_glance_answers_three_questions(home: Home) -> None:
    async with running(home, history(30), now_of(30)) as (app, _, _):
        screen = capture.text_of(app)
    assert "HEALTHY" in screen
    assert "Reward 0.3" in screen
    assert "confirmed 29/30" in screen


async def test_digits_switch_panes_on_a_small_terminal(home: Home) -> None:
    async with running(home, history(30), now_of(30)) as (app, pilot, _):
        for key, expected in (
            ("2", "shy marble heron"),
            ("3", "participation"),
            ("4", "round 30 finished"),
            ("1", "Loss"),
        ):
            await pilot.press(key)
            await settle(pilot, lambda: True)
            assert expected in capture.text_of(app)


async def test_a_large_terminal_shows_everything(home: Home) -> None:
    async with running(home, history(30), now_of(30), (140, 40)) as (app, _, _):
        screen = capture.text_of(app)
    for expected in ("Loss", "Reward", "shy marble heron", "participation", "round 30 finished"):
        assert expected in screen


async def test_a_resize_changes_the_layout_and_draws_anew(home: Home) -> None:
    async with running(home, history(30), now_of(30)) as (app, pilot, _):
        for size, wide in (((160, 50), True), ((80, 24), False), ((40, 12), False)):
            await pilot.resize_terminal(*size)
            await settle(pilot, lambda: True)
            assert app.screen.has_class("-wide") is wide
            assert ("participation" in capture.text_of(app)) is wide


async def test_pause_and_resume(home: Home) -> None:
    async with running(home, history(3), now_of(3)) as (app, pilot, node):
        await pilot.press("p")
        await settle(pilot, lambda: True)
        assert "PAUSED" in capture.text_of(app)
        await pilot.press("p")
        await settle(pilot, lambda: True)
        assert node.asked == ["pause", "resume"]


async def test_quit_asks_and_says_what_it_costs(home: Home) -> None:
    async with running(home, history(3), now_of(3)) as (app, pilot, node):
        await pilot.press("q")
        await pilot.pause()
        assert "Round 4 ends in a moment" in capture.text_of(app)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        assert node.asked == []
        await pilot.press("q", "enter")
        await settle(pilot, lambda: node.asked == ["stop", "close"])
    assert app.return_value == "stopped"


@pytest.mark.parametrize("first", ["", "ctrl+p", "question_mark", "l"])
async def test_a_second_ctrl_c_stops_at_once(home: Home, first: str) -> None:
    async with running(home, history(3), now_of(3)) as (app, pilot, node):
        if first:
            await pilot.press(first)
            await pilot.pause()
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert isinstance(app.screen, QuitScreen)
        await pilot.press("ctrl+c")
        await settle(pilot, lambda: "close" in node.asked)
        assert node.asked[0] == "stop now"
    assert app.return_value == "stopped"


async def test_help_logs_and_rollouts_open_and_close(home: Home) -> None:
    async with running(home, history(3), now_of(3)) as (app, pilot, _):
        for key, expected in (
            ("question_mark", "Pause or resume"),
            ("l", "No log has been written yet"),
            ("r", "chain_sum/7/3"),
        ):
            await pilot.press(key)
            await settle(pilot, lambda: True)
            assert expected in capture.text_of(app)
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, Dashboard)


async def test_the_palette_runs_commands(home: Home) -> None:
    async with running(home, history(3), now_of(3)) as (_, pilot, node):
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"pause")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await settle(pilot, lambda: node.asked == ["pause"])


async def test_the_key_bar_is_a_mouse_target(home: Home) -> None:
    async with running(home, history(3), now_of(3)) as (app, pilot, node):
        assert capture.text_of(app).splitlines()[-1].startswith(" p Pause")
        await pilot.click("KeyBar", offset=(2, 0))
        await settle(pilot, lambda: node.asked == ["pause"])


async def test_copy_takes_the_peer_id(home: Home) -> None:
    async with running(home, history(3), now_of(3)) as (app, pilot, _):
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard == ME


async def test_starting_says_what_it_waits_for(home: Home) -> None:
    async with running(home, begin()[:3], START + 1) as (app, _, _):
        screen = capture.text_of(app)
    assert "STARTING" in screen
    assert "model: waggle-tiny" in screen


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (24, 8)])
@pytest.mark.parametrize("plain", ["true", "false"])
async def test_hostile_text_neither_crashes_nor_garbles(
    home: Home, size: tuple[int, int], plain: str
) -> None:
    log = [events.LogLine(time=START, level=HOSTILE, source=HOSTILE, text=HOSTILE)] * 5
    sets = (f"console.ascii={plain}",)
    async with running(home, [*hostile(), *log], START + 1, size, sets) as (app, pilot, _):
        for key in ("1", "2", "3", "4", "r", "escape", "l", "escape", "question_mark", "escape"):
            await pilot.press(key)
            await settle(pilot, lambda: True)
            screen = capture.text_of(app)
            assert "\x1b" not in screen
            assert "\u202e" not in screen
            if plain == "true" and key != "question_mark":
                assert screen.isascii(), screen


async def test_equal_views_repaint_nothing(home: Home) -> None:
    async with running(home, history(30), now_of(30), (140, 40)) as (app, pilot, _):
        blocks = list(app.screen.query(Lines))
        before = {block: block._strips for block in blocks}
        app.tick()
        await pilot.pause()
        assert all(block._strips is before[block] for block in blocks)


async def test_the_log_stands_still_while_it_is_read(home: Home) -> None:
    lines = [
        events.LogLine(time=START, level="info", source="x", text=f"line {n}") for n in range(200)
    ]
    async with running(home, [*begin(), *lines], START + 3) as (app, pilot, node):
        await pilot.press("4")
        await settle(pilot, lambda: True)
        view = app.screen.query_one(LogView)
        assert view.following
        await pilot.press("home")
        await pilot.pause()
        for n in range(7):
            node.bus.emit(events.LogLine(time=START, level="info", source="x", text=f"new {n}"))
        await settle(pilot, lambda: True)
        assert "line 0" in capture.text_of(app)
        assert "+7 lines" in capture.text_of(app)
        await pilot.press("end")
        await settle(pilot, lambda: True)
        assert "new 6" in capture.text_of(app)


async def test_a_node_that_cannot_start_is_told_in_words(home: Home) -> None:
    class Broken(ReplayNode):
        def start(self) -> None:
            raise StorageError("Another Waggle already runs", "one node per home", "Use --home")

    app = WaggleApp(home, effective(home), node_factory=lambda e, h: Broken([]), ticking=False)
    async with app.run_test() as pilot:
        await settle(pilot, lambda: app.failure is not None)
        assert isinstance(app.screen, FailureScreen)
        assert "Another Waggle already runs" in capture.text_of(app)
        await pilot.press("enter")
    assert app.return_value == "left"


async def test_a_node_that_ends_by_itself_is_closed_and_told(home: Home) -> None:
    async with running(home, history(3), now_of(3)) as (app, pilot, node):
        node.bus.emit(
            events.Incident(
                time=now_of(3), code="x", what="The model is gone", why="disk", level="error"
            )
        )
        node.ended.set()
        await settle(pilot, lambda: app.tick() is None and node.asked == ["close"])
        node.bus.emit(events.NodeStopped(time=now_of(3), reason="failed"))
        await settle(pilot, lambda: True)
        assert "DOWN" in capture.text_of(app)
        assert "The model is gone" in capture.text_of(app)
        await pilot.press("q")
    assert app.return_value == "stopped"


async def test_an_unknown_theme_is_told_and_survived(home: Home) -> None:
    async with running(home, begin(), START + 3, sets=("console.theme=plaid",)) as (app, _, _):
        assert app.theme == "waggle"


@pytest.mark.parametrize("theme", ["waggle", "waggle-light", "waggle-colourblind", "nord"])
async def test_themes(home: Home, theme: str) -> None:
    sets = (f"console.theme={theme}",)
    async with running(home, history(5), now_of(5), (140, 40), sets) as (app, _, _):
        assert app.theme == theme
        assert "HEALTHY" in capture.text_of(app)


async def test_no_color(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(home, history(30), now_of(30)) as (app, _, _):
        assert app.no_color
        assert "⠤ own" in capture.text_of(app)


async def test_a_restart_shows_the_charts_of_earlier_runs(home: Home) -> None:
    keep(home, history(30))
    resumed = begin(now_of(30), checkpoint_round=30)
    async with running(home, resumed, now_of(30) + 3) as (app, _, _):
        screen = capture.text_of(app)
    assert "STARTING" in screen
    assert "confirmed 29/30" in screen
    assert "own" in screen


async def test_capture_writes_svg_and_text(home: Home, tmp_path: Path) -> None:
    async with running(home, history(3), now_of(3)) as (app, _, _):
        svg, txt = capture.save(app, tmp_path / "shots", "dashboard")
    assert svg.read_text().startswith("<svg")
    assert len(txt.read_text().splitlines()) == 24


async def test_a_node_that_ends_before_it_trained_is_told_on_a_page_of_its_own(home: Home) -> None:
    async with running(home, begin()[:3], START + 1) as (app, pilot, node):
        node.error = StorageError("There is no model folder /m", "it is not there", "Name another")
        node.ended.set()
        app.tick()
        await settle(pilot, lambda: isinstance(app.screen, FailureScreen))
        shown = capture.text_of(app)
        for sentence in ("There is no model folder /m.", "It is not there.", "Name another."):
            assert sentence in shown
        assert "first finished round" not in shown
        assert app.headline.level == "down"
        await settle(pilot, lambda: node.asked == ["close"])
        await pilot.press("enter")
    assert app.return_value == "left"


async def test_no_pane_says_that_nothing_happened_before_history_is_read(home: Home) -> None:
    app = WaggleApp(home, effective(home), node_factory=lambda e, h: ReplayNode([]), ticking=False)
    app._start_node = lambda: None  # type: ignore[method-assign]
    async with app.run_test(size=(140, 40)) as pilot:
        app.tick()
        await pilot.pause()
        shown = capture.text_of(app)
        assert "STARTING" in shown
        assert "finished" not in shown
        assert "Nobody" not in shown
        app.starting = ""
        app.tick()
        await pilot.pause()
        assert "The first finished round" in capture.text_of(app)
        assert app.focused is None
