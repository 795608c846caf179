"""Every item of the corpus is refused for the reason that stands beside it, and costs little."""

from __future__ import annotations

import dataclasses
import hashlib
import resource
import time

import pytest

from core.gate.admission import REASONS, admit
from core.net import records, wire
from core.net.board import Board
from core.net.identity import Identity
from core.net.peers import describe
from core.protocols import Gathered
from core.rollouts import RolloutGroup
from core.training.games.reasoning import ReasoningGame
from tests.hostile.conftest import ROUND
from tests.hostile.corpus import CANARY, EXPLOITS, corpus
from tests.hostile.scene import CONFIG, Attempt, Item, Scene

LIMITS = wire.Limits()
ITEMS = {f"{item.door}: {item.name}": item for item in corpus()}
MAX_SECONDS = 3.0
MAX_GROWTH_MIB = 64


def refusal(item: Item, attempt: Attempt, scene: Scene, game: ReasoningGame, me: Identity) -> str:
    """The reason with which a node that reads and fetches this refuses it; "" for an admission."""
    if item.door == "record":
        board = Board(scene.swarm, clock=lambda: scene.now + 1)
        kept = board.pin(attempt.record, scene.identity.peer_id)
        notes = board.refused.drain()
        assert (kept, len(board), {who for who, _ in notes}) == (False, 0, {scene.identity.peer_id})
        return notes[0][1]
    try:
        record = records.decode(attempt.record)
    except ValueError:
        return "signature"
    if reason := records.misplaced(record, scene.swarm, scene.round, 0):
        return reason
    if record.size_bytes > LIMITS.max_bytes or record.groups > LIMITS.max_groups:
        return "size"
    groups: tuple[RolloutGroup, ...] = ()
    reason = ""
    try:
        if (len(attempt.payload), hashlib.sha256(attempt.payload).hexdigest()) != (
            record.size_bytes,
            record.digest,
        ):
            raise ValueError("not what the record says")
        groups = wire.decode(
            attempt.payload, peer_id=record.peer_id, round=record.round, limits=LIMITS
        )
        if len(groups) != record.groups:
            raise ValueError("not as many groups as the record says")
    except ValueError:
        reason = "malformed"
    gathered = Gathered(describe(record, scene.now), groups, reason, reason)
    accepted, rejected = admit(
        gathered, game, CONFIG, my_peer_id=me.peer_id, round=scene.round, seen_digests=set()
    )
    assert bool(accepted) != bool(rejected)
    return rejected[0].reason if rejected else ""


@pytest.mark.parametrize("name", ITEMS)
def test_a_hostile_contribution_is_refused_for_its_reason(
    name: str,
    scene: Scene,
    game: ReasoningGame,
    identities: tuple[Identity, Identity, Identity],
) -> None:
    item: Item = ITEMS[name]
    attempt = item.make(scene)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    assert refusal(item, attempt, scene, game, identities[0]) == item.reason
    assert time.monotonic() - began < MAX_SECONDS
    assert not CANARY.exists()
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < MAX_GROWTH_MIB


def test_what_the_scene_makes_by_itself_is_admitted(
    scene: Scene, game: ReasoningGame, identities: tuple[Identity, Identity, Identity]
) -> None:
    """So an item fails for what is wrong with it and for nothing else."""
    payload = wire.encode([scene.group()])
    record = records.encode(scene.record(payload), scene.identity)
    good = Item("", "groups", "", lambda scene: Attempt(b"", b""))
    assert refusal(good, Attempt(record, payload), scene, game, identities[0]) == ""
    victims = dataclasses.replace(scene, identity=scene.victim)
    payload = wire.encode(scene.victim_groups)
    record = records.encode(victims.record(payload), scene.victim)
    assert refusal(good, Attempt(record, payload), victims, game, identities[0]) == ""


def test_the_corpus_is_what_it_says() -> None:
    assert len(ITEMS) == len(corpus()) > 80
    assert {item.reason for item in corpus()} <= set(REASONS)
    assert {item.door for item in corpus()} == {"record", "told", "payload", "groups"}
    assert len(EXPLOITS) > 5
    assert ROUND > 1
