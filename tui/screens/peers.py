"""Peers on the whole screen: leaderboard and everybody met, gossip, the network, quarantine.

Draws `app.state` when told to (`show_state`). The ranks behind the hundredth are read from the
leaderboard's file in a thread, and taken on the tick.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical

from core.errors import WaggleError
from core.state import NodeState
from core.swarm.peer_reports import held_words
from core.texts import _
from tui import derive_peers as derive
from tui import draw_network, draw_peers, keys
from tui.derive_peer_details import about
from tui.derive_peers import Order, PeerRow
from tui.fetcher import Fetcher
from tui.screens.peers_file import Kept, read_kept, swarm_of
from tui.screens.row_details import Details, DetailsScreen
from tui.screens.sections import BOX, SectionsScreen, TextSection
from tui.text import clean
from tui.widgets.lines import Lines
from tui.widgets.table import Table
from tui.widgets.table_feed import Feed
from tui.widgets.table_search import SearchLine

if TYPE_CHECKING:
    from tui.app import WaggleApp

FILE_EVERY_S = 2.0
RESORT_S = 5.0
"""Rows that jump about cannot be read: what changes by the second moves a row this often."""
COLUMNS = tuple(column for column in draw_peers.PEERS if column.sorts)


class PeersScreen(SectionsScreen):
    KEY_SCOPE = "peers"
    BINDINGS = keys.bindings("peers")
    SECTIONS: ClassVar[dict[str, str]] = {
        "peers": _("Peers"),
        "gossip": _("Gossip"),
        "network": _("Network"),
        "quarantine": _("Quarantine"),
    }
    DEFAULT_CSS = """
    PeersScreen.-wide #sections {
        layout: grid; grid-size: 2 3; grid-columns: 15fr 8fr; grid-rows: 14fr 6fr 10fr;
    }
    PeersScreen.-wide #section-peers, PeersScreen.-wide #section-quarantine { row-span: 2; }
    PeersScreen #refused { height: auto; max-height: 45%; margin: 1 0 0 2; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._order = Order()
        self._kept = Kept()
        self._news: Kept | None = None
        self._problem = ""
        self._rows: tuple[PeerRow, ...] = ()
        self._by_account: dict[str, PeerRow] = {}
        self._arranged: tuple[PeerRow, ...] = ()
        self._places: dict[str, int] = {}
        self._built: tuple[Any, ...] = (0, 0, "", ())
        self._drawn: tuple[object, object, object] = (None, None, None)
        self._asked_at = self._sorted_at = 0.0
        self._fetcher = Fetcher("peers-file", read_kept, self._take)

    @property
    def waggle(self) -> WaggleApp:
        return cast("WaggleApp", self.app)

    def head(self) -> ComposeResult:
        yield Lines(draw_peers.head, id="peers-head", classes="head")

    def bodies(self) -> ComposeResult:
        with Vertical(id=BOX + "peers", classes="section"):
            table = Table(draw_peers.PEERS, id="peers-table")
            table.add_class("mover")
            yield table
        network = TextSection(draw_network.network, id=BOX + "network")
        network.add_class("section")
        yield network
        with Vertical(id=BOX + "quarantine", classes="section"):
            held = Table(draw_peers.HELD, id="held-table")
            held.add_class("mover")
            held.note = draw_peers.NOBODY_HELD
            yield held
            yield Lines(draw_peers.left_out, id="refused")
        with Vertical(id=BOX + "gossip", classes="section"):
            feed = Feed(draw_peers.gossip_rows, id="feed")
            feed.add_class("mover")
            feed.note = draw_peers.NO_GOSSIP
            yield feed

    def foot(self) -> ComposeResult:
        yield Lines(draw_peers.foot, id="peers-foot", classes="foot")
        yield SearchLine(_("Search /") + " ", _("a part of a name or of a peer id"))

    def on_unmount(self) -> None:
        self._fetcher.close()

    @property
    def table(self) -> Table:
        return self.query_one("#peers-table", Table)

    @property
    def feed(self) -> Feed:
        return self.query_one(Feed)

    # --- the file -----------------------------------------------------------------------------

    def _take(self, answer: Kept | WaggleError) -> None:
        """In the fetcher's thread: laid down for the tick."""
        if isinstance(answer, WaggleError):
            answer = replace(self._kept, problem=answer.what)
        self._news = answer

    def _look_at_file(self, state: NodeState) -> None:
        if (news := self._news) is not None:
            self._news, self._kept, self._problem = None, news, news.problem
        now = time.monotonic()
        if now - self._asked_at >= FILE_EVERY_S or not self.waggle.ticking:
            self._asked_at = now
            swarm = swarm_of(state)
            known = self._kept if self._kept.swarm == swarm else Kept(swarm=swarm)
            self._fetcher.want((self.waggle.home.leaderboard, known))

    # --- drawing ------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Draw what is new. Called on the tick; safe at any time."""
        if not self.is_mounted or not self.is_current:
            return
        state = self.waggle.state
        self._look_at_file(state)
        if self.due():
            self._draw()

    def _draw(self) -> None:
        state, now = self.waggle.state, self.waggle.clock()
        net_on, _chain_on = self.waggle.enabled_rooms
        if self.in_view("peers"):
            self._draw_peers(state, now)
        if self.in_view("network"):
            box = self.query_one(TextSection)
            box.lines.show(draw_network.view(state, now, net_on))
        if self.in_view("quarantine"):
            held = self.query_one("#held-table", Table)
            held.show(draw_peers.HeldSource(derive.held(state, now)))
            self.query_one("#refused", Lines).show(derive.left_out(state))
        if self.in_view("gossip"):
            self.feed.show(state.gossip)
        for table in self.query(Table):
            table.catch_up()
        self.feed.catch_up()
        self._tell()

    def _draw_peers(self, state: NodeState, now: float) -> None:
        """Build, sort and draw only as far as something changed."""
        own = state.node.peer_id if state.node is not None else ""
        board, built = state.leaderboard, self._built
        same = built[:3] == (id(self._kept), id(board), own) and state.peers.keys() == built[3]
        if not same:
            # Kept beside their ids: an id is only good while its object is.
            self._built = (id(self._kept), id(board), own, set(state.peers), self._kept, board)
            kept, before = self._kept.leaders, self._by_account
            self._rows = derive.roster(kept, board, state.peers, own, before)
            self._by_account = {row.account: row for row in self._rows}
        moment = time.monotonic()
        live = self._order.column in ("seen", "ms", "used", "refused", "spare", "missed")
        rows, order, peers = self._drawn
        stale = live and peers is not state.peers and moment - self._sorted_at >= RESORT_S
        if rows is not self._rows or order != self._order or stale:
            self._drawn, self._sorted_at = (self._rows, self._order, state.peers), moment
            self._arranged = derive.arranged(self._rows, self._order, state)
            self._places = {row.account: n for n, row in enumerate(self._arranged)}
        table = self.table
        table.note = draw_peers.NO_MATCH if self._order.find else draw_peers.NOBODY
        table.sorted = (self._order.column, self._order.falling)
        table.show(draw_peers.PeersSource(self._arranged, state, now, self._places))

    def _tell(self) -> None:
        """The lines above and below."""
        state, table = self.waggle.state, self.table
        view = derive.head(state, self._rows, table.length, self._order, self._problem)
        self.query_one("#peers-head", Lines).show(view)
        where, what = "", ""
        if self.section == "gossip":
            where, what = draw_peers.gossip_foot(self.feed.frozen, self.feed.behind)
        elif (row := self._chosen()) is not None:
            mover, now = self.mover(self.section), self.waggle.clock()
            where = _("{here:,} of {all:,}").format(here=mover.cursor + 1, all=mover.length)
            held = state.quarantine.get(row.account) if self.section == "quarantine" else None
            what = row.peer_id if held is None else held_words(held, now // 60 * 60)
        self.query_one("#peers-foot", Lines).show((where, what))

    # --- what the keys do ---------------------------------------------------------------------

    def _chosen(self) -> PeerRow | None:
        """The peer under the cursor, in the table or in the quarantine."""
        if self.section not in ("peers", "quarantine"):
            return None
        return self._by_account.get(self.mover(self.section).key)

    def on_table_moved(self) -> None:
        self._tell()

    def on_table_chosen(self) -> None:
        self.action_details()

    def on_table_headed(self, event: Table.Headed) -> None:
        if event.table is not self.table or event.column not in derive.SORTS:
            return
        if event.column == self._order.column:
            self.action_turn()
        else:
            self._sort_by(event.column)

    def action_sort(self, steps: int) -> None:
        names = [column.key for column in COLUMNS]
        self._sort_by(names[(names.index(self._order.column) + steps) % len(names)])

    def _sort_by(self, key: str) -> None:
        column = next(each for each in COLUMNS if each.key == key)
        self._reorder(replace(self._order, column=key, falling=column.falling))
        self.table.reveal(key)

    def action_turn(self) -> None:
        self._reorder(replace(self._order, falling=not self._order.falling))

    def _reorder(self, order: Order) -> None:
        """Another order starts at its head; the row that was chosen is one key away."""
        self._order = order
        self.table.cursor = self.table.top = 0
        self._draw()

    def action_search(self) -> None:
        self.action_show_section("peers")
        self.open_search(self._order.find)

    def searched(self, event: SearchLine.Changed) -> None:
        if event.text != self._order.find:
            self._reorder(replace(self._order, find=event.text))

    async def action_leave(self) -> None:
        if self._order.find:
            self._reorder(replace(self._order, find=""))
        else:
            await self.waggle.action_back()

    def action_me(self) -> None:
        state = self.waggle.state
        self.action_show_section("peers")
        place = self._places.get(state.node.peer_id) if state.node is not None else None
        if place is None:
            self.notify(_("This node is not among these rows."), markup=False)
        else:
            self.table.go(place)

    def action_freeze(self) -> None:
        self.action_show_section("gossip")
        self.feed.freeze(not self.feed.frozen)
        self._tell()

    def action_move(self, rows: int) -> None:
        super().action_move(rows)
        self._tell()

    def action_end(self) -> None:
        super().action_end()
        self._tell()

    def action_details(self) -> None:
        if (row := self._chosen()) is None:
            self.notify(_("Choose a peer first: 1 shows them."), markup=False)
            return
        app, key = self.waggle, row.account

        def details() -> Details:
            now = self._by_account.get(key, row)
            lines = about(now, app.state, app.clock())
            return Details(_("Peer {name}").format(name=now.name), lines, now.peer_id, _("peer id"))

        self.app.push_screen(DetailsScreen(details))

    def action_copy(self) -> None:
        if (row := self._chosen()) is None:
            self.notify(_("Choose a peer first: 1 shows them."), markup=False)
            return
        self.app.copy_to_clipboard(row.peer_id)
        told = clean(row.peer_id, 120, self.waggle.ascii)
        self.notify(_("Copied {text}").format(text=told), title=_("Peer id"), markup=False)
