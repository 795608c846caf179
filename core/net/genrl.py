"""GenRL's wire format: what a node of GenRL 0.3.0 stores for a round, and reads of others.

DHT key `str(round)`, subkey the peer id, value msgpack with str and bin kept apart:

    {batch id: [{"__type__": "Payload",
                 "world_state": {"__type__": "WorldState",
                                 "environment_states": {"question", "answer", "metadata"},
                                 "opponent_states": nil, "personal_states": nil},
                 "actions": [completion, ...], "metadata": nil}]}

A batch id is the hex MD5 of the question. (Up to GenRL 0.1.11 it was an integer, in another
serialisation; neither is spoken here.) Nothing in such a value is signed.

Decoding walks the bytes: batch ids, questions and completions become objects, everything else is
skipped where it lies, so no value can cost more than its own size. The peer's answer and metadata
are among what is skipped. Pure: bytes in, dataclasses out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

LIFE_S = 600.0
"""How long the original lets a value live."""
BEAM_SIZE = 50
"""How many nodes the original looks at to find where a key lies (rg-swarm.yaml)."""
OWN_BYTES = 15 * 1024
"""Of my own value. More than 16 KiB no node of the original can send, and everybody reads
everybody's: a key breaks for all when its values together exceed 4 MiB."""

_MAP_HEAD_BYTES = 3
_BATCH_ID = re.compile(r"[0-9a-f]{32}")
_PEER_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,64}")
_PAYLOAD = frozenset({"world_state", "actions", "metadata"})
_WORLD = frozenset({"environment_states", "opponent_states", "personal_states"})


@dataclass(frozen=True)
class Limits:
    """What a reader is willing to hold of one peer's value. Texts are counted in UTF-8 bytes."""

    max_bytes: int = 64 * 1024
    max_groups: int = 64
    max_nodes: int = 4
    """Payloads under one batch id; a game of one stage has one."""
    max_actions: int = 64
    max_text_bytes: int = 32 * 1024
    max_fields: int = 64
    """Entries of one map of those that are looked into."""


@dataclass(frozen=True)
class Said:
    """One of my groups as it is told: metadata must name its `source_dataset`, by which a node
    of the original finds its scorer, and hold plain values only."""

    question: str
    answer: str
    metadata: Mapping[str, Any]
    actions: Sequence[str]


@dataclass(frozen=True)
class Heard:
    """What of a peer's payload is looked at: the question by its digest, and the completions."""

    batch_id: str
    actions: tuple[str, ...]


def batch_id(question: str) -> str:
    """The name of a question: its hex MD5. Not a protection, MD5 is what the original takes."""
    return hashlib.md5(question.encode(), usedforsecurity=False).hexdigest()


def round_key(round: int) -> str:
    """The DHT key of a round; as text, for a DHT hashes text and bytes to different places."""
    return str(round)


def is_peer_id(text: object) -> bool:
    return type(text) is str and bool(_PEER_ID.fullmatch(text))


def encode(groups: Sequence[Said]) -> bytes:
    """The value, byte for byte as GenRL's own serialiser makes it; ValueError for what is not
    plain or not Unicode."""
    value: dict[str, list[dict[str, Any]]] = {}
    for group in groups:
        value.setdefault(batch_id(group.question), []).append(_payload(group))
    try:
        packed: bytes = msgpack.packb(value, use_bin_type=True)
    except (TypeError, OverflowError, UnicodeError) as error:
        raise ValueError(f"cannot be told in msgpack: {error}") from error
    return packed


def encode_within(groups: Sequence[Said], max_bytes: int = OWN_BYTES) -> tuple[bytes, int]:
    """The value of the groups, in their order, that fit into `max_bytes`; and how many those are.

    A group that does not fit is passed over for smaller ones behind it.
    """
    chosen: list[Said] = []
    left = max_bytes - _MAP_HEAD_BYTES
    for group in groups:
        size = len(encode([group])) - 1
        if size <= left and len(chosen) < Limits().max_groups:
            chosen.append(group)
            left -= size
    return encode(chosen), len(chosen)


