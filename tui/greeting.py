"""Who is looking: notices that somebody comes or goes, and shows what happened while nobody was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.events import AppBlur, AppFocus, Event, InputEvent

from core.away import Away
from tui.presence import Presence

if TYPE_CHECKING:
    from tui.app import WaggleApp


class Greeting:
    """One console's presence. From the screen's thread, but for `opened`."""

    def __init__(self, app: WaggleApp) -> None:
        self._app = app
        self._presence = Presence(app.home.look, app.clock())
        self._away: Away | None = None

    def opened(self) -> None:
        """The history has been read: what there is to tell is told on the next tick."""
        app = self._app
        self._away = self._presence.opened(app.state, app.home, app.clock())

    def tick(self) -> None:
        self._presence.tick(self._app.state, self._app.clock())
        away, self._away = self._away, None
        self._greet(away)

    def noticed(self, event: Event) -> bool:
        """Whether the event only woke the screen: such a key must not close the card at once."""
        app = self._app
        if isinstance(event, AppBlur):
            self._presence.left(app.state, app.clock())
        elif isinstance(event, (InputEvent, AppFocus)) and app.node is not None:
            greeted = self._greet(self._presence.noticed(app.state, app.clock()))
            return greeted and isinstance(event, InputEvent)
        return False

    def closed(self) -> None:
        if self._app.node is not None:
            self._presence.closed(self._app.state, self._app.clock())

    def _greet(self, away: Away | None) -> bool:
        """Tell what happened, to whom has been away; never over a question or another page."""
        from tui.screens.away import AwayScreen
        from tui.screens.dashboard import Dashboard

        if away is None or not away.worth_telling or not isinstance(self._app.screen, Dashboard):
            return False
        self._app.push_screen(AwayScreen(away))
        return True
