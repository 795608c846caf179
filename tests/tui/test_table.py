"""The virtual table: cells never leave their columns, only rows in sight are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tests.tui.test_draw import HOSTILE, PENS
from tui.draw import Pen
from tui.text import clean
from tui.widgets.table import MARGIN, Table
from tui.widgets.table_layout import LEFT_TO_RIGHT, Cell, Column, isolated, layout

COLUMNS = (
    Column("rank", "rank", 5, right=True, fixed=True),
    Column("name", "name", 8, most=20, fixed=True),
    Column("a", "aa", 6, right=True, falling=True),
    Column("b", "bb", 9),
    Column("c", "cc", 12, most=30),
)
NAMES = [
    "calm golden badger",
    "日本語の名前がとても長い",
    "שלום עולם",
    "مرحبا 123",
    "e\u0301\u0301\u0301\u0301\u0301 zalgo",
    "👩‍👩‍👧 family",
    HOSTILE,
]


@dataclass
class Numbers:
    """Rows 0 to `many`; remembers which were asked for. Every `gap`th is still being read."""

    many: int
    gap: int = 0
    first: int = 0
    asked: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self.many

    def key(self, row: int) -> int | None:
        return row - self.first

    def find(self, key: int) -> int | None:
        return key + self.first if 0 <= key + self.first < self.many else None

    def cells(self, row: int, pen: Pen) -> Sequence[Cell] | None:
        self.asked.append(row)
        if self.gap and row % self.gap == 0:
            return None
        name = pen.safe(NAMES[row % len(NAMES)], 200)
        return ((str(row), ""), (name, ""), ("1", ""), (name, ""), (name, "bold"))


class OneTable(App[None]):
    def __init__(self, source: Numbers, ascii_only: bool = False) -> None:
        super().__init__()
        self.pen = PENS["ascii" if ascii_only else "unicode"]
        self.source = source
        self.seen: list[object] = []

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS)

    def on_mount(self) -> None:
        self.query_one(Table).active = True
        self.query_one(Table).show(self.source)

    def on_table_headed(self, event: Table.Headed) -> None:
        self.seen.append(event.column)

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.seen.append(event.table.key)


@asynccontextmanager
async def shown(
    source: Numbers, size: tuple[int, int] = (60, 20), ascii_only: bool = False
) -> AsyncIterator[tuple[Table, Pilot[None], OneTable]]:
    app = OneTable(source, ascii_only)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app.query_one(Table), pilot, app


def lines(table: Table) -> list[str]:
    return [table.render_line(y).text for y in range(table.size.height)]


@settings(max_examples=300)
@given(
    st.lists(
        st.builds(
            Column,
            st.text("abc", min_size=1, max_size=3),
            st.just("t"),
            st.integers(1, 20),
            most=st.integers(0, 40),
            fixed=st.booleans(),
        ),
        min_size=1,
        max_size=9,
    ),
    st.integers(1, 200),
    st.integers(0, 12),
)
def test_columns_in_sight_fit_or_are_the_first(columns: list[Column], width: int, at: int) -> None:
    made = layout(columns, width, at)
    numbers = [number for number, _ in made.columns]
    assert len(set(numbers)) == len(numbers)
    assert all(size >= columns[n].width for n, size in made.columns)
    assert {n for n, column in enumerate(columns) if column.fixed} <= set(numbers)
    used = sum(size + 1 for _, size in made.columns) - 1
    fixed = sum(column.width + 1 for column in columns if column.fixed) - 1
    loose = [n for n in numbers if not columns[n].fixed]
    assert used <= width or fixed > width or (len(numbers) == 1 and loose), made
    assert len(numbers) + sum(made.more) == len(columns)


@given(st.text(max_size=40))
def test_no_text_is_wider_or_heavier_for_being_set_apart(text: str) -> None:
    told = clean(text)
    shown = isolated(told)
    assert cell_len(shown) == cell_len(told)


def test_a_right_to_left_name_is_closed_and_marks_do_not_pile_up() -> None:
    assert isolated("שלום").endswith(LEFT_TO_RIGHT)
    assert isolated("otter") == "otter"
    for mark in ("\u0301", "\u0489"):  # an enclosing one is of no combining class
        assert clean("e" + mark * 40 + "x" + mark) == f"e{mark}{mark}x{mark}"


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("size", [(24, 6), (60, 20), (140, 40)])
async def test_whatever_the_names_say_the_columns_stand(
    size: tuple[int, int], ascii_only: bool
) -> None:
    async with shown(Numbers(200), size, ascii_only) as (table, _, _):
        drawn = lines(table)
        for line in drawn:
            assert cell_len(line) == size[0]
            assert "\x1b" not in line
            assert "\u202e" not in line
            assert not ascii_only or line.isascii()
        if size[0] >= 60:
            start = MARGIN + 6  # rank, a blank
            name = next(w for n, w in table._layout.columns if n == 1)
            for line in drawn[1:]:
                before = next(i for i in range(len(line)) if cell_len(line[:i]) == start + name)
                rest = line[before:].lstrip(LEFT_TO_RIGHT)
                assert rest.startswith("      1 "), line


async def test_only_rows_in_sight_are_asked_for() -> None:
    source = Numbers(100_000)
    async with shown(source) as (table, pilot, _):
        for move in (table.end, table.home, lambda: table.page(1), lambda: table.move(1)):
            source.asked.clear()
            move()
            assert len(source.asked) <= 20
            await pilot.pause()
        table.end()
        assert table.cursor == 99_999
        assert "99999" in lines(table)[-1]


async def test_a_move_of_the_cursor_sends_two_rows() -> None:
    async with shown(Numbers(100)) as (table, _, _):
        table.cursor = 3
        assert table.repaint() == 2
        assert table.repaint() == 0


async def test_rows_that_are_still_read_say_so() -> None:
    async with shown(Numbers(50, gap=5)) as (table, _, _):
        assert "…" in lines(table)[1]
        assert "1" in lines(table)[2]


async def test_the_cursor_stays_on_its_row_while_others_come_and_go() -> None:
    async with shown(Numbers(100)) as (table, _, _):
        table.go(30)
        top = table.top
        table.show(Numbers(140, first=40))
        assert (table.key, table.cursor, table.top) == (30, 70, top + 40)
        table.show(Numbers(20))
        assert table.cursor == 19
        table.home()
        table.show(Numbers(60, first=40))
        assert table.cursor == 0, "who looks at the head goes on looking at the head"


async def test_an_empty_table_says_why() -> None:
    async with shown(Numbers(0)) as (table, pilot, _):
        table.note = "Nobody is here."
        table.end()
        await pilot.press("x")
        assert "Nobody is here." in lines(table)[1]
        assert table.key is None


async def test_columns_without_room_are_a_key_away() -> None:
    async with shown(Numbers(10), (34, 10)) as (table, _, _):
        assert "cc" not in lines(table)[0]
        assert lines(table)[0].rstrip().endswith(">")
        table.sideways(1)
        table.sideways(1)
        assert "cc" in lines(table)[0]
        assert lines(table)[0].startswith("<")
        table.sideways(1)
        assert "rank" in lines(table)[0]
        table.sideways(-1)
        table.sideways(-1)
        table.sideways(-1)
        assert "aa" in lines(table)[0]
        table.reveal("c")
        assert "cc" in lines(table)[0]
        table.reveal("a")
        assert "aa" in lines(table)[0]


async def test_the_mouse_chooses_sorts_and_scrolls() -> None:
    async with shown(Numbers(500)) as (table, pilot, app):
        await pilot.click(Table, offset=(12, 4))
        assert table.cursor == 3
        await pilot.click(Table, offset=(12, 6), times=2)
        await pilot.pause()
        await pilot.click(Table, offset=(MARGIN + 7, 0))
        await pilot.pause()
        assert app.seen == [5, "name"]
        await pilot.click(Table, offset=(59, 19))
        assert table.cursor == 499


async def test_any_size_and_any_keys_leave_a_table() -> None:
    async with shown(Numbers(300)) as (table, pilot, _):
        for size in ((1, 1), (3, 2), (200, 60), (60, 20)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            for move in (table.end, table.home, lambda: table.page(1), lambda: table.scroll(7)):
                move()
            assert 0 <= table.top <= table.cursor < 300
