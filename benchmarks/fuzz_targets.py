"""What foreign bytes reach first, as functions of bytes, with inputs that are almost right.

A target takes any bytes and either returns or raises one of its `refusals`; whatever else it does
is a finding. Seeds are made by the real encoders, plus the hostile corpus of the tests. Nothing
here is a process or a socket but the scorer's, which the admission asks.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgpack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core import frames
from core.errors import WaggleError
from core.gate.admission import REASONS, admit
from core.net import asking, genrl, messages, records, shards, unsigned, wire
from core.net.board import Board
from core.net.identity import load_or_create, peer_id_of
from core.net.peers import describe
from core.protocols import Gathered
from core.rollouts import Rollout, RolloutGroup, TaskId
from core.schema import Config
from core.swarm import invite
from core.training.games import load_game
from tests.hostile.corpus import corpus
from tests.hostile.scene import CONFIG, Scene

ROUND, ME = 12, "QmMe"


@dataclass(frozen=True)
class Target:
    """refusals: the exceptions that are an answer.

    What `run` returns says which way the input went, if it is a list or a frozenset.
    """

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    refusals: tuple[type[Exception], ...] = (ValueError,)


SHARES = {
    "records.decode": 0.14,
    "wire.decode": 0.16,
    "unsigned.parse_dictionary": 0.1,
    "messages.decode": 0.1,
    "frames.read": 0.06,
    "asking.decode_records": 0.06,
    "board.answer": 0.1,
    "genrl.decode": 0.1,
    "invite.decode": 0.08,
    "admission.admit": 0.1,
}
"""Of the inputs of a run over all targets."""


def make(name: str) -> Target:
    """One of them. The scorer that the admission asks ends with this process."""
    scene = _scene()
    attempts = [item.make(scene) for item in corpus()]
    payloads = [wire.encode([scene.group(slot) for slot in range(n)]) for n in (0, 1, 3)]
    payloads += [a.payload for a in attempts if len(a.payload) < 4_096]
    signed = [records.encode(scene.record(p), scene.identity) for p in payloads[:3]]
    signed += [a.record for a in attempts]
    makers: dict[str, Callable[[], Target]] = {
        "records.decode": lambda: Target(records.decode.__wrapped__, tuple(signed)),
        "wire.decode": lambda: Target(
            lambda data: wire.decode(data, peer_id="QmPeer", round=ROUND), tuple(payloads)
        ),
        "unsigned.parse_dictionary": lambda: Target(
            unsigned.parse_dictionary, _dictionaries(signed), ()
        ),
        "messages.decode": lambda: Target(messages.decode, _messages(signed[0], payloads[1])),
        "frames.read": lambda: Target(
            lambda data: frames.read(io.BytesIO(data)),
            tuple(frames.encode([n, "x", {"y": [1.5, None]}]) for n in range(3)),
            (ValueError, EOFError),
        ),
        "asking.decode_records": lambda: Target(asking.decode_records, _answers(signed)),
        "board.answer": lambda: Target(_board(scene, signed[0]), _questions(signed)),
        "genrl.decode": lambda: Target(genrl.decode, _genrl()),
        "invite.decode": lambda: Target(_open_invite, _invites(), (WaggleError,)),
        "admission.admit": lambda: Target(_admission(scene), _contributions(scene, payloads)),
    }
    return makers[name]()


@cache
def _scene() -> Scene:
    folder = Path(tempfile.mkdtemp(prefix="waggle-fuzz-"))
    hostile, victim = (load_or_create(folder / f"{n}.pem") for n in "ab")
    game = load_game(CONFIG)
    task = game.task(game.schedule(victim.peer_id, ROUND)[0])
    group = RolloutGroup(task.id, victim.peer_id, ROUND, (Rollout("x"),) * 4)
    return Scene(hostile, "test", game, 4, ROUND, victim, (group,))


def _dictionaries(signed: list[bytes]) -> tuple[bytes, ...]:
    def dictionary(entries: list[Any]) -> bytes:
        body = msgpack.packb([None, 9e9, entries], use_bin_type=True)
        data: bytes = msgpack.packb(msgpack.ExtType(0x50, body))
        return data

    entries = [["Qm" + "a" * 44, msgpack.packb(value), 9e9] for value in signed[:6]]
    return tuple(dictionary(entries[:n]) for n in (0, 1, 6)) + tuple(signed[-6:])


def _messages(record: bytes, payload: bytes) -> tuple[bytes, ...]:
    said = [
        messages.Publish(record, payload),
        messages.Fetched(payload, 1.5),
        messages.Records((record, record), 3, b"x" * 20, 4, (("QmA", "signature"),)),
        messages.Connect(("/ip4/127.0.0.1/tcp/1", "/ip4/1.1.1.1/udp/2/quic-v1")),
        messages.Failed("why"),
    ]
    return tuple(messages.encode(message, n) for n, message in enumerate(said))


def _answers(signed: list[bytes]) -> tuple[bytes, ...]:
    return tuple(asking.encode_records(signed[:n]) for n in (0, 1, 8))


def _questions(signed: list[bytes]) -> tuple[bytes, ...]:
    shard = shards.Shard(2**150, 2)
    tags = [asking.tag(value) for value in signed]
    return (
        *(asking.encode_keep(value) for value in signed[:4]),
        asking.encode_look(ROUND, 0, shard, []),
        asking.encode_look(ROUND, 0, shards.Shard(0, 0), tags[:5]),
    )


def _board(scene: Scene, good: bytes) -> Callable[[bytes], object]:
    """A board with one record of everybody's on it, asked by the hostile peer."""
    board = Board("test", clock=lambda: scene.now + 1)
    assert board.pin(good, scene.identity.peer_id)

    def run(data: bytes) -> object:
        answer = board.answer(data, scene.identity.peer_id)
        assert len(answer) <= asking.MAX_ANSWER_BYTES
        assert len(board) <= 6
        return answer

    return run


