"""The first rounds of a run: one point, or a few, are seen on every chart there is."""

from __future__ import annotations

import math

import pytest

from tests.tui.test_charts_drawing import drawing, made, text
from tui.charting import catalogue
from tui.charting.dots import ASCII, BLOCKS, BRAILLE, Signs
from tui.charting.look import Look
from tui.charting.sources import source
from tui.charting.svg import picture
from tui.draw import Pen
from tui.glyphs import ASCII as PLAIN
from tui.glyphs import LINUX, UNICODE, Glyphs
from tui.palette import palette
from tui.plot import plot
from tui.views import ChartLine, ChartView

SIZE = (48, 9)


@pytest.mark.parametrize("how", [BRAILLE, BLOCKS, ASCII])
@pytest.mark.parametrize("many", [1, 2, 3])
def test_each_of_a_few_points_has_its_sign(how: Signs, many: int) -> None:
    values = [1.0, 3.0, 2.0][:many]
    shown = "\n".join(text(drawing({"loss": made(values)}, Look(), SIZE, how, "Loss")))
    assert shown.count(how.dot) == many + "Loss".count(how.dot)


def test_a_point_between_two_holes_has_its_sign_and_a_long_line_none() -> None:
    values = [math.sin(n / 9) for n in range(200)]
    line = "\n".join(text(drawing({"loss": made(values)}, Look(), SIZE, BRAILLE, "Loss")))
    assert BRAILLE.dot not in line
    values[92:109] = [math.nan] * 8 + [0.0] + [math.nan] * 8
    alone = "\n".join(text(drawing({"loss": made(values)}, Look(), SIZE, BRAILLE, "Loss")))
    assert alone.count(BRAILLE.dot) == 1


@pytest.mark.parametrize(("many", "circles"), [(1, 1), (2, 2), (200, 0)])
def test_a_picture_has_them_as_circles(many: int, circles: int) -> None:
    series = {"loss": made([float(n % 7) for n in range(many)])}
    drawn = picture(catalogue.charts(series), [source("this run", "", series)], Look(), "x")
    assert drawn.count("<circle") == circles


@pytest.mark.parametrize(("signs", "sign"), [(UNICODE, "◆"), (LINUX, "█"), (PLAIN, "*")])
def test_the_dashboard_shows_the_first_point(signs: Glyphs, sign: str) -> None:
    for many in (1, 2):
        xs = tuple(float(n) for n in range(1, many + 1))
        view = ChartView("Loss", (ChartLine("own", xs, xs),))
        assert plot(view, *SIZE, Pen(signs, palette({}))).plain.count(sign) >= many


def test_the_linux_console_gets_signs_of_its_font_only() -> None:
    xs = tuple(float(n) for n in range(1, 60))
    lines = (ChartLine("own", xs, xs), ChartLine("swarm", xs, xs[::-1]))
    drawn = plot(ChartView("Loss", lines), *SIZE, Pen(LINUX, palette({}))).plain
    drawn.translate(str.maketrans("", "", "•")).encode("cp437")
