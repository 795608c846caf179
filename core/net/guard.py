"""Bounds for hivemind's decoder, which follows nested msgpack extensions without one.

hivemind decodes what peers send to its own storage before anything else looks at it: every level
of nesting costs its decoder a frame of the C stack, so that a value of one kilobyte could end the
process, and every byte up to sixty of memory.
"""

from __future__ import annotations

from typing import Any

MAX_NESTING = 8
SMALL_BYTES, LARGE_BYTES = 4_096, 4 * 2**20
"""Largest value: where nothing may be stored, only keys and ids are decoded; GenRL's dictionaries
are as large as a message can be."""


def bound_decoder(serializer: Any, max_bytes: int, max_nesting: int = MAX_NESTING) -> None:
    """Make `MSGPackSerializer.loads` raise ValueError for what is larger or nested more deeply."""
    decode, loads = serializer._decode_ext_types.__func__, serializer.loads.__func__
    depth = 0

    def bounded_decode(cls: Any, code: int, data: bytes) -> Any:
        nonlocal depth
        if depth >= max_nesting:
            raise ValueError("value is nested too deeply")
        depth += 1
        try:
            return decode(cls, code, data)
        finally:
            depth -= 1

    def bounded_loads(cls: Any, data: bytes) -> Any:
        if len(data) > max_bytes:
            raise ValueError("value is too large")
        return loads(cls, data)

    serializer._decode_ext_types = classmethod(bounded_decode)
    serializer.loads = classmethod(bounded_loads)
