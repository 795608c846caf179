"""Everything between the state and a frame of the charts screen, without widget, clock or disk.

Guards the look and what was drawn last; `frame` is the only thing that costs time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.series import Series
from core.texts import _
from tui.charting.catalogue import Chart, charts
from tui.charting.dots import Signs
from tui.charting.filtering import Filtered, filtered
from tui.charting.look import Look
from tui.charting.panel import AXIS, Panel, Row, panel_rows, plot_size
from tui.charting.picture import panel_of, stepped
from tui.charting.reading import bracketed, definition_of, reading
from tui.charting.scale import Scale
from tui.charting.sources import Source, extent, names_of, source
from tui.charting.studio import Drawn, Studio
from tui.charting.window import Extent
from tui.screens.charts.texts import Foot, Head
from tui.widgets.chart_grid import Shape, shape

NO_DATA = _("The first finished round draws the first point.")
HINT = _("Left and right move the cursor, Space keeps a place, ? lists all keys.")
NO_MATCH = _("No chart matches this filter. Esc in the filter line shows all again.")


@dataclass(frozen=True)
class Frame:
    head: Head
    shape: Shape
    rows: list[list[Row]]
    foot: Foot


class Desk:
    """sources: the run under way first, then those it is compared with."""

    def __init__(self) -> None:
        self.look = Look()
        self.sources: tuple[Source, ...] = (Source(_("this run"), "", {}),)
        self._studio = Studio()
        self._names: tuple[str, ...] = ()
        self._all: tuple[Chart, ...] = ()
        self._filtered: tuple[object, Filtered] = (None, Filtered(()))
        self._page: list[tuple[Chart, Drawn]] = []
        self._shape = Shape(1, 1, ())
        self._first = 0

    # --- what there is ------------------------------------------------------------------------

    def take(self, series: Mapping[str, Series]) -> bool:
        """The series of the run under way; whether they are others than before."""
        if series is self.sources[0].series:
            return False
        self.sources = (source(_("this run"), "", series), *self.sources[1:])
        return True

    def compare(self, earlier: Sequence[Source]) -> None:
        """With other runs, counted from the start of each; with none, as the swarm counts."""
        self.sources = (self.sources[0], *earlier)
        if self.look.relative != bool(earlier):
            self.turn_axis()

    def turn_axis(self) -> None:
        """Count from the start of each run, or as the swarm does; the cursor keeps its round."""
        shift = self.sources[0].origin * (1 if self.look.relative else -1)
        look = replace(self.look, relative=not self.look.relative)
        moved = [None if x is None else x + shift for x in (look.cursor, look.bracket)]
        placed = look.window.last
        around = replace(look.window, last=None if placed is None else placed + shift)
        self.look = replace(look, cursor=moved[0], bracket=moved[1], window=around)

    @property
    def extent(self) -> Extent:
        return extent(self.sources, self.look.relative)

    @property
    def round(self) -> float | None:
        """The round of the run under way at the cursor: what other screens can follow."""
        offset = self.sources[0].offset(self.look.relative)
        return None if self.look.cursor is None else self.look.cursor + offset

    def go_to(self, round_: float) -> None:
        """Put the cursor on a round that another screen showed."""
        offset = self.sources[0].offset(self.look.relative)
        self.look = self.look.pointed(round_ - offset, self.extent)

    def filtered(self) -> Filtered:
        names = names_of(self.sources)
        if names != self._names:
            self._names, self._all = names, charts(names)
        key = (self._all, self.look.filter)
        if key != self._filtered[0]:
            self._filtered = (key, filtered(self._all, self.look.filter))
        return self._filtered[1]

    def to_export(self) -> tuple[Chart, ...]:
        """The charts that the filter leaves, or the one that fills the screen."""
        chosen = self.chosen()
        return (chosen[0],) if self.look.open and chosen else self.filtered().charts

    # --- moving -------------------------------------------------------------------------------

    def chosen(self) -> tuple[Chart, Drawn] | None:
        """The chosen chart as it was drawn last."""
        place = 0 if self.look.open else self.look.chosen - self._first
        return self._page[place] if 0 <= place < len(self._page) else None

    def point(self, steps: int) -> None:
        """Move the cursor along the chosen chart; at the edge the window moves with it."""
        chosen = self.chosen()
        if chosen is None or not chosen[1].traces:
            return
        _, made = chosen
        before = self.look.cursor
        to = stepped(made.traces[0].slots, before, steps)
        if to is None or to == before or not made.span[0] <= to <= made.span[1]:
            to = self._beyond(made, before, steps)
        if to is not None:
            self.look = self.look.pointed(to, self.extent)

    def _beyond(self, made: Drawn, x: float | None, steps: int) -> float | None:
        """The next point outside the window."""
        line = made.lines[0]
        offset = self.sources[line.source].offset(self.look.relative)
        data = line.series.columns
        if x is None or not data.size:
            return None
        start, stop = data.inside(x + offset, x + offset)
        at = max(start - 1, 0) if steps < 0 else min(stop, data.size - 1)
        return data.last[at] - offset

    def point_at(self, chart: int, x: int) -> None:
        """A click on cell `x` of a chart of the page: choose it, and put the cursor there."""
        if not 0 <= chart < len(self._page):
            return
        if not self.look.open:
            self.look = replace(self.look, chosen=self._first + chart)
        width, _ = self._plot(chart)
        if 0 <= x - AXIS < width:
            first, last = self._page[chart][1].span
            there = first + (x - AXIS + 0.5) / width * (last - first)
            self.look = self.look.pointed(there, self.extent)

    def choose(self, steps: int) -> None:
        self.look = replace(self.look, chosen=self.look.chosen + steps).fitted(
            len(self.filtered().charts), self.extent
        )

    def choose_row(self, rows: int) -> None:
        """The chart above or below; at the edge nothing."""
        steps = rows if self.look.open else rows * self._shape.columns
        if 0 <= self.look.chosen + steps < len(self.filtered().charts):
            self.choose(steps)

    def page(self, pages: int) -> None:
        self.choose(pages * (1 if self.look.open else len(self._shape.at)))

    # --- drawing ------------------------------------------------------------------------------

    def _plot(self, place: int) -> tuple[int, int]:
        return plot_size(self._shape.at[place].width - 1, self._shape.at[place].height)

    def frame(self, width: int, height: int, how: Signs, ascii_only: bool, cut: str) -> Frame:
        """What `width` x `height` cells of charts show, and the texts around them."""
        self._studio.next_frame()
        found = self.filtered()
        look = self.look = self.look.fitted(len(found.charts), self.extent)
        shown = self._lay_out(found.charts, width, height)
        rows = []
        self._page = []
        for place, chart in enumerate(shown):
            size, region = self._plot(place), self._shape.at[place]
            made = self._studio.drawn(chart, self.sources, look, size, how)
            chosen = self._first + place == look.chosen
            panel = panel_of(chart, made, look, chosen, size, how, ascii_only)
            self._page.append((chart, made))
            rows.append(panel_rows(panel, made.grid, region.width, region.height, how, cut))
        if not shown:
            note = NO_MATCH if look.filter and self._all else NO_DATA
            empty = Panel("", (), False, Scale(0, 1), (0, 1), note=note)
            rows.append(panel_rows(empty, [], width, height, how, cut))
        return Frame(self._head(found), self._shape, rows, self._foot())

    def _lay_out(self, found: tuple[Chart, ...], width: int, height: int) -> tuple[Chart, ...]:
        self._shape = shape(1 if self.look.open else len(found), width, height)
        many = len(self._shape.at)
        self._first = self.look.chosen if self.look.open else self.look.chosen // many * many
        return found[self._first : self._first + many]

    def _head(self, found: Filtered) -> Head:
        return Head(
            self.look,
            self._first + 1,
            self._first + len(self._page),
            len(found.charts),
            len(self._all),
            self.look.window.resolve(self.extent),
            self.extent,
            tuple(f"{src.mark} {src.label}" for src in self.sources[1:]),
            found.problem,
        )

    def _foot(self) -> Foot:
        chosen = self.chosen()
        if chosen is None:
            return Foot()
        chart, made = chosen
        if self.look.cursor is None:
            return Foot(definition_of(chart), HINT)
        read = reading(chart, made, self.sources, self.look)
        between = bracketed(made, self.sources, self.look)
        return Foot(read, between, hint=not between)
