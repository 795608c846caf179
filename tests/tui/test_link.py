"""Drawing: only what differs, only when the terminal keeps up, and right in every case."""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip

from tests.tui.ptys import Terminal
from tests.tui.vt import Screen
from tui.link import DEAF_S, LATE_S, LOST_S, STUCK_S, Link
from tui.painter import Painter
from tui.terminal import READY_QUESTION, Tty

SIZE = (24, 4)
STYLES = [Style.parse(words) for words in ("", "bold", "red", "on blue", "bold red on blue")]
PARTS = st.sampled_from(
    ["a", "bc ", "    ", "日本", "é", "e\u0301", "👩\u200d👧", "❤\ufe0f", "עברית", "─┤", "⡠⠔"]
)
SEGMENT = st.tuples(
    st.lists(PARTS, min_size=1, max_size=4).map("".join), st.sampled_from(STYLES)
).map(lambda given: Segment(*given))
ROW = st.lists(SEGMENT, max_size=6).map(lambda parts: Strip(parts).adjust_cell_length(SIZE[0]))
FRAME = st.lists(ROW, min_size=SIZE[1], max_size=SIZE[1])


def update(rows: list[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[row] for row in rows], Region(0, 0, *SIZE))


def shown(sequence: str, screen: Screen | None = None) -> Screen:
    screen = screen or Screen(*SIZE)
    screen.feed(sequence.encode())
    return screen


# --- what is drawn --------------------------------------------------------------------------------


