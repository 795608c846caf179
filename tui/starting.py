"""Brings the node up behind the first frame: history first, then a subscription, then the node."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from core.errors import WaggleError
from core.incidents import as_bug
from tui.node_like import read_history

if TYPE_CHECKING:
    from tui.app import WaggleApp

logger = logging.getLogger(__name__)


def start_node(app: WaggleApp) -> None:
    """In a thread of its own; `app.starting` is empty when the node runs, or `app.failure` is set.

    Call it after the first frame: the thread's imports would compete with the paint.
    """
    threading.Thread(target=_build, args=(app,), name="node-start", daemon=True).start()


def _build(app: WaggleApp) -> None:
    assert app.effective is not None
    try:
        app.state = read_history(app.home)
        app.greeting.opened()
        node = app.node_factory(app.effective, app.home)
        app.subscription = node.bus.subscribe()
        app.node = node
        node.start()
        app.starting = ""
    except WaggleError as error:
        app.failure = error
    except Exception as error:
        logger.exception("the node did not start")
        app.failure = as_bug(error)
