"""What the network part has to say, as events: on every change that matters, not on every beat."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict

from core import events
from core.net import telling
from core.net.options import NetStatus

AGAIN_S = 30.0
"""Counts that merely go on are told this often."""
STILL_S = 300.0
"""When nothing changes but the memory in use."""
SKEW_EVERY_S = 3_600.0

_MENDS = "It mends by itself; if this happens often, see logs/net.log"


class NetNews:
    """Turns statuses into events. Called from the thread `link` only."""

    def __init__(self, emit: Callable[[events.Event], None]) -> None:
        self._emit = emit
        self._line = ""
        self._line_at = self._news_at = self._skew_at = -SKEW_EVERY_S
        self._key: object = None
        self._counts: object = None
        self._last = NetStatus()

    def tell(self, status: NetStatus) -> None:
        now = time.monotonic()
        self._tell_line(status, now)
        self._tell_news(status, now)
        self._tell_incidents(status, now)
        self._last = status

    def _tell_line(self, status: NetStatus, now: float) -> None:
        level, words, lasting = telling.connection(status.told, time.time())
        line = f"{level} {lasting}"
        if line == self._line and (words == lasting or now - self._line_at < AGAIN_S):
            return
        self._line, self._line_at = line, now
        self._emit(events.ServiceChanged(service="net", status=level, detail=words))

    def _tell_news(self, status: NetStatus, now: float) -> None:
        told = status.told
        outcomes = tuple((b.maddr, b.outcome, b.why) for b in told.bootnodes)
        company = (bool(told.peers), told.relays, bool(told.lan))
        restarts = (status.restarts, told.daemon_restarts)
        key = (told.status, told.maddrs, outcomes, told.reach, company, restarts)
        counts = (told.peers, told.lan, told.skew_peers, tuple(b.tries for b in told.bootnodes))
        patience = AGAIN_S if counts != self._counts else STILL_S
        if key == self._key and now - self._news_at < patience:
            return
        self._key, self._counts, self._news_at = key, counts, now
        self._emit(
            events.NetChanged(
                status=told.status,
                maddrs=list(told.maddrs),
                peers=told.peers,
                bootnodes=[asdict(b) for b in told.bootnodes],
                reach=told.reach,
                reach_words=telling.reach(told),
                relays=told.relays,
                skew_s=told.skew_s,
                skew_peers=told.skew_peers,
                lan=told.lan,
                restarts=status.restarts + told.daemon_restarts,
                rss_mib=told.rss_mib,
                daemon_rss_mib=told.daemon_rss_mib,
                note=told.note,
            )
        )

    def _tell_incidents(self, status: NetStatus, now: float) -> None:
        was, told = self._last, status.told
        if status.restarts > was.restarts:
            self._incident(
                "net_restarted", "The network part was started again", status.why, _MENDS
            )
        elif told.daemon_restarts > was.told.daemon_restarts and not told.relays > was.told.relays:
            what = "The libp2p daemon was started again"
            self._incident("net_restarted", what, told.last_restart, _MENDS)
        if told.relays and told.relays != was.told.relays:
            what = "This node is reached through other nodes"
            self._incident("net_relayed", what, telling.reach(told), telling.OPEN)
        what, next_step = telling.skew(told)
        if what and now - self._skew_at > SKEW_EVERY_S:
            self._skew_at = now
            self._incident("clock_skew", what[0].upper() + what[1:], "", next_step)
        if told.note and told.note != was.told.note:
            step = "Free that port, or set another one in net.listen"
            self._incident("port_taken", "A port of net.listen is taken", told.note, step)

    def _incident(self, code: str, what: str, why: str, next_step: str) -> None:
        self._emit(events.Incident(code=code, what=what, why=why, next_step=next_step))
