"""What the node asks its sidecar for in a swarm with GenRL nodes; see `messages.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from core.net.messages import Count, Done, Name, Request
from core.net.messages import Message as Answer
from core.net.packing import AtMost

MAX_VALUE_BYTES = 64 * 1024
MAX_VALUES = 512

ValueBytes = Annotated[bytes, AtMost(MAX_VALUE_BYTES)]


@dataclass(frozen=True)
class TellGenrl(Request[Done], answer=Done):
    """Put my value, which nothing signs, under the key of this round."""

    MAX_BYTES = 80 * 1024
    round: Count
    value: ValueBytes


@dataclass(frozen=True)
class GenrlValues(Answer):
    """What replicas hold in the name of other peers, as (peer id, value): per peer one after the
    other the different values there are, the one that lives longest first. peers: as elsewhere,
    nodes in the routing table."""

    MAX_BYTES = 10 * 2**20
    values: Annotated[tuple[tuple[Name, ValueBytes], ...], AtMost(MAX_VALUES)]
    peers: Count


@dataclass(frozen=True)
class HearGenrl(Request[GenrlValues], answer=GenrlValues):
    """The values under the key of this round, from every replica."""

    round: Count
