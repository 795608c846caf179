"""Work for a step that may take a while, in a thread of its own, with a deadline.

The thread is a daemon: a disk or a network that hangs keeps nobody from leaving, which the pool of
`asyncio.to_thread` would. What comes too late, or after Esc, is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from textual.dom import NoScreen
from textual.worker import NoActiveWorker, get_current_worker

from core.errors import TransientError, WaggleError
from core.incidents import as_bug
from core.texts import _

T = TypeVar("T")
logger = logging.getLogger(__name__)


async def ask(work: Callable[[], T], timeout_s: float) -> T:
    """What `work` gives back. WaggleError when it raises one, or has a bug; TransientError when it
    takes longer than `timeout_s`."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: WaggleError | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        failed: WaggleError | None = None
        try:
            result = work()
        except WaggleError as error:
            failed = error
        except Exception as error:
            # A bug here must be told below the step, not end the console.
            logger.exception("a question of the first start failed")
            failed = as_bug(error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the console has gone
            loop.call_soon_threadsafe(deliver, result, failed)

    threading.Thread(target=run, name="onboarding", daemon=True).start()
    try:
        return await asyncio.wait_for(future, timeout_s)
    except TimeoutError:
        raise TransientError(
            _("That takes too long"),
            _("there was no answer within {seconds:.0f} s").format(seconds=timeout_s),
            _("Look at the connection, then try again"),
        ) from None
    finally:
        if _left():
            raise asyncio.CancelledError


def _left() -> bool:
    """Whether the page that asks has been closed meanwhile, and its fields with it."""
    try:
        node: Any = get_current_worker().node
    except NoActiveWorker:
        return False
    app = node.app
    try:
        return app._exit or node._pruning or node.screen not in app.screen_stack
    except NoScreen:
        return True
