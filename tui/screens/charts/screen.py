"""All metrics as charts, on the whole screen, by keyboard: zoom, read, smooth, filter, compare.

Draws `app.state` when told to (`show_state`), at most once a second, and at once for a key; only
rows of charts that changed are sent to the terminal. The journal is read and files are written in
worker threads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from rich.style import Style
from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.worker import get_current_worker

from core.errors import WaggleError
from core.history import Run, read_runs
from core.texts import _, many
from tui import keys
from tui.charting import ink, window
from tui.charting.dots import signs
from tui.charting.look import Look
from tui.charting.sources import source
from tui.screens.charts.desk import Desk
from tui.screens.charts.filter_line import FilterLine
from tui.screens.charts.runs import RunsScreen, label_of
from tui.screens.charts.saving import export_path, exported, save
from tui.screens.charts.texts import foot, head
from tui.text import clean
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from tui.app import WaggleApp

PACE_S = 1.0
"""Seconds between two drawings of news at least."""


class ChartsScreen(Screen[None]):
    """Every action changes the look and asks for one drawing, however many keys are waiting."""

    KEY_SCOPE = "charts"
    BINDINGS = keys.bindings("charts")
    AUTO_FOCUS = ""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._drawn_at = 0.0
        self._asked = False
        self._pen: object = None
        self._styles: dict[str, Style] = {}

    @property
    def waggle(self) -> WaggleApp:
        return cast("WaggleApp", self.app)

    def compose(self) -> ComposeResult:
        yield Lines(head, id="charts-head")
        yield ChartGrid("chart-grid")
        yield Lines(foot, id="charts-foot")
        yield FilterLine()
        for scope in ("charts", "filter"):
            with Container(id=f"keys-{scope}", classes="keys"):
                yield KeyBar(scope)

    def on_mount(self) -> None:
        self._desk.take(self.waggle.state.series)
        self.waggle.round_signal.subscribe(self, self._follow)
        if self.waggle.linked_round is not None:
            self._desk.go_to(self.waggle.linked_round)

    # --- drawing ------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Draw what is new. Called on the tick; safe at any time."""
        if not self.is_mounted or not self.is_current:
            return
        if self.waggle.ticking and time.monotonic() - self._drawn_at < PACE_S:
            return
        if self._desk.take(self.waggle.state.series) or self._pen is not self.waggle.pen:
            self._draw()

    def on_screen_resume(self) -> None:
        if not self._pruning:  # a console that closes has nothing left to draw on
            self._ask()

    def on_chart_grid_resized(self) -> None:
        self._draw()

    def _ask(self) -> None:
        """Draw once all keys that wait already have been taken."""
        if not self._asked:
            self._asked = True
            self.call_later(self._draw)

    def _draw(self) -> None:
        self._asked = False
        grid = self.query_one(ChartGrid)
        if grid.size.width <= 0 or grid.size.height <= 0:
            return
        self._drawn_at = time.monotonic()
        app, pen = self.waggle, self.waggle.pen
        if self._pen is not pen:
            self._pen = pen
            names = ink.styles(pen.palette, app.theme_variables, app.current_theme.dark)
            self._styles = {name: Style.parse(style) for name, style in names.items()}
        how = signs(app.ascii, os.environ.get("TERM", ""))
        frame = self._desk.frame(*grid.size, how, app.ascii, pen.glyphs.ellipsis)
        grid.show(frame.shape, frame.rows, self._styles)
        self.query_one("#charts-head", Lines).show(frame.head)
        self.query_one("#charts-foot", Lines).show(frame.foot)

    def _look(self, look: Look) -> None:
        self._desk.look = look
        self._moved()

    def _moved(self) -> None:
        self._ask()
        self.waggle.link_round(self._desk.round)

    def _follow(self, round_: float | None) -> None:
        """Another screen shows a round."""
        if round_ is not None and round_ != self._desk.round:
            self._desk.go_to(round_)
            self._ask()

    # --- window and cursor --------------------------------------------------------------------

    def action_zoom(self, steps: int) -> None:
        self._look(self._desk.look.zoomed(0.5**steps, self._desk.extent))

    def action_whole(self) -> None:
        self._look(replace(self._desk.look, window=window.Window()))

    def action_pan(self, steps: int) -> None:
        self._look(self._desk.look.panned(steps / 2, self._desk.extent))

    def action_newest(self) -> None:
        look = self._desk.look
        self._look(replace(look, window=look.window.at_end(), cursor=None, bracket=None))

    def action_oldest(self) -> None:
        desk = self._desk
        self._look(replace(desk.look, window=desk.look.window.at_start(desk.extent), cursor=None))

    def action_point(self, steps: int) -> None:
        self._desk.point(steps)
        self._moved()

    def action_bracket(self) -> None:
        look = self._desk.look
        if look.cursor is None:
            self._desk.point(0)
        cursor = self._desk.look.cursor
        self._look(replace(self._desk.look, bracket=None if look.bracket == cursor else cursor))

    def action_zoom_bracket(self) -> None:
        look = self._desk.look
        if look.bracket is None or look.cursor is None or look.bracket == look.cursor:
            self._say(_("Space keeps a place; move the cursor from there, then zoom."))
            return
        self._look(
            replace(look, window=window.between(look.bracket, look.cursor, self._desk.extent))
        )

    # --- which charts -------------------------------------------------------------------------

    def action_choose(self, steps: int) -> None:
        self._desk.choose(steps)
        self._ask()

    def action_choose_row(self, rows: int) -> None:
        self._desk.choose_row(rows)
        self._ask()

    def action_page(self, pages: int) -> None:
        self._desk.page(pages)
        self._ask()

    def action_enlarge(self) -> None:
        self._look(replace(self._desk.look, open=not self._desk.look.open))

    def action_filter(self) -> None:
        self.query_one(FilterLine).open(self._desk.look.filter)
        self.add_class("-filtering")

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        self.set_class(not event.closed, "-filtering")
        if event.pattern != self._desk.look.filter:
            self._look(replace(self._desk.look, filter=event.pattern, chosen=0, open=False))

    async def action_leave(self) -> None:
        if self._desk.look.open:
            self.action_enlarge()
        else:
            await self.waggle.action_back()

    # --- how they look ------------------------------------------------------------------------

    def action_smooth(self, steps: int) -> None:
        self._look(self._desk.look.smoother(steps))

    def action_logarithmic(self) -> None:
        self._look(replace(self._desk.look, log=not self._desk.look.log))

    def action_outliers(self) -> None:
        self._look(replace(self._desk.look, clip=not self._desk.look.clip))

    def action_relative(self) -> None:
        self._desk.turn_axis()
        self._moved()

    # --- earlier runs -------------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="runs")
    def action_compare(self) -> None:
        worker = get_current_worker()
        try:
            found = read_runs(self.waggle.home.db, lambda: worker.is_cancelled)
        except WaggleError as error:
            self._later(worker, partial(self._say, f"{error.what}. {error.next_step}"))
            return
        # The newest run of the journal is the one under way.
        earlier = tuple(run for run in reversed(found[:-1]) if run.rounds)
        self._later(worker, partial(self._choose_runs, earlier))

    def _choose_runs(self, earlier: tuple[Run, ...]) -> None:
        if not self.is_current:
            return
        before = {src.started for src in self._desk.sources[1:]}
        chosen = frozenset(i for i, run in enumerate(earlier) if run.started in before)

        def done(answer: frozenset[int] | None) -> None:
            if answer is not None:
                self._compare([earlier[i] for i in sorted(answer)])

        self.app.push_screen(RunsScreen(earlier, chosen), done)

    def _compare(self, chosen: list[Run]) -> None:
        self._desk.compare(
            [
                source(label_of(run), str(n), run.series, run.started)
                for n, run in enumerate(chosen, 1)
            ]
        )
        self._moved()

    # --- taking it along ----------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="export")
    def action_export(self, ending: str) -> None:
        worker, look, sources = get_current_worker(), self._desk.look, self._desk.sources
        shown = self._desk.to_export()
        try:
            text = exported(ending, shown, sources, look, self.waggle.clock())
            path = save(export_path(self.waggle.home, ending, self.waggle.clock()), text)
        except WaggleError as error:
            told = f"{error.what}: {error.why}. {error.next_step}"
            self._later(worker, partial(self._say, told))
            return
        told = many("{n} chart in {path}", "{n} charts in {path}", len(shown))
        title = _("Exported {format}").format(format=ending.upper())
        told = told.format(n=len(shown), path=path)
        self._later(worker, partial(self._say, told, title))

    def _later(self, worker: Any, callback: Callable[[], None]) -> None:
        """Back on the thread of the screen, if it is still wanted there."""
        if not worker.is_cancelled:
            self.app.call_from_thread(callback)

    def action_copy(self) -> None:
        text = str(self.query_one("#charts-foot", Lines).view or "")
        self.app.copy_to_clipboard(text)
        self._say(text, _("Copied"))

    def _say(self, text: str, title: str = "") -> None:
        self.notify(clean(text, 600, self.waggle.ascii), title=title, timeout=8, markup=False)

    # --- mouse --------------------------------------------------------------------------------

    def on_chart_grid_pointed(self, event: ChartGrid.Pointed) -> None:
        self._desk.point_at(event.chart, event.x)
        self._moved()

    def on_chart_grid_rolled(self, event: ChartGrid.Rolled) -> None:
        if event.aside:
            self.action_pan(event.steps)
        else:
            self.action_zoom(event.steps)
