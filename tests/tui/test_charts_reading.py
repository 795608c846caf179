"""Charts without a screen: readings, catalogue, filter, comparison and files. Pure."""

from __future__ import annotations

import math
import time

import pytest

from core.training.metrics import METRICS
from tests.tui.test_charts_drawing import made
from tui.charting import catalogue, reading, svg, tables
from tui.charting.dots import BRAILLE
from tui.charting.filtering import filtered
from tui.charting.look import Look
from tui.charting.picture import stepped
from tui.charting.slots import slots
from tui.charting.sources import Source, lines_of, source
from tui.charting.studio import Studio

# --- cursor -----------------------------------------------------------------------------------


def test_the_cursor_steps_from_slot_to_slot() -> None:
    found = slots(made([float(n) for n in range(10)]).columns, 1.0, 10.0, 10)
    assert stepped(found, None, -1) == 9
    assert stepped(found, None, 1) == 10
    assert stepped(found, 5.0, 2) == 7
    assert stepped(found, 5.0, -99) == 1
    assert stepped(found, 10.0, 1) == 10
    assert stepped([], 5.0, 1) is None


def test_a_reading_tells_value_range_count_and_gaps() -> None:
    values = [float(n % 10) for n in range(1, 1001)]
    values[5] = math.nan
    sources = (source("this run", "", {"loss": made(values)}),)
    chart = catalogue.charts(sources[0].series)[0]
    look = Look(cursor=5.0, bracket=400.0, smoothing=3)
    drawn = Studio().drawn(chart, sources, look, (50, 8), BRAILLE)
    told = reading.reading(chart, drawn, sources, look)
    assert told.startswith("Loss at round 5  ")
    assert "in 9, 1 missing)" in told
    assert "smooth" in told
    between_them = reading.bracketed(drawn, sources, look)
    assert between_them.startswith("5 to 400:")
    assert "slope" in between_them


def test_a_trend_is_the_slope_of_the_line() -> None:
    line = made([3.0 + 0.25 * n for n in range(5000)])
    assert reading.trend(line.columns) == pytest.approx(0.25, rel=1e-6)
    assert reading.trend(made([1.0]).columns) is None


# --- catalogue and filter ---------------------------------------------------------------------


def test_every_metric_of_training_has_a_place_and_a_meaning() -> None:
    names = [*METRICS, "reward_mean/spell", "seconds/score", "reward/own", "loss", "wait_s"]
    found = catalogue.charts(names)
    placed = [line.name for chart in found for line in chart.lines]
    assert sorted(placed) == sorted(name for name in names if name not in catalogue.TOLD_TWICE)
    assert len({chart.id for chart in found}) == len(found)
    assert not [chart for chart in found if chart.group == "Other"]
    assert all(catalogue.definition(name) for name in names)
    assert catalogue.definition("from/nowhere") == ""


def test_marks_of_a_chart_differ() -> None:
    for chart in catalogue.CHARTS:
        marks = [line.mark for line in chart.lines]
        assert len(set(marks)) == len(marks)
        assert all(len(mark) == 1 and mark.isascii() for mark in marks)


@pytest.mark.parametrize(
    ("pattern", "titles"),
    [
        ("", ["Reward", "Loss", "Entropy", "my_metric"]),
        ("LOSS|entropy", ["Loss", "Entropy"]),
        ("^reward/sw", ["Reward"]),
        ("policy", ["Entropy"]),
        ("my_.*c$", ["my_metric"]),
        ("[", []),
        ("nothing", []),
    ],
)
def test_filters(pattern: str, titles: list[str]) -> None:
    found = filtered(
        catalogue.charts(["my_metric", "reward/own", "reward/swarm", "entropy", "loss"]), pattern
    )
    assert [chart.title for chart in found.charts] == titles
    assert bool(found.problem) == (pattern == "[")


def test_a_filter_that_would_take_for_ever_is_stopped() -> None:
    found = catalogue.charts(["a" * 79 + str(n) for n in range(160)])
    began = time.perf_counter()
    kept = filtered(found, "(a+)+(b|c)+$")
    assert time.perf_counter() - began < 0.5
    assert "too long" in kept.problem


# --- runs, files ------------------------------------------------------------------------------


def two_runs() -> tuple[Source, Source]:
    now = {"loss": made([1.0, 2.0, 3.0], start=501), "kl": made([0.1] * 3, start=501)}
    return source("this run", "", now), source("12 Mar", "1", {"loss": made([5.0, 4.0])}, 7.0)


def test_runs_are_compared_from_their_starts() -> None:
    sources = two_runs()
    chart = catalogue.charts(["loss"])[0]
    assert [(line.label, line.mark) for line in lines_of(chart, sources)] == [
        ("loss", "l"),
        ("12 Mar", "1"),
    ]
    drawn = Studio().drawn(chart, sources, Look(relative=True), (40, 8), BRAILLE)
    assert drawn.span == (0.0, 2.0)
    assert [slot.last for slot in drawn.traces[1].slots] == [0.0, 1.0]


def test_a_table_keeps_every_bucket_and_gives_no_formula_to_a_spreadsheet() -> None:
    sources = (source("=cmd()", "", {"loss": made([1.0, math.nan, 3.0]), "+x": made([1.0])}),)
    rows = tables.table(catalogue.charts(sources[0].series), sources, Look()).splitlines()
    assert rows[0].split(",") == list(tables.HEAD)
    assert rows[1] == "'=cmd(),Learning,Loss,loss,1,1,1,0,1.0,1.0,1.0,"
    assert rows[2] == "'=cmd(),Learning,Loss,loss,2,2,0,1,,,,"
    assert rows[4].split(",")[3] == "'+x"


def test_a_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 100)
    sources = (source("a", "", {"loss": made([1.0] * 5000), "kl": made([2.0] * 700)}),)
    rows = tables.table(catalogue.charts(sources[0].series), sources, Look()).splitlines()[1:]
    assert len(rows) <= 100
    assert sum(int(row.split(",")[6]) for row in rows) == 5700


def test_a_picture_is_one_whole_standalone_svg() -> None:
    from xml.etree import ElementTree

    name = "<script>alert(1)</script>&\x00]]>"
    sources = (
        source("a", "", {name: made([1.0, math.nan, 2.0, 3.0]), "loss": made([1.0] * 9)}),
        source("b", "1", {"loss": made([2.0] * 5)}),
    )
    text_of_it = svg.picture(catalogue.charts(sources[0].series), sources, Look(smoothing=5), "t")
    root = ElementTree.fromstring(text_of_it)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "rect", "text", "g", "path", "circle"}
    assert "script" not in text_of_it.replace("&lt;script", "").replace("&lt;/script", "")
    assert "href" not in text_of_it
    assert len(text_of_it) < 100_000
