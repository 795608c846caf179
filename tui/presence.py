"""When somebody last looked at this console, and what to tell them when they return.

A look ends when the terminal loses the focus, where it says so; else with the last key. It holds
the totals of that moment and keeps them in the home, so that the next console knows them too.
"""

from __future__ import annotations

import threading
from pathlib import Path

from core.away import AWAY_S, Away, Look, between, lives, load, look, remember
from core.home import Home
from core.state import NodeState

UNATTENDED_S = 7200.0
"""Without a word of the focus: after this long without a key, nobody has been watching."""
SAVE_EVERY_S = 60.0


class Presence:
    """Used from the screen's thread, but for `opened`. Times are Unix seconds."""

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        self._seen = now
        self._saved = 0.0
        self._blurred = False
        self._look: Look | None = None

    def opened(self, state: NodeState, home: Home, now: float) -> Away | None:
        """What a console that opens has to tell; None when it is the first. Reads the journal."""
        from core.journal import Journal

        before = load(self._path)
        if before is None:
            return None
        return between(before, state, lives(Journal(home.db)), now)

    def noticed(self, state: NodeState, now: float) -> Away | None:
        """A key, a click or the focus: somebody is here. What happened, if they were away."""
        gap, left, seen = now - self._seen, self._blurred, self._look
        self._seen, self._blurred = now, False
        if seen is None or gap < (AWAY_S if left else UNATTENDED_S):
            return None
        return between(seen, state, (), now)

    def left(self, state: NodeState, now: float) -> None:
        """The terminal lost the focus."""
        self._seen, self._blurred = now, True
        self._look = look(state, now)

    def tick(self, state: NodeState, now: float) -> None:
        """Renew the look while somebody is here, and keep it now and then."""
        if self._blurred or now - self._seen > AWAY_S:
            return
        self._look = look(state, now)
        if now - self._saved >= SAVE_EVERY_S:
            self._saved = now
            # A disk that hangs must not hold the screen.
            threading.Thread(
                target=remember, args=(self._path, state, now), name="look", daemon=True
            ).start()

    def closed(self, state: NodeState, now: float) -> None:
        remember(self._path, state, now)
