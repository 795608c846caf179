"""The background tasks of one opened DHT: started, their failures told, ended together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from hivemind.p2p.p2p_daemon_bindings.utils import P2PDaemonError, P2PHandlerError

NET_ERRORS = (OSError, EOFError, asyncio.TimeoutError, P2PDaemonError, P2PHandlerError, ValueError)
"""What a network operation may raise because of what the network or a peer did."""
log = logging.getLogger(__name__)


class Chores:
    """Owns tasks of the running loop. A task that fails is logged and takes nothing with it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def end(self) -> None:
        """Cancel all of them and wait until they are gone."""
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            # again and again: before Python 3.12, wait_for may swallow a cancellation
            await asyncio.wait(tasks, timeout=0.1)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s failed: %r", task.get_name(), error)
