"""Charts without a screen: windows, slots, scales, dots, panels. Pure."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from core.series import EMPTY, Series
from tests.tui.test_draw import HOSTILE
from tui.charting import catalogue
from tui.charting.dots import ASCII, BLOCKS, BRAILLE, Ink, Layer, Signs, cells, signs
from tui.charting.look import SMOOTHING, Look
from tui.charting.panel import Row, panel_rows, plot_size
from tui.charting.picture import panel_of, slot_at
from tui.charting.raster import LONG, Trace, raster, runs
from tui.charting.scale import Scale, figure, fitted, labels, nice, ticks
from tui.charting.slots import Slot, slots, smoothed, usual_step
from tui.charting.sources import source
from tui.charting.studio import Studio
from tui.charting.window import NARROWEST, Window, between

NUMBER = st.floats(-1e300, 1e300)
HOLES = st.sampled_from([math.nan, math.inf])


def made(values: list[float], start: int = 1, step: int = 1) -> Series:
    series = EMPTY
    for n, value in enumerate(values):
        series = series.append(start + n * step, value)
    return series


def drawing(
    series: dict[str, Series], look: Look, size: tuple[int, int], how: Signs, title: str = ""
) -> list[Row]:
    sources = (source("this run", "", series),)
    chart = next(c for c in catalogue.charts(series) if not title or c.title == title)
    plot = plot_size(*size)
    drawn = Studio().drawn(chart, sources, look, plot, how)
    plain = how is ASCII
    panel = panel_of(chart, drawn, look, True, plot, how, plain)
    return panel_rows(panel, drawn.grid, *size, how, "..." if plain else "…")


def text(rows: list[Row]) -> list[str]:
    return ["".join(part for part, _ in row) for row in rows]


# --- windows ----------------------------------------------------------------------------------

EXTENTS = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(
    lambda pair: (float(min(pair)), float(max(pair)))
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["zoom", "pan", "show", "start", "end"]),
        st.floats(-2, 2),
        st.integers(-10, 10**6),
    ),
    max_size=20,
)


@settings(max_examples=200, deadline=None)
@given(EXTENTS, STEPS)
def test_no_sequence_of_moves_leaves_the_data(
    extent: tuple[float, float], steps: list[tuple[str, float, int]]
) -> None:
    low, high = extent
    window = Window()
    for kind, amount, x in steps:
        if kind == "zoom":
            window = window.zoomed(2.0**amount, float(x), extent)
        elif kind == "pan":
            window = window.panned(amount, extent)
        elif kind == "show":
            at = min(max(float(x), low), high)
            window = window.showing(at, extent)
            first, last = window.resolve(extent)
            assert first - 1e-6 <= at <= last + 1e-6
        else:
            window = window.at_end() if kind == "end" else window.at_start(extent)
        first, last = window.resolve(extent)
        assert first < last
        if high > low:
            assert low - 1e-6 <= first
            assert last <= high + 1e-6
            assert last - first >= min(NARROWEST, high - low) - 1e-6


def test_zooming_keeps_the_cursor_in_its_place() -> None:
    window = Window().zoomed(0.5, 30.0, (0.0, 100.0))
    assert window.resolve((0.0, 100.0)) == (15.0, 65.0)
    assert window.zoomed(2.0, 30.0, (0.0, 100.0)) == Window()


def test_a_window_at_the_newest_end_follows_the_run() -> None:
    window = Window().zoomed(0.1, None, (0.0, 100.0))
    assert window.follows
    assert window.resolve((0.0, 200.0)) == (190.0, 200.0)
    still = window.panned(-1, (0.0, 100.0))
    assert still.resolve((0.0, 200.0)) == (80.0, 90.0)
    assert still.panned(5, (0.0, 100.0)).follows


def test_a_window_between_two_places() -> None:
    assert between(40, 20, (0.0, 100.0)).resolve((0.0, 100.0)) == (20.0, 40.0)
    assert between(0, 100, (0.0, 100.0)) == Window()


# --- slots and smoothing ----------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    st.lists(NUMBER | HOLES, min_size=1, max_size=1500),
    st.integers(1, 300),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.integers(1, 4),
)
def test_what_is_in_sight_is_in_exactly_one_slot(
    values: list[float], width: int, part: tuple[float, float], step: int
) -> None:
    series = made(values, step=step)
    data = series.columns
    low, high = series.oldest, series.newest
    first, last = sorted(low + share * (high - low) for share in part)
    last = max(last, first + 1e-3)
    found = slots(data, first, last, width)
    start, stop = data.inside(first, last)
    assert len(found) <= width
    assert all(a.column < b.column and a.last < b.first for a, b in pairwise(found))
    assert all(0 <= slot.column < width for slot in found)
    assert sum(slot.n for slot in found) == sum(data.n[start:stop])
    assert sum(slot.gaps for slot in found) == sum(data.gaps[start:stop])
    if any(slot.n for slot in found):
        assert min(slot.low for slot in found) == min(data.low[start:stop])
        assert max(slot.high for slot in found) == max(data.high[start:stop])


def test_slots_stand_where_their_rounds_are() -> None:
    series = made([float(n) for n in range(101)], start=0)
    found = slots(series.columns, 0.0, 100.0, 10)
    assert [slot.column for slot in found] == list(range(10))
    assert [slot.last for slot in found] == [9, 19, 29, 39, 49, 59, 69, 79, 89, 100]


def test_smoothing_is_the_debiased_average_of_tensorboard() -> None:
    values = [1.0, 3.0, 2.0, math.nan, 5.0]
    expected, average, total = [], 0.0, 0.0
    for value in values:
        if not math.isnan(value):
            average, total = 0.9 * average + 0.1 * value, 0.9 * total + 0.1
        expected.append(average / total)
    assert list(smoothed(made(values), 0.9)) == pytest.approx(expected)
    assert smoothed(made([1.0, *[math.nan] * 3]), 0.5)[-1] == 1.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=900), st.sampled_from(SMOOTHING[1:]))
def test_a_smoothed_line_stays_between_the_extremes(values: list[float], weight: float) -> None:
    for value in smoothed(made(values), weight):
        assert min(values) - 1e-6 <= value <= max(values) + 1e-6


def test_smoothing_means_the_same_share_of_a_long_run_as_of_a_short_one() -> None:
    short = made([0.0] * 500 + [1.0] * 500)
    long = made([0.0] * 50_000 + [1.0] * 50_000)
    for share in (0.4, 0.53, 0.6, 1.0):
        a = slot_at(slots(short.columns, 1, 1000, 100, smoothed(short, 0.97)), 1000 * share)
        b = slot_at(slots(long.columns, 1, 1e5, 100, smoothed(long, 0.97)), 100_000 * share)
        assert a is not None
        assert b is not None
        assert a.smooth == pytest.approx(b.smooth, abs=0.12)


# --- scales -----------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(NUMBER, NUMBER, st.integers(1, 6), st.integers(2, 100))
def test_every_scale_maps_into_its_rows_and_has_readable_ticks(
    a: float, b: float, most: int, rows: int
) -> None:
    low, high = min(a, b), max(a, b)
    slot = Slot(0, 0, 1, low, high, low, 2, 0)
    for log in (False, True):
        scale = fitted([[slot]], log, False)
        assert scale.low < scale.high
        assert scale.log == (log and high > 0)
        for value in (low, high, 0.0, -math.inf, math.inf):
            assert 0 <= scale.row(value, rows) < rows
        marks = ticks(scale, most)
        assert len(marks) <= most
        assert all(len(label) <= 7 for label in labels(marks))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.4231, "0.4231"),
        (1234.5, "1234"),
        (12_345.0, "12.35k"),
        (-1_234_567.0, "-1.235M"),
        (3.14e-5, "3.14e-5"),
        (-1.25e-120, "-1e-120"),
        (1e300, "1.0e300"),
        (math.nan, "-"),
        (math.inf, "-"),
    ],
)
def test_figures_are_short(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_ticks_tell_close_values_apart() -> None:
    assert labels(ticks(Scale(812.0, 812.05), 4)) == ["812.00", "812.02", "812.04"]
    assert ticks(Scale(0.001, 1000.0, True), 4) == [0.001, 0.1, 10.0, 1000.0]
    assert nice(0.03) == 0.05


def test_an_outlier_can_be_left_out_of_the_scale() -> None:
    line = [Slot(n, n, n, 1.0, 1000.0 if n == 7 else 1.1, 1.0, 1, 0) for n in range(100)]
    assert fitted([line], False, False).high > 1000
    assert fitted([line], False, True).high < 2


# --- dots -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "expected"),
    [(BRAILLE, ["⢸⢸", "⢸⢸"]), (BLOCKS, [" █ █", " █ █"]), (ASCII, [" * *", " * *"])],
)
def test_strokes_fill_their_cells(how: Signs, expected: list[str]) -> None:
    layer = Layer(Ink(0), 4, 2 * how.down)
    layer.stroke(1, 0, 99)
    layer.stroke(3, 99, 0)
    layer.stroke(7, 0, 9)
    grid = cells([layer], 4 // how.across, 2, how)
    assert ["".join(sign for sign, _ in row) for row in grid] == expected


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.integers(0, 31), st.integers(0, 40), st.integers(0, 31))
def test_a_line_is_connected_and_ends_where_it_should(x0: int, y0: int, x1: int, y1: int) -> None:
    x0, x1 = min(x0, x1), max(x0, x1)
    layer = Layer(Ink(0), 41, 32)
    layer.line(x0, y0, x1, y1)
    dots = {(x, y) for x, bits in enumerate(layer.bits) for y in range(32) if bits >> y & 1}
    assert {(x0, y0), (x1, y1)} <= dots
    assert {x for x, _ in dots} == set(range(x0, x1 + 1))
    seen, todo = set(), [(x0, y0)]
    while todo:
        x, y = todo.pop()
        if (x, y) in dots and (x, y) not in seen:
            seen.add((x, y))
            todo += [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    assert seen == dots


def test_the_signs_fit_the_terminal() -> None:
    assert signs(True) is ASCII
    assert signs(False, "linux") is BLOCKS
    assert signs(False, "xterm-256color") is BRAILLE


# --- lines ------------------------------------------------------------------------------------


def traced(series: Series, width: int = 40) -> Trace:
    span = series.oldest, max(series.newest, series.oldest + 1)
    return Trace(tuple(slots(series.columns, *span, width)), "", usual_step(series))


def test_a_line_breaks_at_a_gap_and_at_a_long_pause() -> None:
    gap = made([1.0] * 10 + [math.nan] + [1.0] * 10)
    assert [len(piece) for piece in runs(traced(gap), False)] == [10, 10]
    pause = made([1.0] * 30)
    for n in range(30):
        pause = pause.append(30 + int(LONG) * 40 + n, 2.0)
    assert len(list(runs(traced(pause), False))) == 2
    sparse = made([1.0] * 20, step=50)
    assert len(list(runs(traced(sparse), False))) == 1


def test_a_gap_leaves_a_hole_and_a_sign() -> None:
    series = made([1.0] * 10 + [math.nan] * 10 + [2.0] * 10)
    rows = text(drawing({"loss": series}, Look(), (40, 8), ASCII))
    foot = rows[-2]
    assert "x" in foot
    hole = [foot.index("x"), foot.rindex("x")]
    assert all(row[hole[0] : hole[1] + 1].strip("x ") == "" for row in rows[1:-1])


def test_a_single_point_and_a_flat_line_are_drawn() -> None:
    for values in ([3.0], [3.0] * 50, [-1e300, 1e300], [0.0, 1e-300]):
        rows = text(drawing({"loss": made(values)}, Look(), (40, 8), ASCII))
        assert any(row[8:].strip() for row in rows[1:-1]), values


def test_a_spike_of_one_round_is_seen_in_any_run() -> None:
    series = EMPTY
    for n in range(100_000):
        series = series.append(n, 100.0 if n == 30_000 else 1.0)
    rows = text(drawing({"loss": series}, Look(), (60, 12), BRAILLE))
    assert rows[1][8:].strip()
    assert fitted([traced(series).slots], False, False).high > 100


@pytest.mark.parametrize("how", [BRAILLE, BLOCKS, ASCII], ids=["braille", "blocks", "ascii"])
@pytest.mark.parametrize("size", [(24, 5), (40, 10), (46, 12), (140, 36), (10, 3), (24, 2)])
@pytest.mark.parametrize("smoothing", [0, 5])
@pytest.mark.parametrize("log", [False, True])
def test_a_panel_fills_its_cells_exactly(
    how: Signs, size: tuple[int, int], smoothing: int, log: bool
) -> None:
    values = [math.sin(n / 20) + (math.nan if n % 50 == 0 else 0) for n in range(700)]
    series = {"reward/own": made(values), "reward/swarm": made([v / 2 for v in values])}
    look = Look(smoothing=smoothing, log=log, cursor=350.0, bracket=100.0, clip=True)
    rows = drawing(series, look, size, how)
    assert len(rows) == size[1]
    for row in text(rows):
        assert cell_len(row) == size[0], row
        assert how is not ASCII or row.isascii()


def test_lines_are_told_apart_without_colour() -> None:
    series = {"reward/own": made([1.0] * 60), "reward/swarm": made([2.0] * 60)}
    rows = text(drawing(series, Look(), (60, 10), BRAILLE))
    assert "o own 1" in rows[0]
    assert "s swarm 2" in rows[0]
    assert any("o" in row[8:] for row in rows[1:-1])
    assert any("s" in row[8:] for row in rows[1:-1])


@pytest.mark.parametrize(
    "name", ["x\x1b[31m\u202e" + "y" * 10_000, "[/foo]", "日本語🙂" * 40, HOSTILE]
)
@pytest.mark.parametrize("how", [BRAILLE, ASCII], ids=["braille", "ascii"])
def test_hostile_names_stay_inside_their_panel(name: str, how: Signs) -> None:
    rows = drawing({name: made([1.0, 2.0, 3.0])}, Look(cursor=2.0), (40, 9), how)
    for row in text(rows):
        assert cell_len(row) == 40
        assert "\x1b" not in row
        assert "\u202e" not in row
        assert how is not ASCII or row.isascii()


def test_a_scale_without_positive_numbers_stays_linear_and_says_so() -> None:
    rows = text(drawing({"loss": made([-1.0, -2.0, -3.0])}, Look(log=True), (60, 9), BRAILLE))
    assert "linear: nothing above 0" in rows[0]


def test_raster_draws_the_first_line_over_the_others() -> None:
    same = traced(made([1.0] * 40))
    grid = raster([same, same], Scale(0, 2), (1.0, 40.0), (20, 4), BRAILLE)
    inks = {ink.line for row in grid for sign, ink in row if ink and not ink.faint}
    assert 0 in inks
