"""Inputs for the fuzzer: mutated good ones, structured msgpack garbage, and noise."""

from __future__ import annotations

import random
import struct
from typing import Any

import msgpack

MAX_INPUT = 64 * 1024
POOL = 2_000
TOKENS = [
    *(b"\xc1", b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc0"),
    *(
        b"\xc6\x7f\xff\xff\xff",
        b"\xc9\x00\x00\x00\x10\x50",
        b"\xd4\x40",
        b"\x91" * 300,
        b"\x81" * 90,
    ),
    *(b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\xcf" + b"\xff" * 8, b"\xed\xa0\x80", b"\xff\xfe"),
    *(b"\x00", b"\x7f", b"\x80", b"\x1b[2J", b"[bold]", b"__import__('os')", b"1e999999", b"NaN"),
]


class Maker:
    """Makes inputs from a pool that grows with what turned out to be new."""

    def __init__(self, seeds: tuple[bytes, ...], rng: random.Random) -> None:
        self._rng = rng
        self._pool = [seed[:MAX_INPUT] for seed in seeds] or [b""]

    def keep(self, data: bytes) -> None:
        if len(self._pool) < POOL:
            self._pool.append(data)
        else:
            self._pool[self._rng.randrange(POOL)] = data

    def __call__(self) -> bytes:
        rng = self._rng
        dice = rng.random()
        if dice < 0.04:
            return rng.randbytes(rng.randrange(200))
        if dice < 0.14:
            return pack(garbage(rng, rng.randint(1, 6)))
        data = rng.choice(self._pool)
        if dice < 0.5 and (changed := self._change_structure(data)) is not None:
            return changed[:MAX_INPUT]
        for _ in range(1 + int(rng.expovariate(0.7))):
            data = self._change_bytes(data)
        return data[:MAX_INPUT]

    def _change_bytes(self, data: bytes) -> bytes:
        rng = self._rng
        at = rng.randint(0, len(data))
        end = min(len(data), at + int(rng.expovariate(0.1)))
        how = rng.randrange(8)
        if how == 0 and data:
            spot = rng.randrange(len(data))
            return data[:spot] + bytes([data[spot] ^ 1 << rng.randrange(8)]) + data[spot + 1 :]
        if how == 1:
            return data[:at] + data[end:]
        if how == 2:
            return data[:at] + data[at:end] * rng.choice((2, 2, 3, 50)) + data[end:]
        if how == 3:
            return data[:at] + rng.choice(TOKENS) + data[end if rng.random() < 0.5 else at :]
        if how == 4:
            other = rng.choice(self._pool)
            return data[:at] + other[rng.randint(0, len(other)) :]
        if how == 5:
            return data[:at] + rng.randbytes(end - at) + data[end:]
        if how == 6:
            number = rng.choice((0, 1, 127, 128, 255, 256, 2**16 - 1, 2**31, 2**32 - 1))
            return data[:at] + struct.pack(">I", number) + data[at + 4 :]
        return data[:at]

    def _change_structure(self, data: bytes) -> bytes | None:
        """One node of what msgpack finds in it replaced; None when it finds nothing."""
        head = data[:1] if data[:1] in (b"\0", b"\1") and len(data) > 1 else b""
        try:
            tree = msgpack.unpackb(
                data[len(head) :], strict_map_key=False, ext_hook=msgpack.ExtType
            )
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
            return None
        return head + pack(self._changed(tree, 0))

    def _changed(self, node: Any, depth: int) -> Any:
        rng = self._rng
        if isinstance(node, list) and node and depth < 20 and rng.random() < 0.85:
            items = list(node)
            at = rng.randrange(len(items))
            how = rng.random()
            if how < 0.7:
                items[at] = self._changed(items[at], depth + 1)
            elif how < 0.8:
                del items[at]
            elif how < 0.9:
                items.insert(at, items[rng.randrange(len(items))])
            else:
                items = items * rng.choice((2, 10, 100)) if len(items) < 300 else items[:1]
            return items
        if isinstance(node, bytes) and node and rng.random() < 0.6:
            inner = self._change_structure(node) if rng.random() < 0.5 else None
            return self._change_bytes(node) if inner is None else inner
        if isinstance(node, str) and rng.random() < 0.5:
            return node + rng.choice(("\x1b[2J", "x" * 2000, "\u202e", "/", "\x00", "9" * 400))
        if isinstance(node, (int, float)) and rng.random() < 0.5:
            return rng.choice((0, -1, True, 2**63, 1e308, float("nan"), float("inf"), -0.0, "1"))
        return garbage(rng, rng.randint(0, 3))


def garbage(rng: random.Random, depth: int) -> Any:
    """Something that msgpack can say."""
    kind = rng.randrange(12 if depth > 0 else 8)
    if kind == 0:
        return rng.choice((None, True, False))
    if kind == 1:
        return rng.choice((0, 1, -1, 127, 2**31, 2**63 - 1, 2**64 - 1, -(2**63)))
    if kind == 2:
        return rng.choice((0.0, -0.5, 1e308, float("nan"), float("-inf"), 1e-320))
    if kind in (3, 4):
        return "".join(
            chr(rng.choice((65, 47, 48, 0, 27, 0x202E, 0x1F41D))) for _ in range(kind * 3)
        )
    if kind in (5, 6):
        return rng.randbytes(rng.randrange(40))
    if kind == 7:
        return msgpack.ExtType(rng.randrange(128), rng.randbytes(rng.randrange(8)))
    if kind == 8:
        return {str(n): garbage(rng, depth - 1) for n in range(rng.randrange(4))}
    return [garbage(rng, depth - 1) for _ in range(rng.randrange(6))]


def pack(value: Any) -> bytes:
    try:
        data: bytes = msgpack.packb(value, use_bin_type=True)
    except (ValueError, OverflowError, UnicodeEncodeError):
        return b"\xc0"
    return data
