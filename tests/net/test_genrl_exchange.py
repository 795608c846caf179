"""Waggle nodes and a stock hivemind node in one DHT, exchanging what GenRL nodes exchange.

The stranger holds and hands out whatever it likes, as a GenRL node does. (A genuine GenRL node is
in `benchmarks/genrl.py`, see `test_genrl_genuine.py`.)
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import msgpack
import pytest

from core.errors import TransientError
from core.gate import admission, quarantine
from core.home import REPO_ROOT
from core.net import genrl
from core.net.both import BothExchange
from core.net.exchange import StreamExchange
from core.net.genrl_exchange import GenrlExchange
from core.net.genrl_messages import HearGenrl, TellGenrl
from core.net.identity import load_or_create
from core.net.link import LinkOptions, NetLink
from core.protocols import Gathered
from core.rollouts import Rollout, RolloutGroup, TaskId
from core.schema import Config, GameSection
from core.training import tasks
from core.training.games import load_game
from core.training.games.originals import known_questions
from core.training.games.reasoning import ReasoningGame
from core.training.scoring import Scorer
from tests.conftest import wait_until

TASK = TaskId("calendar_arithmetic", 1237, 5)
OTHER = TaskId("base_conversion", 1239, 8)
VICTIM = "QmVictimVictimVictimVictimVictimVictimVictimVi"
numbers = count(10, 10)
"""Rounds, far enough apart that no test reads what another wrote."""


@dataclass
class Waggle:
    """One node's net room in a swarm with GenRL nodes."""

    link: NetLink
    exchange: BothExchange
    genrl: GenrlExchange

    @property
    def peer_id(self) -> str:
        return self.exchange.peer_id

    def gather(self, round: int, exchange: Any = None, timeout_s: float = 8.0) -> list[Gathered]:
        return (exchange or self.exchange).gather(
            round, 0, want=0, timeout_s=timeout_s, stop=threading.Event()
        )


class Stranger:
    """The process of `genrl_stranger`."""

    def __init__(self, maddr: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.net.genrl_stranger", maddr],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPO_ROOT,
        )
        self.peer_id: str = self._read()

    def ask(self, **fields: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields) + "\n")
        self._process.stdin.flush()
        return self._read()

    def put(self, round: int, value: bytes, peer_id: str = "", life_s: float = 600) -> None:
        """Where hivemind puts it; that is at least where this node's own values are held."""
        self.ask(put=[[peer_id, value.hex(), life_s]], round=round)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="module")
def game() -> ReasoningGame:
    config = Config(game=GameSection(tasks="genrl", groups=4, generations=2))
    return ReasoningGame(config, Scorer({}, 500), tasks.load("genrl"))


@pytest.fixture(scope="module")
def swarm(
    tmp_path_factory: pytest.TempPathFactory, game: ReasoningGame
) -> Iterator[tuple[Waggle, Waggle, Stranger]]:
    """Two Waggle nodes and a stranger, all connected."""
    nodes: list[Waggle] = []
    for number in (1, 2):
        folder = tmp_path_factory.mktemp(f"node-{number}")
        bootnodes = tuple(m for node in nodes for m in node.link.visible_maddrs())
        nodes.append(make_waggle(folder, game, bootnodes))
    stranger = Stranger(nodes[0].link.visible_maddrs()[0])
    wait_until(lambda: all(node.link.status.peers == 2 for node in nodes), 30)
    yield nodes[0], nodes[1], stranger
    stranger.close()
    for node in nodes:
        node.exchange.close()
        node.link.close()


def make_waggle(folder: Path, game: ReasoningGame, bootnodes: tuple[str, ...]) -> Waggle:
    identity = load_or_create(folder / "swarm.pem")
    link = NetLink(
        LinkOptions(identity.path, "test", folder / "net.log", bootnodes=bootnodes, genrl=True)
    )
    link.start()
    beside = GenrlExchange(link, identity.peer_id, game)
    return Waggle(link, BothExchange(StreamExchange(link, identity, "test"), beside), beside)


def value_of(game: ReasoningGame, *tasks: TaskId, actions: tuple[str, ...] = ("a", "b")) -> bytes:
    said = []
    for task in tasks:
        told = game.entry(task)
        said.append(genrl.Said(told.question, told.answer, told.metadata, actions))
    return genrl.encode(said)


def own(task: TaskId, *texts: str) -> RolloutGroup:
    """One of my groups, scored: the first completion is right."""
    rollouts = tuple(
        Rollout(text, (1,), (-1.0,), True, float(not i)) for i, text in enumerate(texts)
    )
    return RolloutGroup(task, "", 0, rollouts)


