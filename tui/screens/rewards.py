"""Rewards on the whole screen: does it count? The ledger, both sides of the counters, the queue.

Draws `app.state` when told to (`show_state`). `node.db` is read, and the coordinator asked, in
threads; a page of the ledger is shown as soon as it is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from core.chain.ledger_pages import Round
from core.home import Home
from core.rewards_check import Checked
from core.rewards_facts import NOTHING, UNKNOWN, round_head
from core.rewards_figures import Figures
from core.rewards_words import NAMES
from core.texts import _
from tui import derive_rewards as derive
from tui import draw_peers, draw_rewards, keys
from tui.draw_facts import facts
from tui.ledger_pages import Found, Place
from tui.screens.rewards_reading import Answer, Read, Reading
from tui.screens.row_details import Details, DetailsScreen
from tui.screens.sections import BOX, SectionsScreen, TextSection
from tui.text import capital, clean
from tui.widgets.lines import Lines
from tui.widgets.table_ledger import LedgerTable
from tui.widgets.table_search import SearchLine

if TYPE_CHECKING:
    from tui.app import WaggleApp

NO_TROUBLE = _("No round is in trouble. f shows all again.")
CHECKING = _("Asking the coordinator.")
LAST_STAGE = 2**31


class RewardsScreen(SectionsScreen):
    KEY_SCOPE = "rewards"
    BINDINGS = keys.bindings("rewards")
    SECTIONS: ClassVar[dict[str, str]] = {
        "ledger": _("Ledger"),
        "counters": _("Counters"),
        "about": _("Queue and gas"),
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

        answer: Answer

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._read: Read | None = None
        self._figures: Figures | None = None
        self._jump: Place | None = None
        self._before: Place | None = None
        self._note = ""
        self._seen: tuple[object, ...] = ()
        self._reading = Reading(home, lambda: self.waggle.effective, self._came)

    @property
    def waggle(self) -> WaggleApp:
        return cast("WaggleApp", self.app)

    def head(self) -> ComposeResult:
        yield Lines(draw_rewards.head, id="rewards-head", classes="head")

    def bodies(self) -> ComposeResult:
        with Vertical(id=BOX + "ledger", classes="section"):
            table = LedgerTable(id="ledger-table")
            table.add_class("mover")
            yield table
        for name, drawer in (("counters", draw_rewards.counters), ("about", facts)):
            box = TextSection(drawer, id=BOX + name)
            box.add_class("section")
            yield box

    def foot(self) -> ComposeResult:
        yield Lines(draw_peers.foot, id="rewards-foot", classes="foot")
        yield SearchLine(_("Round /") + " ", _("the number of a round"), restrict=r"[0-9]{0,18}")

    def on_unmount(self) -> None:
        self._reading.close()

    @property
    def table(self) -> LedgerTable:
        return self.query_one(LedgerTable)

    # --- what the threads bring ---------------------------------------------------------------

    def _came(self, answer: Answer) -> None:
        """In a thread."""
        self.post_message(self.Came(answer))

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
            self.table.give_up()
            self._note = f"{answer.what}: {answer.why}"
            step = f" {answer.next_step}." if answer.next_step else ""
            self._say(f"{self._note}.{step}", severity="warning")
            self._draw()

    def _take_pages(self, found: Found) -> None:
        if not self.table.take(found):
            self._look()
        if self._jump is not None and found.look.at == self._jump:
            self._jumped(self._jump)
        self._read_ahead()
        self._tell()

    def _jumped(self, wanted: Place) -> None:
        self._jump = None
        key = self.table.key
        if key is None or key[0] != wanted[0]:
            self._say(UNKNOWN.format(round=wanted[0]))

    def _take_check(self, told: Checked) -> None:
        self._note = ""
        if self._read is not None:
            counted = told.figures.counted
            if counted is not None:
                counted = replace(counted, owner=told.owner)
            self._read = replace(self._read, figures=replace(told.figures, counted=counted))
        self._say(derive.answered(told), title=_("Asked"))
        self._draw()

    # --- asking -------------------------------------------------------------------------------

    def _look(self) -> None:
        if (mine := self._mine()) is not None and (look := self.table.here(mine)) is not None:
            self._reading.look(look)

    def _go(self, at: Place | None) -> None:
        if (mine := self._mine()) is not None:
            self._reading.look(self.table.jump(mine, at))

    def _read_ahead(self) -> None:
        if (mine := self._mine()) is not None and (look := self.table.ahead(mine)) is not None:
            self._reading.look(look)

    def _mine(self) -> tuple[str, str] | None:
        if self._figures is not None:
            return self._figures.swarm, self._figures.peer_id
        told = self.waggle.state.rewards
        return None if told is None or not told.swarm else (told.swarm, told.peer_id)

    # --- drawing ------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Draw what is new. Called on the tick; safe at any time."""
        if not self.is_mounted or not self.is_current:
            return
        state = self.waggle.state
        if not self.due():
            return
        news = (state.ledger, state.rewards, state.counters)
        changed = any(a is not b for a, b in zip(news, self._seen, strict=False)) or not self._seen
        if changed:
            self._seen = news
            self._look()
        self._reading.add_up(self._read, changed, self.waggle.clock())
        self._draw()

    def _draw(self) -> None:
        state, now, read = self.waggle.state, self.waggle.clock(), self._read
        _net_on, chain_on = self.waggle.enabled_rooms
        self._figures = None
        if read is not None and read.figures is not None:
            self._figures = derive.live(read.figures, state, read.at)
        table, empty = self.table, NOTHING if chain_on else derive.DISABLED
        table.note = NO_TROUBLE if self.table.failed else empty
        if self._figures is not None:
            shown = self._figures
            if self.in_view("counters"):
                box = self.query_one(f"#{BOX}counters", TextSection)
                box.lines.show(derive.counters(shown, now))
            if self.in_view("about"):
                self.query_one(f"#{BOX}about", TextSection).lines.show(derive.about(shown, now))
        table.catch_up()
        table.repaint()
        self._tell()

    def _tell(self) -> None:
        """The lines above and below."""
        now, table = self.waggle.clock(), self.table
        view = derive.head(self._figures, table.length, self.table.failed, self._note, now)
        self.query_one("#rewards-head", Lines).show(view)
        where, what = "", ""
        if table.length:
            where = _("{here:,} of {all:,}").format(here=table.cursor + 1, all=table.length)
            each = self._chosen()
            if each is not None:
                what = derive.copied(each)[0] or NAMES.get(each.status, each.status)
        self.query_one("#rewards-foot", Lines).show((where, what))

    # --- what the keys do ---------------------------------------------------------------------

    def _chosen(self) -> Round | None:
        table = self.table
        return table.ledger.round(table.cursor) if table.length else None

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
        if self.table.failed:
            self.action_failed()
        else:
            await self.waggle.action_back()

    def action_failed(self) -> None:
        self.action_show_section("ledger")
        at = self.table.key
        self.table.failed = not self.table.failed
        self._go(at)

    def action_check(self) -> None:
        if self._figures is None or self.waggle.effective is None:
            self._say(NOTHING)
            return
        self._note = CHECKING
        self._tell()
        self._reading.ask(self._figures)

    def action_details(self) -> None:
        each = self._chosen()
        if each is None:
            self._say(_("Choose a round first: 1 shows them."))
            return
        app, place, mine = self.waggle, self.table.key, each

        def details() -> Details:
            nonlocal mine
            row = self.table.ledger.find(place)
            mine = (self.table.ledger.round(row) if row is not None else None) or mine
            now, (copied, what) = app.clock(), derive.copied(mine)
            title = round_head(mine, now)
            return Details(capital(title), derive.one_round(mine, now), copied, what)

        self.app.push_screen(DetailsScreen(details))

    def action_copy(self) -> None:
        each = self._chosen()
        text, what = derive.copied(each) if each is not None else ("", _("transaction"))
        if not text:
            self._say(_("There is no {what} yet.").format(what=what))
            return
        self.app.copy_to_clipboard(text)
        self._say(_("Copied {text}").format(text=text), title=capital(what))

    def _say(self, text: str, title: str = "", severity: str = "information") -> None:
        told = clean(text, 600, self.waggle.ascii)
        self.notify(told, title=title, severity=severity, timeout=8, markup=False)  # type: ignore[arg-type]