@given(st.lists(FRAME, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_screen_is_what_textual_would_have_drawn(frames: list[list[Strip]]) -> None:
    painter, screen = Painter(), Screen(*SIZE)
    console = Console(color_system="truecolor")
    for frame in frames:
        shown(painter.paint(update(frame), SIZE, ColorSystem.TRUECOLOR), screen)
        wanted = shown(update(frame).render_segments(console).replace("\n", "\r\n"))
        assert screen.rows() == wanted.rows()
        assert painter.paint(update(frame), SIZE, ColorSystem.TRUECOLOR) == ""


def row(text: str, style: str = "") -> Strip:
    return Strip([Segment(text, Style.parse(style))]).adjust_cell_length(SIZE[0])


def test_one_changed_cell_costs_a_few_bytes() -> None:
    painter = Painter()
    rows = [row("round 41  reward 0.500", "red on blue")] * SIZE[1]
    first = painter.paint(update(rows), SIZE, ColorSystem.TRUECOLOR)
    rows = [*rows[:2], row("round 42  reward 0.500", "red on blue"), *rows[3:]]
    second = painter.paint(update(rows), SIZE, ColorSystem.TRUECOLOR)
    assert len(second) < 30 < len(first)
    assert "2" in second
    assert "reward" not in second


def test_a_new_colour_alone_is_drawn() -> None:
    painter = Painter()
    painter.paint(update([row("HEALTHY", "green")] * 4), SIZE, ColorSystem.TRUECOLOR)
    assert "HEALTHY" in painter.paint(
        update([row("HEALTHY", "red")] * 4), SIZE, ColorSystem.TRUECOLOR
    )


def test_what_stands_behind_a_wide_name_is_placed_by_itself() -> None:
    """Terminals disagree about emoji: the column after it must not depend on what they think."""
    text = Painter().paint(update([row("👩\u200d👩\u200d👧 0.5")] * 4), SIZE, ColorSystem.TRUECOLOR)
    assert "👩\u200d👩\u200d👧\x1b[1;3H 0.5" in text


def test_an_accent_in_another_colour_stays_on_its_letter() -> None:
    """As where a search has found the letter alone."""
    painter = Painter()
    for rest in (["\u0301", "日"], ["\u0301日"]):
        found = Strip([Segment("e", STYLES[1]), *(Segment(part, STYLES[2]) for part in rest)])
        screen = shown(painter.paint(update([found] * 4), SIZE, ColorSystem.TRUECOLOR))
        assert screen.rows() == ["e\u0301日"] * 4
        painter.forget()


def test_another_size_or_a_garbled_screen_is_drawn_in_full() -> None:
    painter, frame = Painter(), update([row("x")] * 4)
    first = painter.paint(frame, SIZE, ColorSystem.TRUECOLOR)
    assert painter.paint(frame, SIZE, ColorSystem.TRUECOLOR) == ""
    painter.forget()
    assert painter.paint(frame, SIZE, ColorSystem.TRUECOLOR) == first
    assert painter.paint(frame, (SIZE[0], SIZE[1] + 1), ColorSystem.TRUECOLOR) == first


def test_without_colours_what_is_chosen_is_reversed() -> None:
    rows = [row("chosen", "#000000 on #e0e0e0"), row("plain", "#e0e0e0 on #101010")] * 2
    text = Painter().paint(update(rows), SIZE, ColorSystem.TRUECOLOR, Color.parse("#101010"))
    assert "\x1b[0;7mchosen" in text
    assert "\x1b[0m   " in text  # the rest of that row, and
    assert "\x1b[2;1Hplain" in text


# --- when it is drawn -----------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def asking(quick_s: float = 0.02) -> tuple[Link, Clock]:
    """A link whose terminal has answered once."""
    clock = Clock()
    link = Link(Tty(sys.stderr), clock)
    assert link.question() == READY_QUESTION
    clock.now += quick_s
    link.answered()
    return link, clock


def test_a_link_is_behind_while_an_answer_is_overdue() -> None:
    link, clock = asking()
    link.question()
    clock.now += 0.02 + LATE_S * 0.9
    assert not link.behind
    clock.now += LATE_S * 0.2
    assert link.behind
    link.answered()
    assert not link.behind
    assert link.echo_s == pytest.approx(0.02 + LATE_S * 1.1)


def test_a_distant_terminal_is_not_behind() -> None:
    """Far away is not slow: what counts is how much later than at best the answer comes."""
    link, clock = asking(quick_s=0.4)
    link.question()
    clock.now += 0.5
    assert not link.behind


def test_a_lost_answer_does_not_end_the_drawing() -> None:
    link, clock = asking()
    link.question()
    clock.now += LOST_S - 1
    assert link.behind
    clock.now += 2
    assert not link.behind
    link.answered()  # it comes after all
    assert not link.behind


def test_a_terminal_that_never_answers_is_asked_no_more() -> None:
    clock = Clock()
    link = Link(Tty(sys.stderr), clock)
    link.question()
    clock.now += DEAF_S + 0.1
    assert not link.behind
    assert link.question() == ""
    link.renew()
    assert link.question() == READY_QUESTION


def test_a_terminal_that_does_not_take_what_is_written_is_behind() -> None:
    clock = Clock()

    class Stuck(Tty):
        def stuck_s(self, now: float) -> float:
            return now - 100.0

    link = Link(Stuck(sys.stderr), clock)
    assert not link.behind
    clock.now += STUCK_S * 2
    assert link.behind


def test_a_slow_terminal_gets_fewer_frames_and_the_node_none_the_slower(tmp_path: Path) -> None:
    """Ten rounds a second on a line of 4 KB/s; then the line is quick again."""
    child = [sys.executable, "-m", "tests.tui.console_child", str(tmp_path / "home"), "--feed"]
    with Terminal(child) as console:
        console.shows("HEALTHY", "q Quit")
        before, keys = console.written, itertools.cycle("1234")
        for _ in range(30):  # pages of 2 to 8 KB each: ten times what the line takes
            console.type(next(keys))
            console.trickle(0.1, bytes_s=4000)
        console.type("2")
        began = time.monotonic()
        console.shows("quick amber otter", timeout_s=10)
        assert time.monotonic() - began < 2.0
        assert console.written - before < 40_000, "frames had piled up"
        console.type("q")
        console.shows("Quit Waggle?")
        console.type("s")
        assert console.ended() == 0
    told = json.loads((tmp_path / "home" / "ended").read_text())
    assert told["fed"] > 0.6 * told["s"] / 0.1
