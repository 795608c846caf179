"""Everything known of one row of a table, on a page over it; goes on with the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from core.texts import _
from tui import keys
from tui.draw_facts import Line, facts
from tui.text import capital, clean
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines


@dataclass(frozen=True)
class Details:
    """copied: what `y` takes, and what that is called."""

    title: str
    lines: tuple[Line, ...]
    copied: str = ""
    what: str = ""


class DetailsScreen(Screen[None]):
    KEY_SCOPE = "details"
    BINDINGS = keys.bindings("details")
    AUTO_FOCUS = ""

    def __init__(self, details: Callable[[], Details]) -> None:
        """details: as they are now; asked on every tick."""
        super().__init__()
        self._details = details
        self._shown = details()

    def compose(self) -> ComposeResult:
        yield Static(self._title, classes="page-title", markup=False)
        with VerticalScroll(can_focus=False, classes="page"):
            yield Lines(facts, id="details")
        yield KeyBar("details")

    @property
    def _title(self) -> str:
        return clean(self._shown.title, 200, self.app.ascii)  # type: ignore[attr-defined]

    def on_mount(self) -> None:
        self.show_state()

    def on_screen_resume(self) -> None:
        if not self._pruning:  # a console that closes has nothing left to draw on
            self.show_state()

    def show_state(self) -> None:
        if self.is_mounted and self.is_current:
            self._shown = self._details()
            self.query_one("#details", Lines).show(self._shown.lines)

    def _scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)

    def action_move(self, rows: int) -> None:
        self._scroll(rows)

    def action_page(self, pages: int) -> None:
        self._scroll(pages * max(1, self.query_one(VerticalScroll).size.height - 1))

    def action_home(self) -> None:
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_end(self) -> None:
        self.query_one(VerticalScroll).scroll_end(animate=False)

    def action_copy(self) -> None:
        if not self._shown.copied:
            # Translators: {what} is a peer id, a transaction or a group.
            self.notify(_("There is no {what} yet.").format(what=self._shown.what), markup=False)
            return
        self.app.copy_to_clipboard(self._shown.copied)
        told = clean(self._shown.copied, 120, self.app.ascii)  # type: ignore[attr-defined]
        self.notify(
            _("Copied {text}").format(text=told), title=capital(self._shown.what), markup=False
        )
