"""What the node and its net sidecar say to one another: one frozen dataclass per message.

A frame's body is msgpack `[VERSION, kind, number, fields]`. The node speaks first, with `Start`;
then it sends requests, each answered under its number with its `ANSWER` or with `Failed`; the
sidecar sends notices under number 0. A message of another version is refused in words, one larger
than its kind may be is refused before it is decoded. A new request is two classes here (or in the
file of whoever needs it) and a handler, see `handlers.py`. Knows bytes, not pipes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgpack

from core.net.packing import AtMost, Range, from_fields, to_fields

VERSION = 3
MAX_NUMBER = 2**53
MAX_KIND_CHARS = 64
MAX_MADDR_CHARS, MAX_MADDRS = 400, 512

A = TypeVar("A", bound="Message")

Text = Annotated[str, AtMost(600)]
Name = Annotated[str, AtMost(64)]
Path = Annotated[str, AtMost(4_096)]
Maddr = Annotated[str, AtMost(MAX_MADDR_CHARS)]
Maddrs = Annotated[tuple[Maddr, ...], AtMost(MAX_MADDRS)]
RecordBytes = Annotated[bytes, AtMost(4_096)]
Payload = Annotated[bytes, AtMost(33 * 2**20)]
Count = Annotated[int, Range(0, 2**53)]
Seconds = Annotated[float, Range(0, 86_400)]


class VersionError(ValueError):
    """The other side is another release of Waggle. theirs: the version it speaks."""

    def __init__(self, theirs: object) -> None:
        super().__init__(f"it speaks version {theirs!s:.20} of these messages, this is {VERSION}")
        self.theirs = theirs


class Message:
    """Base of all. MAX_BYTES: of the whole frame body."""

    MAX_BYTES: ClassVar[int] = 64 * 2**10

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not abstract and KINDS.setdefault(cls.__name__, cls).__qualname__ != cls.__qualname__:
            raise TypeError(f"two messages are called {cls.__name__}")


KINDS: dict[str, type[Message]] = {}


class Request(Message, Generic[A], abstract=True):
    """Something to do, answered with ANSWER or `Failed`."""

    ANSWER: ClassVar[type[Message]] = Message

    def __init_subclass__(cls, *, answer: type[Message] = Message, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.ANSWER = answer


# --- from the node ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Start(Message):
    """The first message. maddrs: those of the sidecar before, whose port is wanted again.

    contacts: multiaddrs of peers met before, the latest last. genrl: see `dht.Options`.
    """

    MAX_BYTES = 2**20
    identity: Path
    swarm: Name
    listen: Maddr
    announce: Maddrs
    bootnodes: Maddrs
    contacts: Maddrs
    maddrs: Maddrs
    genrl: bool = False
    client_mode: bool = False
    relay: Name = "auto"
    nat_port_map: bool = False
    lan_discovery: bool = False
    max_memory_mib: Count = 512


@dataclass(frozen=True)
class Done(Message):
    """The answer of a request that has nothing to tell."""


@dataclass(frozen=True)
class Publish(Request[Done], answer=Done):
    """Serve a payload, and put my signed record of it into the directory."""

    MAX_BYTES = 34 * 2**20
    record: RecordBytes
    payload: Payload


@dataclass(frozen=True)
class Records(Message):
    """Encoded records whose signature holds, of one shard. peers: nodes in the routing table.

    shard_at, shard_bits: the shard that was looked at; see `shards.py`. refused: who brought or
    told records that are none since the last answer, and the reason, a code of
    `core.gate.admission`.
    """

    MAX_BYTES = 2 * 2**20
    records: Annotated[tuple[RecordBytes, ...], AtMost(512)]
    peers: Count
    shard_at: Annotated[bytes, AtMost(20)]
    shard_bits: Annotated[int, Range(0, 160)]
    refused: Annotated[tuple[tuple[Name, Name], ...], AtMost(64)] = ()


@dataclass(frozen=True)
class ReadDirectory(Request[Records], answer=Records):
    """Records of one round and stage found so far, of a part of the swarm with `want` peers.

    Asked again, other nodes tell theirs. want: 0 is everybody.
    """

    round: Count
    stage: Count
    want: Count


@dataclass(frozen=True)
class Fetched(Message):
    """A payload with the digest of its record. latency_ms: from asking to having it.

    lie: instead of a payload, how what the peer offered differs from what its record says.
    """

    MAX_BYTES = 34 * 2**20
    payload: Payload
    latency_ms: Annotated[float, Range(0, 1e9)]
    lie: Text = ""


@dataclass(frozen=True)
class Fetch(Request[Fetched], answer=Fetched):
    """The payload of a record, from its peer."""

    record: RecordBytes
    max_bytes: Count
    timeout_s: Seconds


@dataclass(frozen=True)
class Connect(Request[Done], answer=Done):
    """More bootnodes, tried in the background."""

    MAX_BYTES = 2**20
    maddrs: Maddrs


# --- from the sidecar -------------------------------------------------------------------------


@dataclass(frozen=True)
class Failed(Message):
    """A request came to nothing; why, in words."""

    why: Text


@dataclass(frozen=True)
class Bootnode:
    """What became of one. outcome: `waiting`, `connected`, `failed` or `invalid`; why, in words.

    tries: in a row without success. next_at: when it is tried again, Unix seconds, 0 for never.
    """

    maddr: Maddr
    outcome: Name = "waiting"
    why: Text = ""
    tries: Count = 0
    next_at: Annotated[float, Range(0, 2**40)] = 0.0
    latency_ms: Annotated[float, Range(0, 1e9)] = 0.0


@dataclass(frozen=True)
class Status(Message):
    """How the sidecar is; sent when that changes and every second as a sign of life.

    status: `starting`, `up`, `degraded`, `down`. daemon_restarts, last_restart: of p2pd, and why
    the last one. reach, reach_by, reach_why, seen_as: as in `reach.Reach`. relays: nodes that relay
    to this one. skew_s, skew_peers: as in `skew.Skew`. lan: nodes found on the local network. note:
    what else a person should know, such as a port that was taken.
    """

    MAX_BYTES = 2**20
    status: Name
    detail: Text = ""
    maddrs: Annotated[tuple[Maddr, ...], AtMost(64)] = ()
    peers: Count = 0
    bootnodes: Annotated[tuple[Bootnode, ...], AtMost(512)] = ()
    daemon_restarts: Count = 0
    last_restart: Text = ""
    reach: Name = "unknown"
    reach_by: Count = 0
    reach_why: Text = ""
    seen_as: Name = ""
    relays: Count = 0
    skew_s: Annotated[float, Range(-(2.0**40), 2.0**40)] = 0.0
    skew_peers: Count = 0
    lan: Count = 0
    rss_mib: Annotated[float, Range(0, 2**40)] = 0.0
    daemon_rss_mib: Annotated[float, Range(0, 2**40)] = 0.0
    note: Text = ""


# --- codec ------------------------------------------------------------------------------------


def encode(message: Message, number: int = 0) -> bytes:
    """A frame's body; ValueError when the message breaks one of its bounds."""
    kind = type(message)
    parts = [VERSION, kind.__name__, number, to_fields(message)]
    body: bytes = msgpack.packb(parts, use_bin_type=True)
    if len(body) > kind.MAX_BYTES:
        raise ValueError(f"{kind.__name__} of {len(body)} bytes is more than {kind.MAX_BYTES}")
    return body


