"""Rewards on the whole screen: does it count? The ledger, both sides of the counters, the queue.

Draws `app.state` when told to (`show_state`). `node.db` is read, and the coordinator asked, in
threads; a page of the ledger is shown as soon as it is there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from core.chain.ledger_pages import Round
from core.errors import WaggleError
from core.home import Home
from core.rewards_check import Checked, check
from core.rewards_facts import NOTHING, UNKNOWN, round_head
from core.rewards_figures import Choice, Figures, collect
from tui import derive_rewards as derive
from tui import draw_peers, draw_rewards, keys
from tui.draw_facts import facts
from tui.fetcher import Fetcher
from tui.ledger_pages import Found, LedgerReader, LedgerRows, Look, Place
from tui.screens.row_details import Details, DetailsScreen
from tui.screens.sections import BOX, PACE_S, SectionsScreen, TextSection
from tui.text import clean
from tui.widgets.lines import Lines
from tui.widgets.table import Table
from tui.widgets.table_search import SearchLine

if TYPE_CHECKING:
    from tui.app import WaggleApp

NO_TROUBLE = "No round is in trouble. f shows all again."
CHECKING = "Asking the coordinator."
FIGURES_EVERY_S = 30.0
SHARE = 20
"""Adding up the ledger may take one part in so many of this machine's time."""
AHEAD = 40
"""Rows beyond the edge that are read before somebody gets there."""
LAST_STAGE = 2**31


@dataclass(frozen=True)
class Read:
    """Figures as of `at` (Unix seconds), which took `seconds`. None: nothing was ever recorded."""

    figures: Figures | None
    at: float
    seconds: float


def read_figures(home: Home, now: float) -> Read:
    """In a thread. The newest rounds in trouble come along, for the last error."""
    began = time.monotonic()
    figures = collect(home, Choice(limit=1, failed=True))
    return Read(figures, now, time.monotonic() - began)


