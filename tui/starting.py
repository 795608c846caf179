"""Brings the node up behind the first frame: history first, then a subscription, then the node.

Reads the configuration for that, too.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from core.config import Effective
from core.errors import WaggleError
from core.home import Home
from core.incidents import as_bug
from tui import doors
from tui.node_like import Loader, make_node, read_history

if TYPE_CHECKING:
    from core.account.unlock import Unlocked
    from tui.app import WaggleApp

logger = logging.getLogger(__name__)


def read_config(home: Home, load: Loader | None) -> Effective:
    """By `load`, which knows the flags of this start, or from the home alone. ConfigError."""
    from core import config

    return load() if load else config.load(home=home)


def take_first_config(app: WaggleApp, unlocked: Unlocked | None) -> WaggleError | None:
    """Everything is saved: read it back the way every later start will; what is wrong with it.

    unlocked: the account, when its owner locked it a moment ago.
    """
    try:
        app.effective = app.read_config()
    except WaggleError as error:
        return error
    if unlocked is not None:
        app.node_factory = partial(make_node, unlocked=unlocked)
    return None


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
        app.node, app.failure = None, error
    except Exception as error:
        logger.exception("the node did not start")
        app.node, app.failure = None, as_bug(error)
    else:
        doors.prepare()
