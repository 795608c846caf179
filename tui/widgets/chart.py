"""A chart pane: a legend line and a plotext chart, redrawn on new data at most once a second."""

from __future__ import annotations

from rich.text import Text
from textual import events

from core.texts import _
from tui.draw import Pen, line, note
from tui.plot import MIN_HEIGHT, MIN_WIDTH, plot
from tui.text import number
from tui.views import ChartView
from tui.widgets.lines import Lines


def legend(view: ChartView, width: int, pen: Pen) -> Text:
    """The lines of the chart by sign and name, and the newest value."""
    text = line()
    text.append(f"{view.title} ", "bold")
    text.append(number(view.last, view.digits))
    if len(view.lines) > 1:
        for series, sign in zip(view.lines, signs(pen), strict=False):
            text.append(f"  {sign} {series.label}", pen.palette.label)
    text.truncate(width, overflow="ellipsis" if not pen.glyphs.ascii else "crop")
    return text


def signs(pen: Pen) -> tuple[str, str]:
    """How a line and the second line look in the legend: by shape, not by colour alone."""
    return ("*", ".") if pen.glyphs.ascii else ("⠤", "•")


def chart(view: ChartView, width: int, pen: Pen, height: int, color: bool) -> Text:
    text = legend(view, width, pen)
    text.append("\n")
    if view.empty:
        text.append_text(note(_("The first finished round draws the first point."), width, pen))
    elif width < MIN_WIDTH or height - 1 < MIN_HEIGHT:
        text.append_text(note(_("Too small for a chart."), width, pen))
    else:
        text.append_text(plot(view, width, height - 1, pen, color))
    return text


class Chart(Lines):
    """Fills its pane; `columns` is how many points are worth having."""

    DEFAULT_CSS = """
    Chart { height: 1fr; width: 1fr; min-width: 16; }
    """

    def __init__(self, id: str) -> None:
        super().__init__(self._draw, id=id)
        self._drawn_height = 0

    @property
    def columns(self) -> int:
        return max(2, self.content_size.width - 8)

    def _draw(self, view: ChartView, width: int, pen: Pen) -> Text:
        height = self._drawn_height = self.content_size.height
        return chart(view, width, pen, height, not self.app.no_color)

    def on_resize(self, event: events.Resize) -> None:
        if (self.content_size.width, self.content_size.height) != (
            self._drawn_width,
            self._drawn_height,
        ):
            self.redraw()

    def redraw(self) -> None:
        if self.content_size.height > 0:
            super().redraw()
