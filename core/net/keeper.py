"""Keeps this node in the DHT: opens it, watches its daemon, opens it again with the same identity.

Whatever ends one daemon, the next takes over its port, its contacts, and what this node had told
the swarm. It also decides how to listen: on another port when one is taken, and through relays once
it is known that nobody can dial this node. Runs in the sidecar's loop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.errors import WaggleError
from core.net import daemon, listening, messages, weight
from core.net.acquaintance import Findings
from core.net.board import Board
from core.net.chores import NET_ERRORS
from core.net.dht import Dht, Options
from core.net.handlers import Kept, reopen, told
from core.net.lan import Lan
from core.net.reach import tcp_port
from core.net.relaying import Relaying

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
PORT_TRIES = 5
"""Attempts at a taken port before another one is chosen: who had it may just be ending."""


class Keeper:
    """dht: None while there is none; `detail` says why. lost: resolves when `dht` is lost, to why.

    changed: called, in the loop, when there is something new to tell.
    """

    def __init__(self, start: messages.Start, kept: Kept, changed: Callable[[], None]) -> None:
        self.dht: Dht | None = None
        self.lost: asyncio.Future[str] | None = None
        self.detail = ""
        self._start, self._kept, self._changed = start, kept, changed
        self._status = "starting"
        self._contacts, self._maddrs = list(start.contacts), list(start.maddrs)
        self._wanted = listening.parse(start.listen)
        self._findings = Findings()
        self._relaying = Relaying(start.relay, start.client_mode, self._wanted, start.bootnodes)
        self._lan = Lan(start.swarm) if start.lan_discovery else None
        self._restarts, self._last_restart, self._note = 0, "", ""
        self._folder = daemon.SocketFolder()
        self._board = Board(start.swarm)

    @property
    def peers(self) -> int:
        return len(self.dht.peers) if self.dht else 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        stopped = asyncio.create_task(stop.wait())
        pause, tries = FIRST_PAUSE_S, 0
        try:
            while not stopped.done():
                tries += 1
                try:
                    dht = await self._open(tries)
                except (*NET_ERRORS, WaggleError) as error:
                    self._say("down", told(error))
                else:
                    pause, tries = FIRST_PAUSE_S, 0
                    await self._serve(dht, stopped)
                await asyncio.wait({stopped}, timeout=pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
        finally:
            if self._lan is not None:
                await self._lan.close()
            self._folder.remove()

    async def _open(self, tries: int) -> Dht:
        start = self._start
        options = Options(
            daemon=daemon.DaemonOptions(
                identity=Path(start.identity),
                listen=self._listen(tries),
                announce=start.announce,
                client_mode=start.client_mode,
                relay=start.relay != "off",
                relays=self._relaying.relays,
                nat_port_map=start.nat_port_map,
                max_memory_mib=start.max_memory_mib,
            ),
            swarm=start.swarm,
            bootnodes=tuple(self._kept.bootnodes),
            contacts=tuple(self._contacts),
            genrl=start.genrl,
        )
        dht = Dht(options, self._folder, self._kept.shelf, self._board, self._findings)
        await dht.open()
        return dht

    def _listen(self, tries: int) -> tuple[str, ...]:
        """Where to listen now; WaggleError while a taken port may still become free."""
        wanted = listening.as_before(self._wanted, self._maddrs)
        chosen, why = listening.instead(wanted)
        if why and tries < PORT_TRIES:
            raise WaggleError("A port of net.listen is taken", why)
        self._note = f"{why}; listening on another port until the next start" if why else ""
        return tuple(map(str, chosen))

    async def _serve(self, dht: Dht, stopped: asyncio.Task[bool]) -> None:
        """Until the daemon is lost, its relays have to change, or `stopped`."""
        self.dht = dht
        self.lost = asyncio.get_running_loop().create_future()
        ended = asyncio.create_task(dht.ended())
        relay = asyncio.create_task(self._relaying.change(dht, self._findings))
        try:
            with suppress(*NET_ERRORS):  # then `ended` will say why
                await reopen(dht, self._kept)
            self._say("up", "")
            if self._lan is not None:
                await self._lan.announce(
                    dht.peer_id, self._wanted, self._tcp_port(dht), dht.connections.met
                )
            await asyncio.wait({ended, relay, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reason = ended.result() if ended.done() else "asked to stop"
            if not ended.done() and relay.done():
                reason = relay.result()
            ended.cancel()
            relay.cancel()
            self.dht = None
            self.lost.set_result(reason)
        if not stopped.done():
            self._restarts += 1
            self._last_restart = reason
            self._say("degraded", f"{reason}; starting it again")
        self._contacts = [*self._contacts, *dht.contacts.known_maddrs()][-256:]
        self._maddrs = dht.maddrs or self._maddrs
        with suppress(*NET_ERRORS):
            await asyncio.wait_for(dht.close(), 10)

    def _tcp_port(self, dht: Dht) -> int:
        """Where this machine listens, which may not be what it announces; 0 for nowhere."""
        told = dht.options.daemon
        if told.client_mode:
            return 0
        listen = listening.parse(",".join(told.listen))
        fixed = [a.port for a in listen if a.transport == "tcp" and a.port]
        return fixed[0] if fixed else max(map(tcp_port, dht.maddrs), default=0)

    # --- status -------------------------------------------------------------------------------

    def _say(self, status: str, detail: str) -> None:
        self._status, self.detail = status, detail
        self._changed()

    def status(self) -> messages.Status:
        dht, now = self.dht, time.monotonic()
        reach, skew = self._findings.dialled.reach(now), self._findings.clocks.skew(now)
        return messages.Status(
            status=self._status,
            detail=self.detail[:600],
            maddrs=tuple(dht.maddrs[:64]) if dht else (),
            peers=self.peers,
            bootnodes=tuple(dht.contacts.bootnodes) if dht else (),
            daemon_restarts=self._restarts,
            last_restart=self._last_restart[:600],
            reach=reach.verdict,
            reach_by=reach.by,
            reach_why=reach.why,
            seen_as=reach.seen_as,
            relays=len(self._relaying.relays),
            skew_s=skew.offset_s,
            skew_peers=skew.peers,
            lan=self._lan.found if self._lan else 0,
            rss_mib=weight.resident_mib(os.getpid()),
            daemon_rss_mib=weight.resident_mib(dht.daemon_pid) if dht else 0.0,
            note=self._note[:600],
        )
