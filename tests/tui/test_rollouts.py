"""The rollouts screen: what the views say, how they are drawn, and a journey by keyboard."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.pilot import Pilot

from core import events
from core.fold import replay
from core.fold_rollouts import MAX_SHOWN
from core.gate.admission import REASONS
from core.gate.fates import fate
from core.home import Home
from tests.event_strategies import of_type
from tests.tui.conftest import running, settle
from tests.tui.rollouts_support import OTHER, SHORT, STRANGER, history, now_of, shown
from tests.tui.support import ME, OTHERS, START, begin
from tui import derive_rollouts as derive
from tui import draw_rollouts as draw
from tui.app import WaggleApp
from tui.draw import Pen
from tui.glyphs import ASCII, UNICODE
from tui.palette import Palette
from tui.screens.charts.screen import ChartsScreen
from tui.screens.dashboard import Dashboard
from tui.screens.rollouts import RolloutsScreen
from tui.screens.row_details import DetailsScreen
from tui.text import wrap

PENS = {"unicode": Pen(UNICODE, Palette()), "ascii": Pen(ASCII, Palette())}
HOSTILE = "[/foo] \x1b[31m\u202eevil\u2066 日本語🙂👩‍👩‍👧 \u05d0\u05d1 \x07\r\n" + "x" * 300


# --- the views --------------------------------------------------------------------------------


def rows(rounds: int = 6) -> tuple[derive.Row, ...]:
    return derive.rows(replay(history(rounds)))


def test_rows_are_newest_round_first_and_say_whose_they_are() -> None:
    found = rows(3)
    assert [(row.round, row.peer, row.words) for row in found[:5]] == [
        (3, "this node", "trained on"),
        (3, "this node", "no signal"),
        (3, OTHERS[OTHER], "accepted"),
        (3, OTHERS[OTHER], "no signal"),
        (3, "odd iron newt", "schedule"),
    ]
    assert [row.round for row in found] == sorted((row.round for row in found), reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("name", "many"), [("all", 23), ("own", 12), ("others", 9), ("refused", 2), ("silent", 9)]
)
def test_each_filter_keeps_its_own(name: str, many: int) -> None:
    assert len(derive.chosen(rows(6), name)) == many


def test_a_search_looks_at_all_of_a_group() -> None:
    found = rows(6)
    for text in ("leg_counting", "TIGERS", "round 5", OTHERS[OTHER], STRANGER[:9], "schedule"):
        assert 0 < len(derive.chosen(found, "all", text)) < len(found) or text == "TIGERS"
    assert derive.chosen(found, "all", "tigers zebra") == ()
    assert len(derive.chosen(found, "refused", "newt")) == 2


def test_the_nearest_round_is_the_one_itself_or_the_one_before() -> None:
    found = derive.chosen(rows(9), "refused")
    assert [found[derive.nearest(found, n) or 0].round for n in (5, 4, 3, 99, 0)] == [3, 3, 3, 9, 3]
    assert derive.nearest((), 3) is None


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_refusal_says_what_it_means(reason: str) -> None:
    event = shown(4, START, peer_id=OTHER, outcome=reason, detail="because 7")
    row = derive.rows(replay([*begin(), event]))[0]
    assert row.left_out
    assert REASONS[reason] in row.meaning
    assert "because 7" in row.meaning
    assert row.refused == (fate(reason) == "refused") == row.meaning.startswith("Refused")
    assert row in derive.chosen((row,), "refused" if row.refused else "others")
    assert (row.level == "failed") == row.refused


def test_what_an_earlier_version_told_is_still_shown() -> None:
    old: dict[str, Any] = {"event": "rollout_shown", "time": START, "round": 4, "task": "t"}
    old |= {"peer_id": ME, "question": "q", "answer": "a", "best": "b", "best_reward": 1.0}
    event = events.from_dict(old | {"worst": "w", "worst_reward": 0.0})
    assert event is not None
    (row,) = derive.rows(replay([*begin(), event]))
    assert (row.words, row.mine, derive.rewards(row)) == ("trained on", True, "")
    assert "b" in draw.group(row, 80, PENS["unicode"]).plain


def test_nobody_passes_for_this_node_with_its_peer_id() -> None:
    event = shown(4, START, outcome="identity", name="calm golden badger")
    (row,) = derive.rows(replay([*begin(), event]))
    assert (row.mine, row.peer, row.refused) == (False, "calm golden badger", True)
    unsigned = shown(4, START, peer_id=OTHER, name="newt", signed=False)
    assert derive.rows(replay([*begin(), unsigned]))[0].peer == "newt (unsigned)"


def test_the_measures_of_an_answer() -> None:
    row = derive.rows(replay([*begin(), shown(4, START, worst_chars=900, worst_finished=False)]))[0]
    assert derive.measures(row, True) == "reward 1.00  advantage +1.41  58 tokens"
    assert derive.measures(row, False).endswith("12 tokens  900 characters, shown in part  cut off")
    assert derive.rewards(row) == "1 0 0 1 0 0.5 0 0  mean 0.31"
    copied = derive.copied(row)
    assert all(part in copied for part in (ME, SHORT, "3 tigers", "advantage -0.71"))


# --- drawn ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pen", PENS)
@pytest.mark.parametrize("width", [20, 38, 78, 100, 138])
def test_hostile_groups_keep_within_their_width(width: int, pen: str) -> None:
    texts = {f.name: HOSTILE for f in fields(events.RolloutShown) if f.type in ("str", str)}
    for outcome in ("trained", HOSTILE):
        event = shown(3, START, **{**texts, "outcome": outcome})
        state = replay([*begin(), event])
        (row,) = derive.rows(state)
        told = draw.group(row, width, PENS[pen]).plain
        cells = [text for text, _ in draw.RowSource((row,)).cells(0, PENS[pen])]
        for text in (*told.split("\n"), *cells):
            assert cell_len(text) <= width or text in cells
            assert not {"\x1b", "\u202e", "\u2066", "\x07"} & set(text)
            assert pen != "ascii" or text.isascii()


def test_two_answers_stand_side_by_side_where_there_is_room() -> None:
    row = rows(2)[0]
    wide, narrow = (draw.group(row, width, PENS["unicode"]).plain for width in (138, 78))
    (both,) = (line for line in wide.split("\n") if "best answer" in line)
    assert "worst answer" in both
    lines = [line for line in narrow.split("\n") if "answer" in line and "reward" in line]
    assert len(lines) == 2


@given(st.text(max_size=80), st.integers(2, 40))
def test_wrapped_rows_keep_within_their_cells_and_lose_nothing(text: str, width: int) -> None:
    text = "".join(c for c in text if cell_len(c))
    found = wrap(text, width)
    assert all(cell_len(row) <= width for row in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(of_type(events.RolloutShown), max_size=4))
def test_any_group_can_be_drawn(history_: list[events.Event]) -> None:
    state = replay([*begin(), *history_])
    for row in derive.chosen(derive.rows(state), "all"):
        draw.RowSource((row,)).cells(0, PENS["ascii"])
        for width in (30, 120):
            told = draw.group(row, width, PENS["ascii"]).plain.split("\n")
            assert all(cell_len(text) <= width for text in told)
        assert derive.details(row)
        assert derive.copied(row)
    assert draw.head(derive.head(state), 80, PENS["ascii"]).plain


# --- by keyboard ------------------------------------------------------------------------------


async def press(pilot: Pilot[str], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot, lambda: True)


def screen_of(app: WaggleApp) -> RolloutsScreen:
    assert isinstance(app.screen, RolloutsScreen)
    return app.screen


def round_of(app: WaggleApp) -> int | None:
    row = screen_of(app).row
    return row.round if row is not None else None


async def test_a_journey(home: Home) -> None:
    async with running(home, history(9), now_of(9)) as (app, pilot, _):
        await press(pilot, "r")
        screen = screen_of(app)
        assert (screen.table.length, round_of(app)) == (len(rows(9)), 9)
        await press(pilot, "j", "j")
        assert screen.row is not None
        assert screen.row.words == "accepted"
        await press(pilot, "4")
        assert {row.refused for row in screen._rows} == {True}
        await press(pilot, "f")
        assert screen._only == "silent"
        await press(pilot, "F", "escape")
        assert screen._only == "all"
        await press(pilot, "slash", *"newt", "enter")
        assert {row.peer for row in screen._rows} == {"odd iron newt"}
        await press(pilot, "enter")
        assert isinstance(app.screen, DetailsScreen)
        await press(pilot, "escape", "y")
        assert STRANGER in app.clipboard
        await press(pilot, "escape")
        assert screen._find == ""
        await press(pilot, "escape")
        assert isinstance(app.screen, Dashboard)


async def test_the_round_is_linked_with_the_charts(home: Home) -> None:
    async with running(home, history(9), now_of(9), size=(140, 40)) as (app, pilot, _):
        await press(pilot, "r", "G")
        assert (round_of(app), app.linked_round) == (1, 1.0)
        await press(pilot, "c")
        assert isinstance(app.screen, ChartsScreen)
        await press(pilot, "right", "right", "right")
        assert app.linked_round == 4.0
        await press(pilot, "escape")
        assert (round_of(app), app.linked_round) == (4, 4.0)


async def test_news_move_nobody_who_reads(home: Home) -> None:
    async with running(home, history(9), now_of(9)) as (app, pilot, node):
        await press(pilot, "r")
        screen = screen_of(app)

        def more(number: int) -> None:
            node.bus.emit(shown(number, START + 400 + number))

        more(10)
        await settle(pilot, lambda: True)
        assert round_of(app) == 10, "who looks at the head wants the head"
        await press(pilot, "space")
        more(11)
        await settle(pilot, lambda: True)
        assert round_of(app) == 10, "read on: it stays"
        assert screen.reader.scroll_offset.y > 0
        await press(pilot, "K", "j")
        row = screen.row
        more(12)
        await settle(pilot, lambda: True)
        assert screen.row == row


async def test_before_the_first_round_there_is_a_word(home: Home) -> None:
    async with running(home, begin(), START + 3) as (app, pilot, _):
        await press(pilot, "r")
        assert screen_of(app).table.note == derive.EMPTY
        await press(pilot, "enter", "y", "j", "space", "4")
        assert screen_of(app).row is None


async def test_hostile_groups_change_nothing_but_their_own_rows(home: Home) -> None:
    texts = {f.name: HOSTILE for f in fields(events.RolloutShown) if f.type in ("str", str)}
    recorded = [*history(2), shown(3, START + 60, **texts)]
    async with running(home, recorded, now_of(3)) as (app, pilot, _):
        await press(pilot, "r")
        row = screen_of(app).row
        assert row is not None
        assert row.event.task == HOSTILE[:128] or row.event.task.startswith("[/foo]")
        await press(pilot, "enter")
        assert isinstance(app.screen, DetailsScreen)
        await press(pilot, "escape", "y", "space", "slash", "[", "/", "enter", "escape", "4")
        assert {each.refused for each in screen_of(app)._rows} == {True}


async def test_every_key_is_quick_when_the_list_is_full(home: Home) -> None:
    recorded = history(2)
    long = "word " * 380
    recorded += [
        shown(n // 5, START + 9 + n, task=f"chain_sum/1/{n}", best=long, worst=long, question=long)
        for n in range(10, 10 + MAX_SHOWN)
    ]
    async with running(home, recorded, now_of(99), size=(140, 40)) as (app, pilot, _):
        await press(pilot, "r")
        screen = screen_of(app)
        assert screen.table.length == MAX_SHOWN
        slowest = 0.0
        for action in ("move(1)", "page(1)", "end", "home", "narrow(1)", "only('all')", "read(1)"):
            began = time.thread_time()  # of this thread alone: the machine may be busy otherwise
            await screen.run_action(action)
            await pilot.pause()
            slowest = max(slowest, time.thread_time() - began)
        began = time.thread_time()
        derive.chosen(derive.rows(app.state), "all", "word zebra")
        searched = time.thread_time() - began
    assert searched < 0.1
    assert slowest < 0.25, "some 50 ms where nothing else runs"


async def test_a_click_on_a_tab_narrows_and_one_on_a_row_chooses(home: Home) -> None:
    async with running(home, history(9), now_of(9)) as (app, pilot, _):
        await press(pilot, "r")
        await pilot.click("#only-refused")
        await settle(pilot, lambda: True)
        assert screen_of(app)._only == "refused"
        await pilot.click("#rollouts-table", offset=(10, 2))
        await settle(pilot, lambda: True)
        assert screen_of(app).table.cursor == 1
        await pilot.click("#rollouts-table", offset=(10, 2), times=2)
        await settle(pilot, lambda: True)
        assert isinstance(app.screen, DetailsScreen)
