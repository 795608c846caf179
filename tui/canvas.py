"""Where Textual's updates become bytes: only what differs, and only when the link is free.

Stands between the app and its driver. Without a real terminal (tests, captures) it does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.color import ColorSystem
from textual._compositor import CompositorUpdate
from textual.timer import Timer

from tui.link import Link
from tui.painter import Painter
from tui.terminal import SYNC_END, SYNC_START, TerminalDriver

if TYPE_CHECKING:
    from tui.app import WaggleApp

LOOK_AGAIN_S = 0.05
"""While the link is behind: how often to see whether it has caught up."""


class Canvas:
    """Draws one app's updates. Used from the screen's thread."""

    def __init__(self, app: WaggleApp, link: Link) -> None:
        self._app = app
        self._painter = Painter()
        self._cursor: tuple[int, int] | None = None
        self._later: Timer | None = None
        self.link = link

    def connect(self, driver: TerminalDriver) -> None:
        """From now on hear what the terminal answers."""
        driver.on_ready = self.link.answered
        driver.ready_due = lambda: self.link.waiting
        driver.on_taken = self.renew
        driver.write(self.link.question())

    def draw(self, update: Any) -> bool:
        """Whether the update was taken; otherwise Textual draws it itself."""
        app, driver = self._app, self._app._driver
        if not isinstance(update, CompositorUpdate) or driver is None:
            return False
        if driver.is_headless or driver.is_web or driver.is_inline or app._batch_count:
            return False
        if not app._running or app._closed:
            return False
        if self.link.behind:
            self.link.left_out += 1
            self._draw_later()
            return True
        size = app.size
        plain = app.screen.background_colors[1] if app.no_color else None
        colors = app.console._color_system or ColorSystem.STANDARD
        text = self._painter.paint(update, (size.width, size.height), colors, plain)
        cursor = app.screen.outer_size.clamp_offset(app.cursor_position)
        if text or cursor != self._cursor:
            self._cursor = cursor
            text += f"\x1b[{cursor.y + 1};{cursor.x + 1}H"
            if app._sync_available:
                text = f"{SYNC_START}{text}{SYNC_END}"
            driver.write(text + self.link.question())
        return True

    def _draw_later(self) -> None:
        if self._later is None:
            self._later = self._app.set_interval(LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        if not self.link.behind and self._later is not None:
            self._later.stop()
            self._later = None
            self._app.screen.refresh()

    def renew(self) -> None:
        """The terminal shows something else, or is another one: draw all of it."""
        self._painter.forget()
        self._cursor = None
        self.link.renew()
        self._app.screen.refresh()
