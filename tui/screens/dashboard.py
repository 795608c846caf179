"""The dashboard: healthy? learning? does it count? All at a glance, at 80x24 and at 200x60.

Narrow or low terminals show one pane at a time behind tabs, large ones show all. The screen reads
`app.state` when told to (`show_state`) and repaints only what changed.
"""

from __future__ import annotations

import time

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static, Tab, Tabs

from core.state import NodeState
from core.texts import _, many
from tui import derive, draw_dashboard, draw_panes, keys
from tui.log_buffer import LogBuffer
from tui.text import clean
from tui.widgets.chart import Chart
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines
from tui.widgets.log_view import LogView

PANES = {"charts": _("Charts"), "peers": _("Peers"), "rewards": _("Rewards"), "log": _("Log")}
WIDE = (120, 32)
"""Columns and rows from which all panes are shown at once."""
PACE_S = {"charts": 2.0, "log": 1.0, "peers": 1.0, "rewards": 1.0}
"""Seconds between two repaints of a pane at least: bytes on a slow link (console.md, Manners)."""


class Pane(VerticalScroll, can_focus=True):
    """A list that scrolls by arrows and by j and k."""

    BINDINGS = [
        Binding("j", "scroll_down", _("Down"), show=False),
        Binding("k", "scroll_up", _("Up"), show=False),
    ]


