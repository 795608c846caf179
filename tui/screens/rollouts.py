"""Rollouts on the whole screen: what was answered in the last rounds, and what became of it.

A list of groups with a cursor; below it the group under the cursor, its best and its worst answer
side by side, or stacked where the terminal is narrow; above it what the GRPO doctor says. The list
follows the newest round until somebody moves; then it keeps its place. The round under the cursor
is the linked round: charts and logs go there, and the cursor goes where they are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Tab, Tabs

from core.texts import _
from tui import derive_rollouts as derive
from tui import draw_peers, draw_rollouts, keys
from tui.derive_rollouts import FILTERS, Row
from tui.draw_rollouts import RowSource
from tui.screens.row_details import Details, DetailsScreen
from tui.screens.sections import OPENERS
from tui.text import clean
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines
from tui.widgets.table import Table
from tui.widgets.table_search import SearchLine
from tui.widgets.typed_line import typed

if TYPE_CHECKING:
    from tui.app import WaggleApp

TAB = "only-"
PACE_S = 1.0
"""Seconds between two drawings of news at least."""
TITLE_ROOM = 6
"""Cells that the line around the title keeps."""
NOTHING_CHOSEN = _("There is no group yet.")


class RolloutsScreen(Screen[None]):
    """`show_state` is called on the tick, and by whoever changed something."""

    KEY_SCOPE = "rollouts"
    BINDINGS = keys.bindings("rollouts")
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    RolloutsScreen {
        layout: vertical;
        #rollouts-head { background: $surface; max-height: 4; }
        #rollouts-foot { height: 1; background: $surface; }
        Tabs { height: 1; margin: 0; background: $background; }
        Tabs #tabs-list-bar, Tabs #tabs-list { height: 1; }
        Tabs Underline { display: none; }
        Tabs Tab { height: 1; padding: 0 2; color: $text-muted; }
        Tabs Tab.-active { color: $primary; text-style: bold; background: $panel; }
        #rollouts-table { height: 2fr; }
        #rollouts-text {
            height: 3fr; padding: 0 1; border-top: solid $border-blurred;
            border-title-color: $primary; border-title-style: none;
        }
        &.-ascii #rollouts-text { border-top: ascii $border-blurred; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: object = None
        self._all: tuple[Row, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._only = "all"
        self._find = ""
        self._drawn_at = 0.0

    @property
    def waggle(self) -> WaggleApp:
        return cast("WaggleApp", self.app)

    def compose(self) -> ComposeResult:
        yield Lines(draw_rollouts.head, id="rollouts-head")
        yield Tabs(
            *(
                Tab(f"{n} {title}", id=TAB + name)
                for n, (name, title) in enumerate(FILTERS.items(), 1)
            )
        )
        table = Table(draw_rollouts.COLUMNS, id="rollouts-table")
        table.active = True
        yield table
        with VerticalScroll(id="rollouts-text", can_focus=False):
            yield Lines(draw_rollouts.group, id="rollouts-group")
        yield Lines(draw_peers.foot, id="rollouts-foot")
        yield SearchLine(_("Search /") + " ", _("words of a task, an answer, a peer, a round"))
        yield KeyBar(self.KEY_SCOPE)

    def on_mount(self) -> None:
        self.query_one(Tabs).can_focus = False
        self.waggle.round_signal.subscribe(self, self._follow)
        self._take()
        if self.waggle.linked_round is not None:
            self._follow(self.waggle.linked_round)

    @property
    def table(self) -> Table:
        return self.query_one("#rollouts-table", Table)

    @property
    def reader(self) -> VerticalScroll:
        return self.query_one("#rollouts-text", VerticalScroll)

    @property
    def row(self) -> Row | None:
        """The group under the cursor."""
        cursor = self.table.cursor
        return self._rows[cursor] if cursor < len(self._rows) else None

    # --- drawing ------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Draw what is new. Called on the tick; safe at any time."""
        if not self.is_mounted or not self.is_current:
            return
        moment = time.monotonic()
        if self.waggle.ticking and moment - self._drawn_at < PACE_S:
            return
        self._drawn_at = moment
        self._take()
        self._tell()

    def _draw(self) -> None:
        """For what a person did: at once."""
        self._drawn_at = 0.0
        self.show_state()

    def _take(self) -> None:
        """What the state has now; the cursor stays on its group, or on the newest."""
        state = self.waggle.state
        if state.rollouts is not self._told:
            self._told, self._all = state.rollouts, derive.rows(state)
            self._arrange(keep=self.reader.scroll_offset.y > 0)

    def _arrange(self, keep: bool = True) -> None:
        """Filter and search anew. keep: stay on the chosen group where it is the newest, too."""
        table, before = self.table, self.row
        self._rows = derive.chosen(self._all, self._only, self._find)
        source = RowSource(self._rows)
        place = source.find(before.key) if keep and before is not None else None
        table.note = derive.NO_MATCH if self._all else derive.EMPTY
        table.show(source, place, None if place is None else table.top + place - table.cursor)

    def _tell(self) -> None:
        """The lines around the list, and the group under the cursor."""
        row, table = self.row, self.table
        self.set_class(self.waggle.ascii, "-ascii")
        table.catch_up()
        self.query_one("#rollouts-head", Lines).show(derive.head(self.waggle.state))
        where, what, title = "", "", ""
        if row is not None:
            where = _("{here:,} of {all:,}").format(here=table.cursor + 1, all=table.length)
            what = row.event.peer_id
            pen = self.waggle.pen
            title = pen.safe(
                _("Round {round}  {task}").format(round=row.round, task=row.event.task), 160
            )
            title = pen.fit(title, self.size.width - TITLE_ROOM)
        if self._find:
            where = f"{where}  '{clean(self._find, 40, self.waggle.ascii)}'".strip()
        self.query_one("#rollouts-foot", Lines).show((where, what))
        self.reader.border_title = Content(title)  # a plain string would be read as markup
        lines = self.query_one("#rollouts-group", Lines)
        if row is not None and lines.view != row:
            self.reader.scroll_home(animate=False)
        lines.show(row if row is not None else derive.NOBODY)

    def on_screen_resume(self) -> None:
        if not self._pruning:  # a console that closes has nothing left to draw on
            self._draw()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    # --- the linked round ---------------------------------------------------------------------

    def _follow(self, round_: float | None) -> None:
        """Another screen looks at a round: the cursor goes to it, or to the one before."""
        row = self.row
        if round_ is None or (row is not None and row.round == round_):
            return
        place = derive.nearest(self._rows, round_)
        if place is not None:
            table = self.table
            table.show(RowSource(self._rows), place, max(0, place - table.rows // 2))
            self.call_after_refresh(self._draw)

    def on_table_moved(self) -> None:
        row = self.row
        if row is not None and row.round is not None:
            self.waggle.link_round(float(row.round))
        self._tell()

    async def on_key(self, event: events.Key) -> None:
        await typed(self, event, OPENERS)

    # --- what the keys do ---------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        self.table.move(rows)

    def action_page(self, pages: int) -> None:
        self.table.page(pages)

    def action_home(self) -> None:
        self.table.home()

    def action_end(self) -> None:
        self.table.end()

    def action_sideways(self, columns: int) -> None:
        self.table.sideways(columns)

    def action_read(self, pages: int) -> None:
        height = self.reader.scrollable_content_region.height
        self.reader.scroll_relative(y=pages * max(1, height - 1), animate=False)

    def action_only(self, name: str) -> None:
        self._only = name
        self.query_one(Tabs).active = TAB + name
        self._arrange()
        self._draw()

    def action_narrow(self, steps: int) -> None:
        names = list(FILTERS)
        self.action_only(names[(names.index(self._only) + steps) % len(names)])

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        event.stop()
        name = event.tabs.active.removeprefix(TAB)
        if name != self._only:
            self.action_only(name)

    def action_search(self) -> None:
        self.query_one(SearchLine).open(self._find)
        self.query_one(KeyBar).show(SearchLine.KEY_SCOPE)

    def on_search_line_changed(self, event: SearchLine.Changed) -> None:
        if event.kept or event.given_up:
            self.query_one(KeyBar).show(self.KEY_SCOPE)
        if event.text != self._find:
            self._find = event.text
            self._arrange()
            self._draw()

    def on_search_line_moved(self, event: SearchLine.Moved) -> None:
        self.action_move(event.rows)

    async def action_leave(self) -> None:
        if self._find:
            self._find = ""
            self._arrange()
            self._draw()
        elif self._only != "all":
            self.action_only("all")
        else:
            await self.waggle.action_back()

    def on_table_chosen(self) -> None:
        self.action_details()

    def action_details(self) -> None:
        if (row := self.row) is None:
            self._say(NOTHING_CHOSEN)
            return
        title = _("Round {round}  {task}").format(round=row.round, task=row.event.task)
        shown = Details(title, derive.details(row), derive.copied(row), _("group"))
        self.app.push_screen(DetailsScreen(lambda: shown))

    def action_copy(self) -> None:
        if (row := self.row) is None:
            self._say(NOTHING_CHOSEN)
            return
        self.app.copy_to_clipboard(derive.copied(row))
        self._say(_("Copied the group of {task}").format(task=row.event.task), _("Rollouts"))

    def _say(self, text: str, title: str = "") -> None:
        self.notify(clean(text, 200, self.waggle.ascii), title=title, markup=False)