def decode(body: bytes) -> tuple[int, Message]:
    """The number and the message of a body; VersionError, or ValueError for what is none."""
    try:
        cls = KINDS[_kind(body)]
        if len(body) > cls.MAX_BYTES:
            raise ValueError(f"{cls.__name__} of {len(body)} bytes is more than {cls.MAX_BYTES}")
        parts = msgpack.unpackb(body, raw=False, max_map_len=0, max_ext_len=0)
    except KeyError as error:
        raise ValueError(f"there is no message {error.args[0]!r}") from error
    except (msgpack.UnpackException, RecursionError) as error:
        raise ValueError("not msgpack of a message") from error
    number, fields = parts[2:]
    if type(number) is not int or not 0 <= number <= MAX_NUMBER:
        raise ValueError("the number of a message is out of bounds")
    return number, from_fields(cls, fields)


def _kind(body: bytes) -> str:
    """The kind, from the head of the body alone."""
    head = msgpack.Unpacker(max_buffer_size=512, max_str_len=MAX_KIND_CHARS)
    head.feed(body[:256])
    if head.read_array_header() != 4:
        raise ValueError("a message has four parts")
    version = head.unpack()
    if type(version) is not int or version != VERSION:
        raise VersionError(version)
    kind = head.unpack()
    if type(kind) is not str:
        raise ValueError("the kind of a message is a word")
    return kind
