"""Builds a node from a configuration: wires training, net and chain into a worker.

The only module besides `worker` and `sharing` where the three rooms meet. `Node.start` returns at
once: what is slow (loading the model, the devnet, the sidecar) happens in the worker thread and in
child processes, side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import core
from core import away, events, free_memory, grpo_settings, logs, narrate, pools, supervisor
from core.account.unlock import Unlocked
from core.chain_room import ChainRoom, LocalClock
from core.commands import Commands
from core.config import Effective
from core.gate.plausibility import Plausibility
from core.gate.remembered import Remembered
from core.home import Home, HomeLock
from core.identity.identities import backup_note
from core.identity.lock import IdentityLock
from core.journal import Journal
from core.net_room import NetRoom
from core.parts import Clock, Parts
from core.protocols import Interrupted
from core.schema import Config
from core.siblings import Siblings
from core.surroundings import Surroundings
from core.swarm import hosting
from core.training_room import TrainingRoom
from core.worker import NodeWorker

SIBLINGS_TIMEOUT_S = 90.0


class Node:
    """One node on one home. `bus` carries its events; its methods are safe from any thread."""

    def __init__(
        self,
        effective: Effective,
        home: Home,
        *,
        max_rounds: int | None = None,
        unlocked: Unlocked | None = None,
    ) -> None:
        """unlocked: what `core.account.unlock` gave for this home; None where nothing is locked."""
        # A pool is drawn from once, then this home keeps its model.
        self.effective = pools.settle(effective, home)
        self.config = self.effective.config
        self.home = home
        self._unlocked = unlocked or Unlocked()
        self.bus = events.EventBus()
        self.commands = Commands()
        self._lock = HomeLock(home)
        self._identity_lock: IdentityLock | None = None
        self._journal: Journal | None = None
        self._worker = NodeWorker(self._build, self.commands, self.emit, max_rounds)
        self._closers: list[Callable[[], None]] = []
        self._closed = False

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Take the home and start the threads. WaggleError when the home cannot be used."""
        from core.chain.account import address_of
        from core.net.identity import load_or_create

        self.home.create()
        self._lock.acquire()
        try:
            logs.setup(self.home, self.config.log, self.bus)
            self.identity = load_or_create(self.home.identity)
            lock = IdentityLock(self.identity.peer_id, self.home)
            lock.acquire()
            self._identity_lock = lock
            account = address_of(self.home.account) or ""
            note = backup_note(self.home, self.identity.peer_id)
            backed_up = note.time if note else None
            self._journal = Journal(self.home.db, self.bus)
            fell = away.ended_unasked(self._journal)
            self._journal.start()
        except BaseException:
            self._release()
            raise
        self.emit(
            events.NodeStarted(
                version=core.__version__,
                pid=os.getpid(),
                profile=self.effective.profile,
                home=str(self.home.path),
                peer_id=self.identity.peer_id,
                name=self.identity.name,
                model=self.config.model.id,
                swarm=self.config.swarm.name,
                account=account,
                restarts=supervisor.restarts(),
                backed_up=backed_up,
                settings=grpo_settings.of(self.config),
            )
        )
        if fell is not None:
            self.emit(fell)
        self._worker.start()

    @property
    def running(self) -> bool:
        return self._worker.is_alive()

    @property
    def error(self) -> Exception | None:
        """Why the worker ended by itself, or None."""
        return self._worker.error

    def pause(self) -> None:
        self.commands.pause()

    def resume(self) -> None:
        self.commands.resume()

    def stop(self, now: bool = False) -> None:
        """Ask to end at the round boundary, or at once. Returns at once."""
        self.commands.stop(now)

    def join(self, timeout_s: float) -> bool:
        """Wait for the worker; whether it has ended."""
        self._worker.join(timeout_s)
        return not self._worker.is_alive()

    def close(self) -> None:
        """After the worker has ended: write what is left and give the home back."""
        if self._closed:
            return
        self._closed = True
        for close in reversed(self._closers):
            close()
        self.emit(events.NodeStopped(reason="failed" if self.error else "asked"))
        if self._journal is not None:
            self._journal.close()
        self._release()

    def _release(self) -> None:
        if self._identity_lock is not None:
            self._identity_lock.release()
        self._lock.release()

    def emit(self, event: events.Event) -> None:
        """Onto the bus, and into the log in words. Any thread; never raises for a full disk."""
        self.bus.emit(event)
        narrate.log(event)

    # --- building, in the worker thread -------------------------------------------------------

    def _build(self, commands: Commands) -> Parts:
        """Start everything slow at once, then collect it in the order in which it is needed."""
        config, home, emit = free_memory.one_of(self.config), self.home, self.emit
        chain = net = None
        remembered = Remembered(home.db)
        self._closers.append(remembered.close)
        if config.chain.enabled:
            wallet = self._unlocked.wallet_of(home)
            chain = ChainRoom(config, home, self.identity.peer_id, emit, wallet)
            self._closers.append(chain.close)
            chain.start()
        if config.net.enabled:
            net = NetRoom(config, home, self.identity, emit)
            self._closers.append(net.close)
            net.start()
        if chain is not None and net is not None:
            chain.share_bootnodes(net.learn_bootnodes, net.current_addresses)
        siblings = None
        if self.config.swarm.nodes > 1:
            siblings = self._start_siblings(chain, net, config)
        training = TrainingRoom(config, home, emit)
        self._closers.append(training.close)
        if net is not None and config.swarm.genrl:
            net.speak_genrl(training.game)
        training.load()
        if commands.stop_now.is_set():
            raise Interrupted
        clock: Clock = chain or LocalClock(training.resumed_round or 0)
        if chain is not None:
            chain.ledger.start()
        if siblings is not None:
            # A swarm of three that begins as one would spend its first rounds alone.
            siblings.wait(commands.stop_now, SIBLINGS_TIMEOUT_S)
        return Parts(
            peer_id=self.identity.peer_id,
            config=self.config,
            game=training.game,
            engine=training.engine,
            exchange=net.exchange if net else None,
            clock=clock,
            ledger=chain.ledger if chain else None,
            checkpoints=training.checkpoints,
            evaluate=training.evaluate,
            rss_mib=_rss_mib,
            remembered=remembered,
            doubts=Plausibility(training.engine, training.game, self.config.admission),
            surroundings=self._surroundings(),
        )

    def _surroundings(self) -> Surroundings:
        from core.chain.account import address_of

        chain = self.config.chain
        submits = chain.enabled and chain.coordinator == "wallet"

        def account() -> str:
            return (address_of(self.home.account) or "") if submits else ""

        note = backup_note(self.home, self.identity.peer_id)
        return Surroundings(
            self.home,
            self.config,
            self.emit,
            peer_id=self.identity.peer_id,
            account=account,
            backed_up=note.time if note else None,
        )

    def _start_siblings(
        self, chain: ChainRoom | None, net: NetRoom | None, config: Config
    ) -> Siblings:
        """config: of this node, with its share of the memory, which is also theirs."""

        def settings() -> dict[str, object]:
            given: dict[str, object] = {"swarm.host": False, "swarm.nodes": 1}
            given |= hosting.for_siblings(config)
            given["model.max_ram_gib"] = config.model.max_ram_gib
            given["model.max_vram_gib"] = config.model.max_vram_gib
            if chain is not None:
                rpc_url, contract = chain.address(self.commands.stop_now)
                given |= {"chain.rpc_url": rpc_url, "chain.contract": contract}
            else:
                given["chain.enabled"] = False
            if net is not None:
                given["net.bootnodes"] = [
                    *hosting.own_maddr(config, self.identity.peer_id),
                    *net.addresses(self.commands.stop_now),
                ]
            return given

        siblings = Siblings(self.home, self.effective.profile, self.emit, self._unlocked.passphrase)
        self._closers.append(siblings.stop)
        siblings.start(self.config.swarm.nodes - 1, settings, self.config.training.seed)
        return siblings


def _rss_mib() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss / 2**20)
