"""hivemind's own storage, closed: signed records lie on the `board`, so nobody may store here.

Except in a swarm that speaks GenRL: there the unsigned values of its rounds are kept, by the rules
of `unsigned.py`, with room of their own for each round. Only the sidecar imports this (it imports
hivemind).
"""

from __future__ import annotations

import time

from hivemind.dht.routing import DHTID
from hivemind.dht.storage import DHTLocalStorage, DictionaryDHTValue
from hivemind.dht.validation import DHTRecord, RecordValidatorBase

from core.net.unsigned import MAX_ROUND_BYTES, MAX_ROUND_VALUES, Unsigned


class ValueValidator(RecordValidatorBase):
    """Admits nothing. unsigned: in a swarm that speaks GenRL, the rules for its values."""

    def __init__(self, unsigned: Unsigned | None = None) -> None:
        self._unsigned = unsigned

    def validate(self, record: DHTRecord) -> bool:
        return self._unsigned is not None and self._unsigned.admissible(
            record.key, record.subkey, record.value, record.expiration_time, time.time()
        )


class RoundStorage(DHTLocalStorage):
    """Dictionaries of unsigned values under the keys of the rounds that are played, if any."""

    def __init__(self, unsigned: Unsigned | None = None) -> None:
        super().__init__()
        self._unsigned = unsigned

    def store(
        self, key: DHTID, value: object, expiration_time: float, subkey: object = None
    ) -> bool:
        if not self._owns(key) or (subkey is None and not isinstance(value, DictionaryDHTValue)):
            return False
        return bool(super().store(key, value, expiration_time, subkey))

    def store_subkey(
        self, key: DHTID, subkey: object, value: bytes, expiration_time: float
    ) -> bool:
        has_room = self._owns(key) and self._fits_into_round(key, subkey, value)
        return has_room and bool(super().store_subkey(key, subkey, value, expiration_time))

    def drop(self, key: DHTID) -> None:
        """Forget all that is held under a key."""
        if key in self:
            del self[key]

    def _owns(self, key: DHTID) -> bool:
        return self._unsigned is not None and self._unsigned.owns(key.to_bytes())

    def _fits_into_round(self, key: DHTID, subkey: object, value: bytes) -> bool:
        """Whether there is room for one more unsigned value; none of another peer's makes any."""
        held = self.get(key)
        others = dict(held.value.data) if held is not None else {}
        others.pop(subkey, None)
        size = sum(len(item.value) for item in others.values())
        return len(others) < MAX_ROUND_VALUES and size + len(value) <= MAX_ROUND_BYTES