def _genrl() -> tuple[bytes, ...]:
    said = [
        genrl.Said(f"What is {n}?", "42", {"source_dataset": "chain_sum"}, ("a", "<answer>1"))
        for n in range(3)
    ]
    return tuple(genrl.encode(said[:n]) for n in (0, 1, 3))


def _invites() -> tuple[bytes, ...]:
    """The msgpack inside of two invites, and one whole."""
    made = [_invite("x"), _invite("name: tiny\n" * 100)]
    texts = [invite.encode(each, b"key", lambda data: b"signed") for each in made]
    packed = [base64.urlsafe_b64decode(t.removeprefix(invite.SCHEME) + "==") for t in texts]
    return (*(zlib.decompress(data) for data in packed), texts[0].encode())


def _invite(tasks: str) -> invite.Invite:
    bootnode = "/ip4/127.0.0.1/tcp/4001/p2p/Qm" + "a" * 44
    settings = {name: value for name, value in _settings().items() if name in invite.AGREED}
    return invite.Invite(
        *("test", "http://127.0.0.1:8545", "0x" + "a" * 40, 1337, (bootnode,), tasks, settings),
        *("0" * 64, "0.1.23", "1.0", 1_700_000_000, 1_800_000_000, "QmOwner"),
    )


def _settings() -> dict[str, Any]:
    """The defaults by their dotted names."""
    config = Config()
    return {
        f"{section.name}.{setting.name}": getattr(getattr(config, section.name), setting.name)
        for section in fields(config)
        for setting in fields(getattr(config, section.name))
    }


def _open_invite(data: bytes) -> object:
    """A whole text as it is; anything else packed and armoured first, with any signature good."""
    if data.startswith(b"waggle://"):
        text = data.decode("latin-1")
    else:
        text = invite.SCHEME + base64.urlsafe_b64encode(zlib.compress(data, 1)).decode().rstrip("=")
    return invite.decode(text, lambda key, signature, signed: True, peer_id_of)


# --- admission --------------------------------------------------------------------------------


def _contributions(scene: Scene, payloads: list[bytes]) -> tuple[bytes, ...]:
    """A payload behind a 0; or behind a 1 the fields of groups as no decoder would pass them."""

    def fields(group: RolloutGroup) -> list[Any]:
        task = [group.task.dataset, group.task.seed, group.task.index]
        rollouts = [[r.text, [1], list(r.logprobs), r.finished, 1.0] for r in group.rollouts]
        return [task, group.peer_id, group.round, rollouts]

    groups = [scene.group(slot) for slot in range(3)]
    odd = [
        replace(groups[0], round=True),
        replace(groups[1], peer_id=scene.victim.peer_id),
        replace(groups[2], rollouts=groups[2].rollouts[:1]),
    ]
    free = [msgpack.packb([fields(g) for g in some]) for some in (groups, groups[:1], odd)]
    return (*(b"\0" + p for p in payloads), *(b"\1" + f for f in free))


def _admission(scene: Scene) -> Callable[[bytes], object]:
    peer_id, game = scene.identity.peer_id, scene.game
    record = describe(scene.record(b"x"), time.time())
    schedule = frozenset(game.schedule(peer_id, ROUND))

    def run(data: bytes) -> object:
        if data[:1] == b"\0":
            groups = wire.decode(data[1:], peer_id=peer_id, round=ROUND)
        else:
            groups = _groups_of(data[1:])
        accepted, rejected = admit(
            Gathered(record, groups), game, CONFIG, my_peer_id=ME, round=ROUND, seen_digests=()
        )
        assert len(accepted) <= CONFIG.game.groups_per_peer
        assert len(rejected) <= CONFIG.game.groups + 1
        assert all(each.reason in REASONS and len(each.detail) <= 300 for each in rejected)
        for group in accepted:
            assert (group.peer_id, group.round) == (peer_id, ROUND)
            assert group.task in schedule
            assert group.carries_signal
        return frozenset({each.reason for each in rejected} | {str(len(accepted))})

    return run


def _groups_of(data: bytes) -> tuple[RolloutGroup, ...]:
    """Whatever msgpack gives, where the fields of groups belong; types and all."""
    try:
        listed = msgpack.unpackb(data, strict_map_key=False, ext_hook=msgpack.ExtType)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ValueError("not msgpack") from error
    if not isinstance(listed, list):
        raise ValueError("not a list")
    return tuple(_group_of(each) for each in listed[:64])


def _group_of(fields: Any) -> RolloutGroup:
    task, peer_id, round, rollouts = _padded(fields, 4)
    if isinstance(task, list) and len(task) == 3:
        task = TaskId(*task)
    several = rollouts if isinstance(rollouts, list) else []
    return RolloutGroup(task, peer_id, round, tuple(_rollout_of(each) for each in several))


def _rollout_of(fields: Any) -> Rollout:
    text, token_ids, logprobs, finished, reward = _padded(fields, 5)
    some = tuple(logprobs) if isinstance(logprobs, list) else ()
    ids = tuple(token_ids) if isinstance(token_ids, list) else ()
    return Rollout(text, ids, some, finished, reward)


def _padded(fields: Any, count: int) -> list[Any]:
    listed = fields if isinstance(fields, list) else [fields]
    return [*listed, *[None] * count][:count]
