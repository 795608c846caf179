"""Length-prefixed msgpack frames between a node and its child processes.

Four bytes of big-endian length, then that many bytes of msgpack. Sizes are checked before a byte
of the body is read. Both ends are ours; still nothing is unpickled, and a frame that is too large
or malformed raises ValueError.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import msgpack

MAX_FRAME_BYTES = 64 * 2**20
_HEAD = struct.Struct(">I")


def encode(message: Any) -> bytes:
    """ValueError when the message is larger than MAX_FRAME_BYTES."""
    return frame(msgpack.packb(message, use_bin_type=True))


def frame(body: bytes) -> bytes:
    """The body behind its length; ValueError when it is larger than MAX_FRAME_BYTES."""
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"frame of {len(body)} bytes is larger than {MAX_FRAME_BYTES}")
    return _HEAD.pack(len(body)) + body


def decode(body: bytes) -> Any:
    """ValueError for what is not msgpack, or has a map with keys that cannot be keys."""
    try:
        return msgpack.unpackb(body, raw=False, strict_map_key=False)
    except (TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ValueError("a frame is not msgpack") from error


def write(out: BinaryIO, message: Any) -> None:
    """Write one frame and flush. The caller serialises writers."""
    out.write(encode(message))
    out.flush()


def read(source: BinaryIO) -> Any:
    """One message. EOFError at a clean end of stream, ValueError for a frame too large."""
    return decode(read_body(source))


def read_body(source: BinaryIO) -> bytes:
    """The body of one frame, not yet decoded; raises as `read` does."""
    head = _read_exactly(source, _HEAD.size)
    (size,) = _HEAD.unpack(head)
    if size > MAX_FRAME_BYTES:
        raise ValueError(f"frame of {size} bytes is larger than {MAX_FRAME_BYTES}")
    return _read_exactly(source, size)


def _read_exactly(source: BinaryIO, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        part = source.read(size)
        if not part:
            raise EOFError("the other end is gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