class Dashboard(Screen[None]):
    """Draws the state of the app's node; commands go to the app."""

    KEY_SCOPE = "dashboard"
    BINDINGS = keys.bindings("dashboard")
    AUTO_FOCUS = ""  # None would be the app's: the first pane, where nobody put the focus

    def __init__(self, log: LogBuffer) -> None:
        super().__init__()
        self._log = log
        self._pane = "charts"
        self._drawn: dict[str, float] = {}
        self._chart_key: object = None

    def compose(self) -> ComposeResult:
        yield Lines(draw_dashboard.headline, id="headline")
        yield Lines(draw_dashboard.round_line, id="round")
        yield Tabs(
            *(Tab(f"{n} {title}", id=name) for n, (name, title) in enumerate(PANES.items(), 1)),
            id="tabs",
        )
        with Container(id="panes"):
            with Horizontal(id="charts", classes="pane"):
                with Vertical(id="loss", classes="box"):
                    yield Chart("loss-chart")
                with Vertical(id="reward", classes="box"):
                    yield Chart("reward-chart")
            with Pane(id="peers", classes="pane box"):
                yield Lines(draw_panes.peers, id="peers-list")
            with Pane(id="rewards", classes="pane box"):
                yield Lines(draw_panes.ledger, id="ledger")
            with Vertical(id="log", classes="pane box"):
                yield LogView(self._log, id="log-tail")
                yield Static(id="log-behind", markup=False)
        yield Lines(draw_dashboard.status, id="status")
        yield KeyBar("dashboard")

    def on_mount(self) -> None:
        for name in ("peers", "rewards", "log"):
            self.query_one(f"#{name}").border_title = PANES[name]
        self.query_one("#tabs", Tabs).can_focus = False
        self._layout()

    # --- layout -------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        self._layout()
        self._chart_key = None
        self._drawn.clear()
        self.show_state()  # in the same frame, what needs no size
        self._drawn.clear()
        self.call_after_refresh(self.show_state)

    def on_screen_resume(self) -> None:
        if not self._pruning:  # a console that closes has nothing left to draw on
            self.show_state()

    def _layout(self) -> None:
        wide = self.app.size.width >= WIDE[0] and self.app.size.height >= WIDE[1]
        self.set_class(wide, "-wide")
        for name in PANES:
            self.query_one(f"#{name}").set_class(name == self._pane, "-active")

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        name = event.tabs.active  # not the message's: a quick hand is further by now
        if name in PANES and name != self._pane:
            self._pane = name
            self._layout()
            self._drawn.clear()
            self.show_state()  # in the same frame, what needs no size
            self.call_after_refresh(self.show_state)

    def action_show_pane(self, name: str) -> None:
        self.query_one("#tabs", Tabs).active = name
        self._pane = name
        self._layout()
        self._drawn.clear()
        target = {"log": "#log-tail", "peers": "#peers", "rewards": "#rewards"}.get(name)
        self.set_focus(self.query_one(target) if target else None)
        self.show_state()  # in the same frame, what needs no size
        self.call_after_refresh(self.show_state)

    def action_open_pane(self) -> None:
        """The pane in focus, or the one behind the tabs, on the whole screen."""
        near = self.focused.ancestors_with_self if self.focused is not None else ()
        name = next((widget.id for widget in near if widget.id in PANES), self._pane)
        self._open(str(name))

    def on_click(self, event: events.Click) -> None:
        near = event.widget.ancestors_with_self if event.widget is not None else ()
        name = next((widget.id for widget in near if widget.id in PANES), None)
        if event.chain == 2 and name is not None:
            self._open(str(name))

    def _open(self, pane: str) -> None:
        getattr(self.app, f"action_{'logs' if pane == 'log' else pane}")()

    # --- drawing ------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Repaint what changed since the last call. Called on the tick; safe at any time."""
        if not self.is_mounted or not self.is_current:
            return
        app = self.app
        state: NodeState = app.state  # type: ignore[attr-defined]
        now: float = app.clock()  # type: ignore[attr-defined]
        net_on, chain_on = app.enabled_rooms  # type: ignore[attr-defined]
        self.query_one("#headline", Lines).show(app.headline)  # type: ignore[attr-defined]
        stopping = app.stopping  # type: ignore[attr-defined]
        self.query_one("#round", Lines).show(derive.round_view(state, now, stopping))
        account, kb_s = app.account, app.kb_s  # type: ignore[attr-defined]
        self.query_one("#status", Lines).show(derive.status_view(state, account, kb_s, now))
        if app.starting and not state.updated:  # type: ignore[attr-defined]
            return  # not read yet: empty panes would say that nothing ever happened
        if self._due("peers"):
            view = derive.peers_view(state, now, net_on)
            self.query_one("#peers-list", Lines).show(view)
        if self._due("rewards"):
            self.query_one("#ledger", Lines).show(derive.ledger_view(state, chain_on))
        if self._due("log"):
            self._show_log()
        if self._due("charts"):
            self._show_charts(state)

    def _visible(self, name: str) -> bool:
        return self.has_class("-wide") or self._pane == name

    def _due(self, name: str) -> bool:
        """Whether a pane is in sight and may be repainted now; notes that it was."""
        moment = time.monotonic()
        pace = PACE_S[name] if self.app.ticking else 0.0  # type: ignore[attr-defined]
        if not self._visible(name) or moment - self._drawn.get(name, 0.0) < pace:
            return False
        self._drawn[name] = moment
        return True

    def _show_log(self) -> None:
        tail = self.query_one("#log-tail", LogView)
        tail.pull()
        behind = self.query_one("#log-behind", Static)
        behind.display = tail.behind > 0
        if tail.behind:
            n = tail.behind
            told = many("+{n:,} line, End follows", "+{n:,} lines, End follows", n).format(n=n)
            behind.update(told)

    def _show_charts(self, state: NodeState) -> None:
        loss, reward = self.query_one("#loss-chart", Chart), self.query_one("#reward-chart", Chart)
        series = [state.series_of(name) for name in ("loss", "reward/own", "reward/swarm")]
        key = (*map(id, series), loss.columns, reward.columns)
        if key == self._chart_key or loss.size.height == 0:
            self._drawn.pop("charts", None)
            return
        self._chart_key, self._kept = key, series  # kept: an id is only good while its object is
        loss.show(derive.loss_chart(state, loss.columns))
        reward.show(derive.reward_chart(state, reward.columns))
        if not any(each.count for each in series):
            self._drawn.pop("charts", None)  # the first point does not wait its turn

    # --- actions ------------------------------------------------------------------------------

    def action_toggle_pause(self) -> None:
        self.app.toggle_pause()  # type: ignore[attr-defined]

    def action_copy_peer_id(self) -> None:
        state: NodeState = self.app.state  # type: ignore[attr-defined]
        if state.node is None:
            self.notify(_("The node has no peer id yet."), markup=False)
            return
        self.app.copy_to_clipboard(state.node.peer_id)
        self.notify(
            _("Copied {peer_id}").format(peer_id=clean(state.node.peer_id, 80)),
            title=_("Peer id"),
            markup=False,
        )
