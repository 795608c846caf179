"""The net as the worker needs it: link to the sidecar, peer book, and the exchange over them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from core import events
from core.errors import TransientError
from core.home import Home
from core.net.both import BothExchange
from core.net.exchange import StreamExchange
from core.net.genrl_exchange import GenrlExchange
from core.net.hunt import Budget
from core.net.identity import Identity
from core.net.link import NetLink
from core.net.listening import beyond_loopback, parse
from core.net.options import LinkOptions
from core.net.peers import PeerBook
from core.net.records import Record
from core.net.wire import Limits
from core.net_news import NetNews
from core.protocols import Exchange, Questions
from core.schema import Config

MAX_LEARNED = 128
TWIN_EVERY_S = 600.0


class NetRoom:
    """Owns the sidecar of one node."""

    def __init__(
        self, config: Config, home: Home, identity: Identity, emit: Callable[[events.Event], None]
    ) -> None:
        self._emit = emit
        self._learned: set[str] = set()
        self._twin_told = -TWIN_EVERY_S
        self._book = PeerBook(home.path / "peers.json")
        options = LinkOptions(
            identity=home.identity,
            swarm=config.swarm.name,
            log=home.logs / "net.log",
            listen=config.net.listen,
            announce=tuple(config.net.announce),
            bootnodes=tuple(config.net.bootnodes),
            genrl=config.swarm.genrl,
            client_mode=config.net.client_mode,
            relay=config.net.relay,
            nat_port_map=config.net.nat_port_map,
            lan_discovery=config.net.lan_discovery and beyond_loopback(parse(config.net.listen)),
            max_memory_mib=config.net.max_memory_mib,
        )
        self._link = NetLink(options, NetNews(emit).tell, self._book.contacts)
        self.exchange: Exchange = StreamExchange(
            self._link,
            identity,
            config.swarm.name,
            book=self._book,
            limits=Limits(max_bytes=config.net.max_record_kib * 1024),
            budget=Budget(
                peer_timeout_s=config.net.fetch_timeout_s,
                total_bytes=config.net.max_gather_kib * 1024,
            ),
            on_twin=self._tell_of_twin,
        )

    def start(self) -> None:
        """Return at once; the link comes up in its own time."""
        self._link.start()

    def speak_genrl(self, questions: Questions) -> None:
        """Exchange with the swarm's GenRL nodes, too. Once, before the exchange is first used."""
        genrl = GenrlExchange(self._link, self.exchange.peer_id, questions)
        self.exchange = BothExchange(self.exchange, genrl)

    def addresses(self, stop: threading.Event) -> list[str]:
        """Multiaddrs at which others reach this node; empty when it is not up in time."""
        try:
            return self._link.visible_maddrs(stop=stop)
        except TransientError:
            return []

    def current_addresses(self) -> tuple[str, ...]:
        """The same, as far as they are known now."""
        return self._link.status.maddrs

    def learn_bootnodes(self, maddrs: Sequence[str]) -> None:
        """More nodes to join through. Of ever new ones only the first MAX_LEARNED count: whoever
        writes their list must not be able to fill this node's memory. Any thread."""
        fresh = [m for m in maddrs if m not in self._learned][: MAX_LEARNED - len(self._learned)]
        self._learned.update(fresh)
        if fresh:
            self._link.connect(fresh)

    def close(self) -> None:
        self.exchange.close()
        self._link.close()

    def _tell_of_twin(self, record: Record) -> None:
        """Now and then as long as it lasts: the incidents list counts how often."""
        if time.monotonic() - self._twin_told < TWIN_EVERY_S:
            return
        self._twin_told = time.monotonic()
        where = ", ".join(record.maddrs)
        self._emit(
            events.Incident(
                round=record.round,
                code="identity_elsewhere",
                what="Another machine runs with this node's key",
                why="a contribution to this swarm, signed with the key of this node, did not come "
                "from it" + (f" but from {where}" if where else ""),
                next_step="Stop one of the two: they overwrite each other's contributions. For a "
                "node of its own, give one of them a new identity; if you know of no other, the "
                "key was copied: `waggle identity new` makes a new one",
                level="error",
            )
        )
