"""Thread `watch`: looks at the coordinator now and then, for what no round depends on.

Leaderboard and bootnodes. A coordinator out of reach is told by the clock and the outbox; here it
only means that there is nothing new. Every look is bounded in time, and none holds up a round.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core import events
from core.errors import RefusedError, TransientError, WaggleError
from core.incidents import incident
from core.swarm.board_reader import BoardReader
from core.swarm.bootnodes import Bootnodes

if TYPE_CHECKING:
    from core.chain.reading import ChainReader

BOARD_EVERY_S = 10.0
BOARD_BUDGET_S = 5.0
LAST_BUDGET_S = 2.0
BOOTNODES_EVERY_S = 60.0
SOON_S = 2.0
"""After a look that failed or had to stop early, and until the own bootnode is published."""
TICK_S = 0.5
log = logging.getLogger(__name__)


class ChainWatch:
    """Owns the leaderboard of a node, and `bootnodes` once it is set."""

    def __init__(
        self,
        coordinator: Callable[[], ChainReader],
        path: Path,
        peer_id: str,
        emit: Callable[[events.Event], None],
    ) -> None:
        """coordinator: connected, cheap when called again; may raise WaggleError, and must when
        the node is closing. path: where the leaderboard is kept."""
        self._coordinator = coordinator
        self._board = BoardReader(path, peer_id, emit)
        self._emit = emit
        self._told = ""
        self._last_look = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.bootnodes: Bootnodes | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self, last_look: bool, timeout_s: float = 10.0) -> None:
        """End the thread. last_look: the chain is there, so count what came since the last one."""
        self._last_look = last_look
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        board_at = bootnodes_at = 0.0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= board_at:
                good = self._try(self._look_at_board)
                board_at = now + (BOARD_EVERY_S if good else SOON_S)
            if self.bootnodes is not None and now >= bootnodes_at:
                good = self._try(self._look_at_bootnodes)
                bootnodes_at = now + (BOOTNODES_EVERY_S if good else SOON_S)
            self._stop.wait(TICK_S)
        if self._last_look:
            self._try(lambda: self._board.look(self._coordinator(), LAST_BUDGET_S, final=True))
        self._board.save()

    def _look_at_board(self) -> bool:
        return self._board.look(self._coordinator(), BOARD_BUDGET_S)

    def _look_at_bootnodes(self) -> bool:
        assert self.bootnodes is not None
        return self.bootnodes.look(self._coordinator())

    def _try(self, look: Callable[[], bool]) -> bool:
        try:
            return look()
        except TransientError as error:
            log.debug("nothing new from the coordinator: %s", error)
        except RefusedError as error:
            self._tell(error.code or "coordinator_refused", error)
        except WaggleError as error:
            log.debug("the coordinator cannot be used: %s", error)  # the outbox tells why
        except Exception as error:
            # A bug here must not end the thread.
            log.exception("looking at the coordinator failed")
            self._tell("watch_failed", error)
        return False

    def _tell(self, code: str, error: Exception) -> None:
        """Once for each cause, not every few seconds."""
        if self._told != str(error):
            self._told = str(error)
            self._emit(incident(code, error))
