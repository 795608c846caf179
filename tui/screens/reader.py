"""Pages over the dashboard that are read and left again: the base of help, logs and rollouts."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from tui import keys
from tui.widgets.key_bar import KeyBar


class Reader(Screen[None]):
    """A title, a body that scrolls, a footer. Subclasses give the body."""

    BINDINGS = keys.bindings("reader")
    AUTO_FOCUS = ""
    TITLE_TEXT = ""
    DEFAULT_CSS = """
    Reader VerticalScroll { scrollbar-gutter: stable; }
    """
    """Lines are as long before they need a scrollbar as they are with one."""

    def compose(self) -> ComposeResult:
        yield Static(self.TITLE_TEXT, classes="page-title", markup=False)
        yield from self.body()
        yield KeyBar("reader")

    def body(self) -> ComposeResult:
        yield from ()

    @property
    def scroller(self) -> Widget:
        return self.query_one(VerticalScroll)

    def show_state(self) -> None:
        """The state changed; pages that do not follow it do nothing."""

    def action_line_down(self) -> None:
        self.scroller.scroll_down(animate=False)

    def action_line_up(self) -> None:
        self.scroller.scroll_up(animate=False)

    def action_follow(self) -> None:
        self.scroller.scroll_end(animate=False)

    def action_first(self) -> None:
        self.scroller.scroll_home(animate=False)

    def key_pagedown(self) -> None:
        self.scroller.scroll_page_down(animate=False)

    def key_pageup(self) -> None:
        self.scroller.scroll_page_up(animate=False)
