"""hivemind's DHT with bounds: what a stranger may store here, and how much of it.

Only the sidecar imports this (it imports hivemind). The rules themselves are in `guard.py`.
"""

from __future__ import annotations

import time

from hivemind.dht.routing import DHTID
from hivemind.dht.storage import DHTLocalStorage, DictionaryDHTValue
from hivemind.dht.validation import DHTRecord, RecordValidatorBase

from core.net import guard

MAX_STORED_BYTES = 2 * 2**20
"""Well under 4 MiB: all that a new peer should hold is handed over in one message of that limit."""


class RecordValidator(RecordValidatorBase):
    """Admits signed records of one swarm under their own key and subkey, and nothing else."""

    def __init__(self, swarm: str) -> None:
        self._swarm = swarm

    def validate(self, record: DHTRecord) -> bool:
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
    """Dictionaries of records only; the key that expires first makes room for a new value."""

    def store(
        self, key: DHTID, value: object, expiration_time: float, subkey: object = None
    ) -> bool:
        if subkey is None and not isinstance(value, DictionaryDHTValue):
            return False
        return bool(super().store(key, value, expiration_time, subkey))

    def store_subkey(
        self, key: DHTID, subkey: object, value: bytes, expiration_time: float
    ) -> bool:
        while self._bytes() + len(value) > MAX_STORED_BYTES:
            oldest, _ = self.top()
            if oldest is None:
                return False
            del self[oldest]
        return bool(super().store_subkey(key, subkey, value, expiration_time))

    def _bytes(self) -> int:
        return sum(
            len(item.value) for _, (entries, _) in self.items() for item in entries.data.values()
        )


class NoCache(DHTLocalStorage):
    """We never read through the cache; so nobody may fill it."""

    def store(self, *args: object, **kwargs: object) -> bool:
        return False

    def store_subkey(self, *args: object, **kwargs: object) -> bool:
        return False
