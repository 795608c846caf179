"""The same unlikely phrase in the answers of one peer to different tasks.

A short phrase may be unlikely and still stay below every limit on surprise. An honest policy writes
an unlikely thing once; whoever plants a phrase must repeat it. Here a phrase is one to four tokens
that together are unlikely under the local policy and that none of one's own recent completions has.
Pure bookkeeping over token ids: no model, no texts.

What it cannot see: a phrase that this node might write itself, one that comes seldom, or one whose
peers are many and send it a few times each.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from itertools import islice

from core.protocols import Surprise

LONGEST = 4
UNLIKELY_NATS = 8.0
"""Less likely than one in three thousand, where it stands."""
GROUPS = 32
"""How many of a peer's newest groups are compared: what is seldom adds up over months."""
PEERS = 256
OWN_TOKENS = 1 << 20
MAX_PHRASES = 1024
"""Of one group. Only a group that is implausible anyway has more."""

TOKEN_BYTES = array("i").itemsize

Phrase = tuple[int, ...]


class Refrains:
    """My own newest completions, and the unlikely phrases of each peer's newest groups. Bounded."""

    def __init__(self) -> None:
        self._own: deque[bytes] = deque()
        self._own_bytes = 0
        self._peers: OrderedDict[str, deque[tuple[str, frozenset[Phrase]]]] = OrderedDict()

    def learn(self, token_ids: Sequence[int]) -> None:
        """One of my own completions."""
        self._own.append(_packed(token_ids))
        self._own_bytes += len(self._own[-1])
        while self._own_bytes > OWN_TOKENS * TOKEN_BYTES:
            self._own_bytes -= len(self._own.popleft())

    def repeated(
        self, peer_id: str, task: str, completions: Sequence[Surprise], times: int
    ) -> Phrase | None:
        """Book one group of this peer; the phrase in it that `times` different tasks have now.

        The longest such phrase, or None.
        """
        if peer_id not in self._peers:
            self._peers[peer_id] = deque(maxlen=GROUPS)
        self._peers.move_to_end(peer_id)
        while len(self._peers) > PEERS:
            self._peers.popitem(last=False)
        groups = self._peers[peer_id]
        found = frozenset(
            islice((phrase for each in completions for phrase in unlikely(each)), MAX_PHRASES)
        )
        groups.append((task, found))
        for phrase in sorted(found, key=lambda phrase: (-len(phrase), phrase)):
            if len({name for name, phrases in groups if phrase in phrases}) < times:
                continue
            if not self._is_mine(phrase):
                return phrase
        return None

    def _is_mine(self, phrase: Phrase) -> bool:
        wanted = _packed(phrase)
        return any(_holds(mine, wanted) for mine in self._own)


def unlikely(completion: Surprise) -> Iterator[Phrase]:
    """Every run of up to LONGEST tokens that together have UNLIKELY_NATS or more."""
    ids, nats = completion.token_ids, completion.nats
    for start in range(len(ids)):
        total = 0.0
        for end in range(start, min(start + LONGEST, len(ids))):
            total += nats[end]
            if total >= UNLIKELY_NATS:
                yield ids[start : end + 1]


def _packed(token_ids: Sequence[int]) -> bytes:
    return array("i", token_ids).tobytes()


def _holds(sequence: bytes, wanted: bytes) -> bool:
    """Whether it has these tokens in a row: a find at C speed, where a token begins."""
    at = sequence.find(wanted)
    while at >= 0 and at % TOKEN_BYTES:
        at = sequence.find(wanted, at + 1)
    return at >= 0