class RewardsScreen(SectionsScreen):
    KEY_SCOPE = "rewards"
    BINDINGS = keys.bindings("rewards")
    SECTIONS: ClassVar[dict[str, str]] = {
        "ledger": "Ledger",
        "counters": "Counters",
        "about": "Queue and gas",
    }
    DEFAULT_CSS = """
    RewardsScreen #rewards-head { height: 2; }
    RewardsScreen.-wide #sections {
        layout: grid; grid-size: 2 2; grid-columns: 9fr 5fr; grid-rows: 10fr 9fr;
    }
    RewardsScreen.-wide #section-ledger { row-span: 2; }
    """

    @dataclass
    class Came(Message):
        """A thread has an answer."""

        answer: Found | Read | Checked | WaggleError

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._read: Read | None = None
        self._figures: Figures | None = None
        self._rows = LedgerRows()
        self._failed = False
        self._jump: Place | None = None
        self._before: Place | None = None
        self._note = ""
        self._seen: tuple[object, ...] = ()
        self._figures_at = 0.0
        reader = LedgerReader(home)
        self._pages = Fetcher("ledger-pages", reader.read, self._came, reader.close)
        self._sums = Fetcher("ledger-sums", partial(read_figures, home), self._came)
        self._asker: Fetcher[Figures, Checked] = Fetcher("coordinator", self._ask, self._came)

    @property
    def waggle(self) -> WaggleApp:
        return cast("WaggleApp", self.app)

    def head(self) -> ComposeResult:
        yield Lines(draw_rewards.head, id="rewards-head", classes="head")

    def bodies(self) -> ComposeResult:
        with Vertical(id=BOX + "ledger", classes="section"):
            table = Table(draw_rewards.LEDGER, id="ledger-table")
            table.add_class("mover")
            yield table
        for name, drawer in (("counters", draw_rewards.counters), ("about", facts)):
            box = TextSection(drawer, id=BOX + name)
            box.add_class("section")
            yield box

    def foot(self) -> ComposeResult:
        yield Lines(draw_peers.foot, id="rewards-foot", classes="foot")
        yield SearchLine("Round / ", "the number of a round", restrict=r"[0-9]{0,18}")

    def on_unmount(self) -> None:
        for fetcher in (self._pages, self._sums, self._asker):
            fetcher.close()

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    # --- what the threads bring ---------------------------------------------------------------

    def _came(self, answer: Found | Read | Checked | WaggleError) -> None:
        """In a thread."""
        self.post_message(self.Came(answer))

    def _ask(self, figures: Figures) -> Checked:
        effective = self.waggle.effective
        assert effective is not None
        return check(self.waggle.home, lambda: effective, figures)

    def on_rewards_screen_came(self, event: Came) -> None:
        answer = event.answer
        if isinstance(answer, Found):
            self._take_pages(answer)
        elif isinstance(answer, Read):
            first = self._figures is None
            self._read = answer
            self._draw()
            if first:
                self._look()
        elif isinstance(answer, Checked):
            self._take_check(answer)
        else:
            self._note = f"{answer.what}: {answer.why}"
            step = f" {answer.next_step}." if answer.next_step else ""
            self._say(f"{self._note}.{step}", severity="warning")
            self._draw()

    def _take_pages(self, found: Found) -> None:
        if found.look.failed != self._failed:
            return  # of a list that is no longer looked at
        if found.look.page is not None and found.total == len(self._rows):
            self._rows.add(found.pages)
            self.table.repaint()
        elif found.look.page is not None:
            self._look()  # the ledger has grown: its rows have other numbers
        else:
            self._rows, table, asked = LedgerRows(found.total, found.pages), self.table, found.look
            above = asked.above if asked.cursor is None else table.cursor - table.top
            # Keys that were pressed since it was asked count as well.
            moved = 0 if asked.cursor is None else table.cursor - asked.cursor
            cursor = found.place + moved
            table.show(self._rows, cursor, max(0, cursor - above))
            if self._jump is not None and found.look.at == self._jump:
                self._jumped(self._jump)
        self._read_ahead()
        self._tell()

    def _jumped(self, wanted: Place) -> None:
        self._jump = None
        key = self.table.key
        if key is None or key[0] != wanted[0]:
            self._say(UNKNOWN.format(wanted[0]))

    def _take_check(self, told: Checked) -> None:
        self._note = ""
        if self._read is not None:
            counted = told.figures.counted
            if counted is not None:
                counted = replace(counted, owner=told.owner)
            self._read = replace(self._read, figures=replace(told.figures, counted=counted))
        known = f"{len(told.there)} of {told.asked} open submissions are there already. "
        self._say(
            f"The coordinator is at round {told.round}. {known if told.asked else ''}"
            f"Its counters are as of now.",
            title="Asked",
        )
        self._draw()

    # --- asking -------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read the rows in sight anew, where they are now; on the first row, the newest."""
        if (mine := self._mine()) is not None:
            table = self.table
            at, above = table.key if table.cursor else None, table.cursor - table.top
            look = Look(mine, self._failed, at, above, table.rows + AHEAD, table.cursor)
            self._pages.want(look)

    def _go(self, at: Place | None) -> None:
        """Go to a round, in the middle of what is seen; None: to the newest."""
        if (mine := self._mine()) is not None:
            rows = self.table.rows
            self._pages.want(Look(mine, self._failed, at, rows // 2, rows + AHEAD))

    def _mine(self) -> tuple[str, str] | None:
        if self._figures is not None:
            return self._figures.swarm, self._figures.peer_id
        told = self.waggle.state.rewards
        return None if told is None or not told.swarm else (told.swarm, told.peer_id)

    def _read_ahead(self) -> None:
        """Ask for a page that is in sight or about to be, one at a time."""
        table, mine = self.table, self._mine()
        if mine is None or not len(self._rows):
            return
        seen = table.in_sight
        edge = range(max(0, seen.start - AHEAD), min(len(self._rows), seen.stop + AHEAD))
        self._rows.missing.clear()
        for row in (*seen[:: max(1, len(seen) - 1)], edge.start, max(edge.start, edge.stop - 1)):
            self._rows.round(row)
        if self._rows.missing:
            self._pages.want(Look(mine, self._failed, page=self._rows.missing[0]))

    # --- drawing ------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Draw what is new. Called on the tick; safe at any time."""
        if not self.is_mounted or not self.is_current:
            return
        moment, state = time.monotonic(), self.waggle.state
        if not self.due():
            return
        news = (state.ledger, state.rewards, state.counters)
        changed = any(a is not b for a, b in zip(news, self._seen, strict=False)) or not self._seen
        if changed:
            self._seen = news
            self._look()
        self._add_up(changed, moment)
        self._draw()

    def _add_up(self, changed: bool, moment: float) -> None:
        """The figures from the ledger itself: at first, and now and then while it changes."""
        took = 0.0 if self._read is None else self._read.seconds
        never = self._read is None or self._read.figures is None
        pause_s = max(PACE_S if never else FIGURES_EVERY_S, SHARE * took)
        if not self._figures_at or (changed and moment - self._figures_at >= pause_s):
            self._figures_at = moment
            self._sums.want(self.waggle.clock())

    def _draw(self) -> None:
        state, now, read = self.waggle.state, self.waggle.clock(), self._read
        _, chain_on = self.waggle.enabled_rooms
        self._figures = None
        if read is not None and read.figures is not None:
            self._figures = derive.live(read.figures, state, read.at)
        table, empty = self.table, NOTHING if chain_on else derive.DISABLED
        table.note = NO_TROUBLE if self._failed else empty
        if self._figures is not None:
            shown = self._figures
            if self.in_view("counters"):
                box = self.query_one(f"#{BOX}counters", TextSection)
                box.lines.show(derive.counters(shown, now))
            if self.in_view("about"):
                self.query_one(f"#{BOX}about", TextSection).lines.show(derive.about(shown, now))
        for each in self.query(Table):
            each.catch_up()
        table.repaint()
        self._tell()

    def _tell(self) -> None:
        """The lines above and below."""
        now, table = self.waggle.clock(), self.table
        view = derive.head(self._figures, table.length, self._failed, self._note, now)
        self.query_one("#rewards-head", Lines).show(view)
        where, what = "", ""
        if table.length:
            where = f"{table.cursor + 1:,} of {table.length:,}"
            each = self._chosen()
            if each is not None:
                what = derive.copied(each)[0] or each.status
        self.query_one("#rewards-foot", Lines).show((where, what))

    # --- what the keys do ---------------------------------------------------------------------

    def _chosen(self) -> Round | None:
        return self._rows.round(self.table.cursor) if len(self._rows) else None

    def on_table_moved(self) -> None:
        self._read_ahead()
        self._tell()

    def on_table_chosen(self) -> None:
        self.action_details()

    def action_search(self) -> None:
        self.action_show_section("ledger")
        self._before = self.table.key
        self.open_search("")

    def searched(self, event: SearchLine.Changed) -> None:
        if event.given_up:
            self._go(self._before)
        elif event.text:
            at = (int(event.text), LAST_STAGE)
            self._jump = at if event.kept else None
            self._go(at)

    async def action_leave(self) -> None:
        if self._failed:
            self.action_failed()
        else:
            await self.waggle.action_back()

    def action_failed(self) -> None:
        self.action_show_section("ledger")
        at = self.table.key
        self._failed = not self._failed
        self._go(at)

    def action_check(self) -> None:
        if self._figures is None or self.waggle.effective is None:
            self._say(NOTHING)
            return
        self._note = CHECKING
        self._tell()
        self._asker.want(self._figures)

    def action_details(self) -> None:
        each = self._chosen()
        if each is None:
            self._say("Choose a round first: 1 shows them.")
            return
        app, place, mine = self.waggle, self.table.key, each

        def details() -> Details:
            nonlocal mine
            row = self._rows.find(place)
            mine = (self._rows.round(row) if row is not None else None) or mine
            now, (copied, what) = app.clock(), derive.copied(mine)
            title = round_head(mine, now)
            return Details(title.capitalize(), derive.one_round(mine, now), copied, what)

        self.app.push_screen(DetailsScreen(details))

    def action_copy(self) -> None:
        each = self._chosen()
        text, what = derive.copied(each) if each is not None else ("", "transaction")
        if not text:
            self._say(f"There is no {what} yet.")
            return
        self.app.copy_to_clipboard(text)
        self._say(f"Copied {text}", title=what.capitalize())

    def _say(self, text: str, title: str = "", severity: str = "information") -> None:
        told = clean(text, 600, self.waggle.ascii)
        self.notify(told, title=title, severity=severity, timeout=8, markup=False)  # type: ignore[arg-type]
