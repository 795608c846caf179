"""The node as the console sees it, and how the console comes by one.

Everything of the core that is heavy is imported here, inside the functions, after the first frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from core import events
from core.config import Effective
from core.home import Home
from core.state import NodeState

if TYPE_CHECKING:
    from core.account.unlock import Unlocked


class NodeLike(Protocol):
    """What the console needs of a node (`core.node.Node`); every method returns at once."""

    bus: events.EventBus

    @property
    def error(self) -> Exception | None: ...
    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def stop(self, now: bool = False) -> None: ...
    def join(self, timeout_s: float) -> bool: ...
    def close(self) -> None: ...


NodeFactory = Callable[[Effective, Home], NodeLike]
Loader = Callable[[], Effective]


def make_node(effective: Effective, home: Home, unlocked: Unlocked | None = None) -> NodeLike:
    """The real node. Imported here: `core.node` pulls in everything."""
    from core.node import Node

    return Node(effective, home, unlocked=unlocked)


def read_history(home: Home) -> NodeState:
    """The state that the journal of earlier runs gives; empty for a new home."""
    from core.fold import replay
    from core.journal import Journal

    return replay(Journal(home.db).events())
