"""The console with a node that does nothing, for `logs.py`: `logs_console.py HOME`.

The real app on the real terminal driver; only the training behind it is absent.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core import config, events  # noqa: E402 - the path comes first
from core.home import Home  # noqa: E402
from tui.session import run_session  # noqa: E402


class IdleNode:
    """Runs until it is stopped."""

    def __init__(self) -> None:
        self.bus = events.EventBus()
        self.error: Exception | None = None
        self._ended = threading.Event()

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    def start(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def stop(self, now: bool = False) -> None:
        self._ended.set()

    def join(self, timeout_s: float) -> bool:
        return self._ended.wait(timeout_s)

    def close(self) -> None: ...


if __name__ == "__main__":
    place = Home(Path(sys.argv[1]))
    settings = config.load("solo", place, env={})
    sys.exit(run_session(place, settings, False, node_factory=lambda effective, home: IdleNode()))
