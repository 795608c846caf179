"""The coordinator's list of bootnodes: read it to find the swarm, and stand on it as its host.

What the list holds was written by whoever manages the swarm, or took it over: every entry is
checked and bounded before the network hears of it. A node that hosts the swarm puts its own
address there, and takes away one that it no longer has.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeGuard

from core import events
from core.errors import RefusedError
from core.incidents import incident
from core.net.records import is_peer_maddr

if TYPE_CHECKING:
    from core.chain.coordinator import WalletCoordinator
    from core.chain.reading import ChainReader

MAX_USED = 64
"""Bootnodes taken from one reading."""
MAX_OWN = 4
MAX_LISTED = 64
"""The contract holds no more."""
log = logging.getLogger(__name__)


def usable(listed: Iterable[object], my_peer_id: str) -> list[str]:
    """The multiaddrs of other peers in a list from the chain, each once, at most MAX_USED."""
    good = [m for m in listed if isinstance(m, str) and is_peer_maddr(m)]
    others = [m for m in good if peer_of(m) != my_peer_id]
    return list(dict.fromkeys(others))[:MAX_USED]


def own(maddrs: Iterable[str]) -> list[str]:
    """Of a node's addresses those to tell others: loopback only when there is nothing else."""
    good = [m for m in maddrs if is_peer_maddr(m)]
    outward = [m for m in good if not _is_loopback(m)]
    return (outward or good)[:MAX_OWN]


def peer_of(maddr: str) -> str:
    return maddr.rpartition("/p2p/")[2]


class Bootnodes:
    """Hands on what the coordinator lists, and keeps my own entry right. Used from one thread."""

    def __init__(
        self,
        peer_id: str,
        learn: Callable[[Sequence[str]], None],
        addresses: Callable[[], Sequence[str]],
        emit: Callable[[events.Event], None],
        *,
        publishes: bool,
    ) -> None:
        """learn: takes new bootnodes. addresses: mine, empty while they are not known.

        publishes: this node's account may write the list, and should.
        """
        self._me = peer_id
        self._learn = learn
        self._addresses = addresses
        self._emit = emit
        self._publishes = publishes
        self._known: list[str] = []

    def look(self, coordinator: ChainReader) -> bool:
        """Read the list once; whether there is nothing left to do but to look again some day.

        TransientError when the chain is out of reach.
        """
        listed = coordinator.bootnodes()
        found = usable(listed, self._me)
        if found != self._known:
            self._known = found
            log.info("bootnodes of the coordinator: %s", ", ".join(found) or "none")
            self._learn(found)
        if not (self._publishes and _can_publish(coordinator)):
            return True
        mine = own(self._addresses())
        if not mine:
            return False
        try:
            self._publish(coordinator, listed, mine)
        except RefusedError as error:
            self._publishes = False
            self._emit(incident("bootnode_refused", error))
        return True

    def _publish(
        self, coordinator: WalletCoordinator, listed: Sequence[str], mine: Sequence[str]
    ) -> None:
        """Make the entries with my peer id those of `mine`. Others' entries are not touched."""
        for maddr in listed:
            if peer_of(maddr) == self._me and maddr not in mine:
                # Removing moves the last one into the gap, so the place is looked up each time.
                now = coordinator.bootnodes()
                if maddr in now:
                    coordinator.remove_bootnode(now.index(maddr))
                    log.info("withdrew the bootnode %s", maddr)
        now = coordinator.bootnodes()
        missing = [m for m in mine if m not in now][: max(0, MAX_LISTED - len(now))]
        if missing:
            coordinator.add_bootnodes(missing)
            log.info("published the bootnode %s", ", ".join(missing))


def _can_publish(coordinator: ChainReader) -> TypeGuard[WalletCoordinator]:
    """Only an account of this node may manage the list."""
    return coordinator.kind == "wallet"


def _is_loopback(maddr: str) -> bool:
    parts = maddr.split("/")
    try:
        return ipaddress.ip_address(parts[2]).is_loopback
    except (IndexError, ValueError):
        return False  # a name
