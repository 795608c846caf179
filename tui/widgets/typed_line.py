"""The input of a line that opens and closes while keys are under way.

Textual sends keys that come in one piece, as over a slow link or from a quick hand at a busy
machine, to what has the focus before the first of them. So a screen opens its line as soon as it
sees the key, hands it what is its own, and the line gives back what was typed behind its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from textual import events
from textual.screen import Screen
from textual.widget import Widget

from tui.widgets.field import SafeInput

MAX_WAITING = 500
"""Keys that may be on their way at once."""
ENDS: Mapping[str, str] = {"enter": "keep", "escape": "clear"}


class TypedInput(SafeInput):
    """Inside a line, which is its parent and has an action for each of ENDS."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._noted: deque[events.Key] = deque(maxlen=MAX_WAITING)

    async def _on_key(self, event: events.Key) -> None:
        line = self.parent
        assert isinstance(line, Widget)
        self._noted.append(event)  # what it does not use itself bubbles on to the screen
        if not line.display:
            event.stop()
            event.prevent_default()
            self.app.simulate_key(event.key)
        elif event.key in ENDS:
            event.stop()
            event.prevent_default()
            await self.app.run_action(ENDS[event.key], line)
        else:
            await super()._on_key(event)

    def take(self, event: events.Key) -> None:
        """A key on its way through the screen: what this line has not had yet is its own."""
        if not any(event is noted for noted in self._noted):
            event.stop()
            self.post_message(events.Key(event.key, event.character))


async def typed(screen: Screen[Any], event: events.Key, openers: Mapping[str, str]) -> None:
    """For `on_key` of a screen with such a line. openers: actions by the keys that open it."""
    line = screen.query_one(TypedInput)
    assert isinstance(line.parent, Widget)
    if line.parent.display:
        line.take(event)
    elif event.key in openers:
        event.stop()
        await screen.run_action(openers[event.key])
