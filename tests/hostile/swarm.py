"""A real swarm on loopback with hostile participants: sidecars, streams, game, scorer, gate.

Left out is the model alone: honest rollouts are written here, half of each group right, and what is
chosen to be trained on is looked at instead of trained on. All honest nodes share one process, and
one game with its scorer; every one has its sidecar, its exchange, its gate and its database.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from core import events
from core.gate import admission
from core.gate.gatekeeper import Gatekeeper
from core.gate.remembered import Remembered
from core.home import REPO_ROOT
from core.net.exchange import StreamExchange
from core.net.identity import load_or_create
from core.net.link import LinkOptions, NetLink
from core.net.peers import PeerBook
from core.protocols import Game, Interrupted
from core.rollouts import Rollout, RolloutGroup
from core.schema import AdmissionSection, Config
from core.training.games import load_game
from tests.conftest import wait_until
from tests.hostile.scene import CONFIG

GATHER_TIMEOUT_S = 20.0


def config_with(strikes: float) -> Config:
    """The corpus' rules. strikes: as in the settings; 0 leaves nobody alone."""
    return replace(CONFIG, admission=AdmissionSection(strikes=strikes))


@dataclass
class Played:
    """What one honest node saw of one round. refused: reasons by peer id."""

    seconds: float
    chosen: list[RolloutGroup]
    refused: dict[str, Counter[str]]
    held: set[str] = field(default_factory=set)


class HonestNode:
    """A node's net room and gate, as `core/node.py` and `core/sharing.py` put them together."""

    def __init__(self, folder: Path, swarm: str, bootnodes: Sequence[str], game: Game) -> None:
        folder.mkdir(parents=True)
        self.identity = load_or_create(folder / "swarm.pem")
        self._game, self._folder = game, folder
        book = PeerBook()
        options = LinkOptions(
            self.identity.path, swarm, folder / "net.log", bootnodes=tuple(bootnodes)
        )
        self.link = NetLink(options, contacts=book.contacts)
        self.exchange = StreamExchange(self.link, self.identity, swarm, book=book)
        self.remembered = Remembered(folder / "node.db")
        self._told: list[events.Event] = []
        self.use(config_with(strikes=0))
        self.link.start()

    def use(self, config: Config) -> None:
        """From now on, judge by these settings."""
        self._config = config
        self._gate = Gatekeeper(
            self._game, config, self.identity.peer_id, self.remembered, self._told.append
        )

    def groups(self, round: int) -> list[RolloutGroup]:
        """My rollouts of a round, half of them right; and one group with nothing to learn."""
        made = []
        for slot, task_id in enumerate(self._game.schedule(self.identity.peer_id, round)):
            answer = self._game.task(task_id).answer
            right = self._config.game.generations // 2 if slot else 0
            texts = [f"<answer>{answer if n < right else 'no'}</answer> {n}" for n in range(4)]
            rollouts = tuple(
                Rollout(t, (1,), (-0.5,), True, float(n < right)) for n, t in enumerate(texts)
            )
            made.append(RolloutGroup(task_id, self.identity.peer_id, round, rollouts))
        return made

    def play(self, round: int, stop: threading.Event) -> Played:
        began = time.monotonic()
        self._told.clear()
        own = self.groups(round)
        self._gate.open(round, own)
        self.exchange.publish(round, 0, own)
        gathered = self.exchange.gather(
            round,
            0,
            want=self._config.game.foreign_groups,
            timeout_s=GATHER_TIMEOUT_S,
            stop=stop,
            avoid=self._gate.leaves_alone,
        )
        if stop.is_set():
            raise Interrupted
        admitted, _ = self._gate.judge(round, gathered)

        chosen = admission.select(own, admitted, self._config, random.Random(round))
        refused: dict[str, Counter[str]] = defaultdict(Counter)
        for event in self._told:
            if isinstance(event, events.GroupRejected):
                refused[event.peer_id][event.reason] += 1
        held = {e.peer_id for e in self._told if isinstance(e, events.PeerQuarantined)}
        return Played(time.monotonic() - began, chosen, dict(refused), held)

    def processes(self) -> tuple[int, list[int]]:
        """The process ids of the sidecar and of its libp2p daemon."""
        pid = self.link.pid
        assert pid is not None
        return pid, [child.pid for child in psutil.Process(pid).children(recursive=True)]

    def close(self) -> None:
        self.exchange.close()
        self.link.close()
        self.remembered.close()


class HostileNode:
    """A raider process."""

    def __init__(self, folder: Path, swarm: str, bootnode: str) -> None:
        folder.mkdir(parents=True)
        self._log = (folder / "raider.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.raider", str(folder), swarm, bootnode],
            cwd=REPO_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.folder = folder
        self.peer_id = ""

    def wait_ready(self) -> None:
        assert self._process.stdout is not None
        self.peer_id = self._process.stdout.readline().strip()
        assert self.peer_id, (self.folder / "raider.log").read_text()[-2000:]

    def raid(self, round: int, items: Sequence[str]) -> None:
        """Begin; `wait_out` says when it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"round": round, "items": list(items)}) + "\n")
        self._process.stdin.flush()

    def wait_out(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), (self.folder / "raider.log").read_text()[-2000:]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Swarm:
    """Honest and hostile nodes, connected. A context manager."""

    def __init__(self, folder: Path, honest: int, hostile: int) -> None:
        self._folder, self._counts = folder, (honest, hostile)
        self.game = load_game(CONFIG)
        self.honest: list[HonestNode] = []
        self.hostile: list[HostileNode] = []
        self.stop = threading.Event()

    def __enter__(self) -> Swarm:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        honest, hostile = self._counts
        first = HonestNode(self._folder / "honest-0", "raided", (), self.game)
        self.honest.append(first)
        bootnode = first.link.visible_maddrs(60)[0]
        for number in range(1, honest):
            folder = self._folder / f"honest-{number}"
            self.honest.append(HonestNode(folder, "raided", [bootnode], self.game))
        for number in range(hostile):
            self.hostile.append(HostileNode(self._folder / f"hostile-{number}", "raided", bootnode))
        for raider in self.hostile:
            raider.wait_ready()
        others = honest + hostile - 1
        wait_until(lambda: all(n.link.status.peers >= others for n in self.honest), 90, 0.1)

    def round(self, number: int, orders: Sequence[Sequence[str]]) -> list[Played]:
        """Everybody plays a round; hostile node k does `orders[k]` in it."""
        for raider, order in zip(self.hostile, orders, strict=True):
            raider.raid(number, order)
        with ThreadPoolExecutor(len(self.honest)) as pool:
            played = list(pool.map(lambda node: node.play(number, self.stop), self.honest))
        for raider in self.hostile:
            raider.wait_out()
        return played

    def rss_mib(self) -> dict[str, float]:
        """Resident memory: of this process, and per honest node of sidecar and libp2p daemon."""
        sidecars, daemons = [], []
        for node in self.honest:
            sidecar, below = node.processes()
            sidecars.append(_rss_mib(sidecar))
            daemons.append(sum(map(_rss_mib, below)))
        return {
            "node": _rss_mib(psutil.Process().pid),
            "sidecar": sum(sidecars) / len(sidecars),
            "daemon": sum(daemons) / len(daemons),
        }

    def use(self, strikes: float) -> None:
        for node in self.honest:
            node.use(config_with(strikes))

    def close(self) -> None:
        self.stop.set()
        for node in (*self.hostile, *self.honest):
            node.close()
        self.game.close()


def _rss_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / 2**20)