def decode(value: bytes, limits: Limits | None = None) -> tuple[Heard, ...]:
    """The groups in a peer's value, in its order; ValueError for anything that is off."""
    limits = limits or Limits()
    if len(value) > limits.max_bytes:
        raise ValueError(f"value of {len(value)} bytes is larger than {limits.max_bytes}")
    reader = _Reader(value, limits)
    try:
        heard = reader.value()
    except (msgpack.UnpackException, RecursionError) as error:
        raise ValueError(f"not msgpack of a payload: {type(error).__name__}") from error
    if not reader.at_end:
        raise ValueError("something follows the value")
    return heard


def _payload(group: Said) -> dict[str, Any]:
    environment = {
        "question": group.question,
        "answer": group.answer,
        "metadata": dict(group.metadata),
    }
    world = {
        "__type__": "WorldState",
        "environment_states": environment,
        "opponent_states": None,
        "personal_states": None,
    }
    return {
        "__type__": "Payload",
        "world_state": world,
        "actions": list(group.actions),
        "metadata": None,
    }


class _Reader:
    """One walk over one value. Raises ValueError or msgpack's own exceptions."""

    def __init__(self, value: bytes, limits: Limits) -> None:
        self._size, self._limits = len(value), limits
        # a leaf is unpacked as what it is; where a container stands instead, these refuse it
        self._unpacker = msgpack.Unpacker(
            raw=False,
            max_buffer_size=max(1, len(value)),
            max_str_len=limits.max_text_bytes,
            max_bin_len=0,
            max_array_len=0,
            max_map_len=0,
            max_ext_len=0,
        )
        self._unpacker.feed(value)

    @property
    def at_end(self) -> bool:
        return bool(self._unpacker.tell() == self._size)

    def value(self) -> tuple[Heard, ...]:
        heard: list[Heard] = []
        names: set[str] = set()
        for _ in range(self._map(self._limits.max_groups)):
            name = self._text()
            if not _BATCH_ID.fullmatch(name) or name in names:
                raise ValueError("a batch id is malformed or comes twice")
            names.add(name)
            for _ in range(self._array(self._limits.max_nodes)):
                heard.append(self._one_payload(name))
        return tuple(heard)

    def _one_payload(self, name: str) -> Heard:
        found = self._object(
            "Payload", _PAYLOAD, {"actions": self._actions, "world_state": self._world}
        )
        if "actions" not in found or "world_state" not in found:
            raise ValueError("a payload without actions or world state")
        if batch_id(found["world_state"]) != name:
            raise ValueError("a batch id is not the digest of its question")
        return Heard(name, found["actions"])

    def _world(self) -> str:
        """The question."""
        found = self._object("WorldState", _WORLD, {"environment_states": self._environment})
        if "environment_states" not in found:
            raise ValueError("a world state without an environment")
        question: str = found["environment_states"]
        return question

    def _environment(self) -> str:
        found = self._fields({"question": self._text})
        if "question" not in found:
            raise ValueError("an environment without a question")
        question: str = found["question"]
        return question

    def _actions(self) -> tuple[str, ...]:
        return tuple(self._text() for _ in range(self._array(self._limits.max_actions)))

    def _object(
        self, kind: str, known: frozenset[str], wanted: dict[str, Callable[[], Any]]
    ) -> dict[str, Any]:
        """The wanted fields of a dataclass of the original, which takes no others than its own."""
        found = self._fields({"__type__": self._text, **wanted}, known | {"__type__"})
        if found.get("__type__") != kind:
            raise ValueError(f"not a {kind}")
        return found

    def _fields(
        self, wanted: dict[str, Callable[[], Any]], known: frozenset[str] | None = None
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        seen: set[str] = set()
        for _ in range(self._map(self._limits.max_fields)):
            name = self._text()
            if name in seen or (known is not None and name not in known):
                raise ValueError("a field is unknown or comes twice")
            seen.add(name)
            if name in wanted:
                found[name] = wanted[name]()
            else:
                self._unpacker.skip()
        return found

    def _text(self) -> str:
        text = self._unpacker.unpack()
        if type(text) is not str:
            raise ValueError("something else where a text belongs")
        return text

    def _map(self, most: int) -> int:
        return _bounded(self._unpacker.read_map_header(), most)

    def _array(self, most: int) -> int:
        return _bounded(self._unpacker.read_array_header(), most)


def _bounded(count: int, most: int) -> int:
    if count > most:
        raise ValueError(f"{count} entries where {most} are allowed")
    return count
