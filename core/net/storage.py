"""hivemind's DHT with bounds: what a stranger may store here, and how much of it.

Only the sidecar imports this (it imports hivemind). The rules themselves are in `guard.py`.
"""

from __future__ import annotations

import time

from hivemind.dht.routing import DHTID
from hivemind.dht.storage import DHTLocalStorage, DictionaryDHTValue
from hivemind.dht.validation import DHTRecord, RecordValidatorBase

from core.net import guard
from core.net.unsigned import MAX_ROUND_BYTES, MAX_ROUND_VALUES, Unsigned

MAX_STORED_BYTES = 2 * 2**20
"""Well under 4 MiB: all that a new peer should hold is handed over in one message of that limit."""


class RecordValidator(RecordValidatorBase):
    """Admits signed records of one swarm under their own key and subkey, and nothing else.

    unsigned: in a swarm that speaks GenRL, which other keys there are, and the rules for those.
    """

    def __init__(self, swarm: str, unsigned: Unsigned | None = None) -> None:
        self._swarm, self._unsigned = swarm, unsigned

    def validate(self, record: DHTRecord) -> bool:
        if self._unsigned is not None and self._unsigned.owns(record.key):
            return self._unsigned.admissible(
                record.key, record.subkey, record.value, record.expiration_time, time.time()
            )
        return guard.admissible(
            self._swarm,
            record.key,
            lambda key: DHTID.generate(source=key).to_bytes(),
            record.subkey,
            record.value,
            record.expiration_time,
            time.time(),
        )


class BoundedStorage(DHTLocalStorage):
    """Dictionaries of records only; the key that expires first makes room for a new value.

    Unsigned values have room of their own, a part for each round, and never take any of a record's.
    """

    def __init__(self, unsigned: Unsigned | None = None) -> None:
        super().__init__()
        self._unsigned = unsigned

    def store(
        self, key: DHTID, value: object, expiration_time: float, subkey: object = None
    ) -> bool:
        if subkey is None and not isinstance(value, DictionaryDHTValue):
            return False
        return bool(super().store(key, value, expiration_time, subkey))

    def store_subkey(
        self, key: DHTID, subkey: object, value: bytes, expiration_time: float
    ) -> bool:
        if self._is_unsigned(key):
            has_room = self._fits_into_round(key, subkey, value)
        else:
            has_room = self._make_room(len(value))
        return has_room and bool(super().store_subkey(key, subkey, value, expiration_time))

    def drop(self, key: DHTID) -> None:
        """Forget all that is held under a key."""
        if key in self:
            del self[key]

    def _is_unsigned(self, key: DHTID) -> bool:
        return self._unsigned is not None and self._unsigned.owns(key.to_bytes())

    def _make_room(self, size_bytes: int) -> bool:
        """For a record, at the cost of those that expire first."""
        held = {
            key: (expires, sum(len(item.value) for item in entries.data.values()))
            for key, (entries, expires) in self.items()
            if not self._is_unsigned(key)
        }
        left = MAX_STORED_BYTES - sum(size for _, size in held.values())
        for key in sorted(held, key=lambda k: held[k][0]):
            if size_bytes <= left:
                break
            left += held[key][1]
            del self[key]
        return size_bytes <= left

    def _fits_into_round(self, key: DHTID, subkey: object, value: bytes) -> bool:
        """Whether there is room for one more unsigned value; none of another peer's makes any."""
        held = self.get(key)
        others = dict(held.value.data) if held is not None else {}
        others.pop(subkey, None)
        size = sum(len(item.value) for item in others.values())
        return len(others) < MAX_ROUND_VALUES and size + len(value) <= MAX_ROUND_BYTES


class NoCache(DHTLocalStorage):
    """We never read through the cache; so nobody may fill it."""

    def store(self, *args: object, **kwargs: object) -> bool:
        return False

    def store_subkey(self, *args: object, **kwargs: object) -> bool:
        return False
