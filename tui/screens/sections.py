"""A screen of several sections: behind tabs on a small terminal, side by side on a large one.

One section is active: the keys move in it, and its box says so. Subclasses say what the sections
are and what fills them.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Tab, Tabs

from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Drawer, Lines
from tui.widgets.table import Table
from tui.widgets.table_search import SearchLine
from tui.widgets.typed_line import typed

WIDE = (120, 32)
"""Columns and rows from which all sections are shown at once."""
TAB, BOX = "tab-", "section-"
OPENERS = {"slash": "search"}
PACE_S = 1.0
"""Seconds between two drawings of news at least."""


class TextSection(VerticalScroll, can_focus=False):
    """Lines that scroll."""

    def __init__(self, drawer: Drawer, id: str) -> None:
        super().__init__(id=id)
        self.lines = Lines(drawer)

    def compose(self) -> ComposeResult:
        yield self.lines

    def move(self, rows: int) -> None:
        self.scroll_relative(y=rows, animate=False)

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self.size.height - 1))

    def home(self) -> None:
        self.scroll_home(animate=False)

    def end(self) -> None:
        self.scroll_end(animate=False)

    def sideways(self, columns: int) -> None:
        """Its lines keep within the width."""


class SectionsScreen(Screen[None]):
    """`show_state` is called on the tick, and by whoever changed something."""

    KEY_SCOPE: ClassVar[str] = ""
    SECTIONS: ClassVar[dict[str, str]] = {}
    """Titles by name; a section's box has the id BOX and its name."""
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    SectionsScreen {
        layout: vertical;
        .head { background: $surface; }
        .foot { height: 1; background: $surface; }
        Tabs { height: 1; margin: 0; background: $background; }
        Tabs #tabs-list-bar, Tabs #tabs-list { height: 1; }
        Tabs Underline { display: none; }
        Tabs Tab { height: 1; padding: 0 2; color: $text-muted; }
        Tabs Tab.-active { color: $primary; text-style: bold; background: $panel; }
        #sections { height: 1fr; }
        .section { display: none; height: 1fr; width: 1fr; }
        .section.-active { display: block; }
        TextSection { padding: 0 1; }
    }
    SectionsScreen.-wide {
        Tabs { display: none; }
        .section {
            display: block; height: 100%; border: round $border-blurred;
            border-title-color: $text-muted; border-title-style: none;
        }
        .section.-active { border: round $focus; border-title-color: $primary; }
    }
    .-ascii SectionsScreen.-wide .section, SectionsScreen.-wide.-ascii .section {
        border: ascii $border-blurred;
    }
    .-ascii SectionsScreen.-wide .section.-active { border: ascii $focus; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.section = next(iter(self.SECTIONS))
        self._drawn_at = 0.0

    def compose(self) -> ComposeResult:
        yield from self.head()
        yield Tabs(
            *(
                Tab(f"{number} {title}", id=TAB + name)
                for number, (name, title) in enumerate(self.SECTIONS.items(), 1)
            ),
            id="section-tabs",
        )
        with Container(id="sections"):
            yield from self.bodies()
        yield from self.foot()
        yield KeyBar(self.KEY_SCOPE)

    def head(self) -> ComposeResult:
        yield from ()

    def bodies(self) -> ComposeResult:
        yield from ()

    def foot(self) -> ComposeResult:
        yield from ()

    def on_mount(self) -> None:
        self.query_one(Tabs).can_focus = False
        for name, title in self.SECTIONS.items():
            self.box(name).border_title = title
        self._arrange()

    # --- which section ------------------------------------------------------------------------

    def box(self, name: str) -> Widget:
        return self.query_one(f"#{BOX}{name}")

    def mover(self, name: str) -> Any:
        """What the keys move in a section."""
        box = self.box(name)
        return box if isinstance(box, TextSection) else box.query(".mover").first()

    @property
    def wide(self) -> bool:
        return self.app.size.width >= WIDE[0] and self.app.size.height >= WIDE[1]

    def in_view(self, name: str) -> bool:
        return self.wide or self.section == name

    def _arrange(self) -> None:
        self.set_class(self.wide, "-wide")
        for name in self.SECTIONS:
            self.box(name).set_class(name == self.section, "-active")
        for table in self.query(Table):
            before, table.active = table.active, table in self.box(self.section).query(Table)
            if before != table.active:
                table.repaint()

    def on_resize(self, event: events.Resize) -> None:
        before = self.has_class("-wide")
        self._arrange()
        if before != self.has_class("-wide"):
            self.draw_now()  # so that no frame shows the sections that come into sight without it
        self.call_after_refresh(self.draw_now)

    def on_screen_resume(self) -> None:
        if not self._pruning:  # a console that closes has nothing left to draw on
            self.draw_now()

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        event.stop()
        # The tab in front now: by the time a message of a quick hand arrives, it is another one.
        self.action_show_section(event.tabs.active.removeprefix(TAB))

    def action_show_section(self, name: str) -> None:
        if name != self.section:
            self.section = name
            self.query_one(Tabs).active = TAB + name
            self._arrange()
            self.call_after_refresh(self.draw_now)

    def action_next_section(self, steps: int) -> None:
        names = list(self.SECTIONS)
        self.action_show_section(names[(names.index(self.section) + steps) % len(names)])

    def on_click(self, event: events.Click) -> None:
        """A click into a section makes it the active one."""
        widget = event.widget
        while widget is not None and widget is not self:
            name = (widget.id or "").removeprefix(BOX)
            if widget.id != name and name in self.SECTIONS:
                self.action_show_section(name)
                return
            widget = widget.parent if isinstance(widget.parent, Widget) else None

    async def on_key(self, event: events.Key) -> None:
        await typed(self, event, OPENERS)

    # --- moving -------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        self.mover(self.section).move(rows)

    def open_search(self, text: str) -> None:
        self.query_one(SearchLine).open(text)
        self.query_one(KeyBar).show(SearchLine.KEY_SCOPE)

    def on_search_line_changed(self, event: SearchLine.Changed) -> None:
        if event.kept or event.given_up:
            self.query_one(KeyBar).show(self.KEY_SCOPE)
        self.searched(event)

    def searched(self, event: SearchLine.Changed) -> None:
        """Somebody has typed a letter, or is done."""

    def on_search_line_moved(self, event: SearchLine.Moved) -> None:
        self.action_move(event.rows)

    def action_page(self, pages: int) -> None:
        self.mover(self.section).page(pages)

    def action_home(self) -> None:
        self.mover(self.section).home()

    def action_end(self) -> None:
        self.mover(self.section).end()

    def action_sideways(self, columns: int) -> None:
        self.mover(self.section).sideways(columns)

    # --- drawing ------------------------------------------------------------------------------

    def show_state(self) -> None:
        """Draw what is new, where it is time for that."""

    def draw_now(self) -> None:
        """For what a person did: at once."""
        self._drawn_at = 0.0
        self.show_state()

    def due(self) -> bool:
        """Whether news may be drawn now; notes that they were."""
        moment = time.monotonic()
        ticking = self.app.ticking  # type: ignore[attr-defined]
        if ticking and moment - self._drawn_at < PACE_S:
            return False
        self._drawn_at = moment
        return True