def test_each_hears_the_other(swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame) -> None:
    waggle, _, stranger = swarm
    round = next(numbers)
    waggle.exchange.publish(round, 0, [own(TASK, "é <answer>1</answer>", "2")])
    heard = wait_until(lambda: stranger.ask(get=round), 10)
    value = bytes.fromhex(heard[waggle.peer_id])
    task = game.task(TASK)
    (payload,) = msgpack.unpackb(value)[genrl.batch_id(task.question)]
    assert payload["actions"] == ["é <answer>1</answer>", "2"]
    environment = payload["world_state"]["environment_states"]
    assert (environment["question"], environment["answer"]) == (task.question, task.answer)
    assert environment["metadata"]["source_dataset"] == TASK.dataset

    stranger.put(round, value_of(game, TASK, OTHER))
    (got,) = waggle.gather(round)
    assert (got.record.peer_id, got.record.signed) == (stranger.peer_id, False)
    assert [group.task for group in got.groups] == [TASK, OTHER]
    assert all(g.round == round and g.peer_id == stranger.peer_id for g in got.groups)
    assert [rollout.text for rollout in got.groups[0].rollouts] == ["a", "b"]
    assert [record.peer_id for record in waggle.genrl.peers()] == [stranger.peer_id]


def test_a_broken_value_hides_no_other(
    swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame
) -> None:
    waggle, _, stranger = swarm
    round = next(numbers)
    stranger.put(round, value_of(game, TASK))
    stranger.put(round, b"\xc1 no payload", VICTIM)
    found = {g.record.peer_id: g for g in waggle.gather(round)}
    assert found[VICTIM].reason == "malformed"
    assert not found[VICTIM].groups
    assert [group.task for group in found[stranger.peer_id].groups] == [TASK]


def test_a_newer_broken_value_does_not_replace_a_good_one(
    swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame
) -> None:
    waggle, _, stranger = swarm
    round = next(numbers)
    waggle.link.call(HearGenrl(round), 5)  # it now knows which round is played
    stranger.put(round, value_of(game, TASK), VICTIM, 500)
    stranger.put(round, b"\x80 but then something else", VICTIM, 600)
    (got,) = waggle.gather(round)
    assert (got.record.peer_id, got.reason) == (VICTIM, "")
    assert [group.task for group in got.groups] == [TASK]


def test_an_unknown_question_is_refused_for_itself(
    swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame
) -> None:
    waggle, _, stranger = swarm
    round = next(numbers)
    told = game.entry(TASK)
    unknown = genrl.Said("Is this known?", "yes", told.metadata, ("yes", "no"))
    known = genrl.Said(told.question, "a wrong truth", {"source_dataset": "bf"}, ("yes", "no"))
    stranger.put(round, genrl.encode([unknown, known]))
    (got,) = waggle.gather(round)
    assert [(r.task, r.reason) for r in got.refused] == [(genrl.batch_id(unknown.question), "task")]
    assert [group.task for group in got.groups] == [TASK]


def test_a_question_kept_for_evaluation_is_no_fault_of_the_peer(
    swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame
) -> None:
    waggle, _, stranger = swarm
    round = next(numbers)
    kept = next(t for t in known_questions(game.task_set).values() if game.is_held_out(t))
    stranger.put(round, value_of(game, kept, TASK))
    (got,) = waggle.gather(round)
    assert [(r.task, r.reason) for r in got.refused] == [(str(kept), "held_out")]
    assert "held_out" in admission.REASONS
    assert "held_out" not in quarantine.WEIGHTS
    assert [group.task for group in got.groups] == [TASK]


def test_what_a_waggle_node_keeps_for_strangers(
    swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame
) -> None:
    waggle, _, stranger = swarm
    round = next(numbers)
    waggle.link.call(HearGenrl(round), 5)
    good = msgpack.packb(value_of(game, TASK))
    key, subkey = str(round), msgpack.packb(VICTIM)
    large = genrl.encode([genrl.Said("q", "a", {"x": "x" * 66_000}, ("a", "b"))])
    attempts = {
        "good": (key, subkey, good, 600),
        "next round": (str(round + 1), subkey, good, 600),
        "another round": (str(round + 7), subkey, good, 600),
        "another key": ("proposer", subkey, good, 600),
        "for a day": (key, subkey, good, 86_400),
        "for ever": (key, subkey, good, math.inf),
        "no peer id": (key, msgpack.packb("victim"), good, 600),
        "bytes as peer id": (key, msgpack.packb(VICTIM.encode()), good, 600),
        "regular value": (key, msgpack.packb(None), good, 600),
        "0xc1": (key, subkey, b"\xc1", 600),
        "empty": (key, subkey, b"", 600),
        "a list": (key, subkey, msgpack.packb([1]), 600),
        "no payload": (key, subkey, msgpack.packb(b"\xc1"), 600),
        "large": (key, subkey, msgpack.packb(large), 600),
    }
    raw = [[k, s.hex(), v.hex(), life_s] for k, s, v, life_s in attempts.values()]
    kept = dict(zip(attempts, stranger.ask(raw=raw), strict=True))
    assert [name for name, was_kept in kept.items() if was_kept] == ["good", "next round"]


def test_a_round_has_room_and_no_more(
    swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame
) -> None:
    waggle, _, stranger = swarm
    round = next(numbers)
    waggle.link.call(HearGenrl(round), 5)
    value = genrl.encode([genrl.Said("q", "a", {"x": "x" * 60_000}, ("a", "b"))])
    raw = [
        [str(r), msgpack.packb(VICTIM[:-1] + end).hex(), msgpack.packb(value).hex(), 600]
        for r in (round, round - 1)
        for end in "123456789A"
    ]
    assert stranger.ask(raw=raw) == 2 * ([True] * 8 + [False] * 2)
    raw[0][-1] = 601  # who is there may still say something newer
    assert stranger.ask(raw=raw[:1]) == [True]


def test_who_signs_is_heard_once_and_signed(
    swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame
) -> None:
    one, two, stranger = swarm
    round = next(numbers)
    for node in (one, two):
        node.exchange.publish(round, 0, [own(TASK, node.peer_id, "2")])
    stranger.put(round, value_of(game, OTHER), two.peer_id, 610)
    wait_until(lambda: {one.peer_id, two.peer_id} <= set(stranger.ask(get=round)), 10)
    unsigned = {g.record.peer_id for g in one.gather(round, one.genrl)}
    assert two.peer_id in unsigned
    (got,) = one.gather(round)
    assert (got.record.peer_id, got.record.signed) == (two.peer_id, True)
    assert [group.task for group in got.groups] == [TASK]
    stranger.put(round + 1, value_of(game, OTHER), two.peer_id)
    assert one.gather(round + 1, timeout_s=3) == [], "it signed a round ago"


def test_another_sidecar_tells_it_again(swarm: tuple[Waggle, Waggle, Stranger]) -> None:
    other, waggle, _ = swarm
    round = next(numbers)
    waggle.exchange.publish(round, 0, [own(TASK, "yes", "no")])
    restarts = waggle.link.status.restarts
    assert waggle.link.pid is not None
    os.kill(waggle.link.pid, signal.SIGKILL)
    wait_until(lambda: waggle.link.status.restarts > restarts, 10)
    wait_until(lambda: waggle.link.status.status == "up" and waggle.link.status.peers > 0, 30)
    waggle.gather(round, waggle.genrl)
    assert waggle.peer_id in {g.record.peer_id for g in other.gather(round, other.genrl)}


def test_my_value_holds_what_there_is_to_learn_from(
    swarm: tuple[Waggle, Waggle, Stranger], game: ReasoningGame
) -> None:
    waggle, _, stranger = swarm
    round = next(numbers)
    same = [
        RolloutGroup(TaskId("bf", 7, i), "", 0, (Rollout("x" * 2_000, reward=0.0),) * 2)
        for i in range(8)
    ]
    telling = own(TASK, "yes " * 500, "no " * 500)
    waggle.exchange.publish(round, 0, [*same, telling])
    value = wait_until(lambda: stranger.ask(get=round).get(waggle.peer_id), 10)
    heard = genrl.decode(bytes.fromhex(value))
    assert len(value) // 2 <= genrl.OWN_BYTES
    assert 1 < len(heard) < 9
    assert heard[0].batch_id == genrl.batch_id(game.task(TASK).question)


def test_without_the_setting_nothing_is_kept_or_told(tmp_path: Path, game: ReasoningGame) -> None:
    identity = load_or_create(tmp_path / "swarm.pem")
    link = NetLink(LinkOptions(identity.path, "test", tmp_path / "net.log"))
    link.start()
    stranger = Stranger(link.visible_maddrs()[0])
    try:
        with pytest.raises(TransientError, match=r"swarm\.genrl is off"):
            link.call(TellGenrl(3, value_of(game, TASK)), 5)
        good = msgpack.packb(value_of(game, TASK)).hex()
        assert stranger.ask(raw=[["3", msgpack.packb(VICTIM).hex(), good, 600]]) == [False]
    finally:
        stranger.close()
        link.close()


def test_admission_takes_an_unsigned_group_on_its_own_terms(
    swarm: tuple[Waggle, Waggle, Stranger],
) -> None:
    """The task is what the digest names, scored here, within the quota of the unsigned."""
    waggle, _, stranger = swarm
    round = next(numbers)
    config = Config(game=GameSection(tasks="genrl", groups=4, generations=2))
    real = load_game(config)
    try:
        lies = [
            genrl.Said(
                t.question, "5", {"source_dataset": "bf"}, (f"<answer>{t.answer}</answer>", "")
            )
            for t in (real.task(TASK), real.task(OTHER))
        ]
        stranger.put(round, genrl.encode(lies))
        (gathered,) = waggle.gather(round)
        admitted, rejected = admission.admit(
            gathered, real, config, my_peer_id=waggle.peer_id, round=round, seen_digests=()
        )
        assert [(g.task, g.rewards) for g in admitted] == [(TASK, (1.0, 0.0))]
        assert [r.reason for r in rejected] == ["quota"]
    finally:
        real.close()
