"""What a hostile peer may send, each with the reason for which a node must refuse it.

A record that goes into the directory as it is, a payload served under a good record, and groups
that are well-formed and false. Everything is made for a `Scene`, so that what is meant to get as
far as the last check passes those before it. Used by the tests, the live swarm and the fuzzer's
seeds; it only makes bytes.
"""

from __future__ import annotations

import dataclasses
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack

from core.net import wire
from core.rollouts import Rollout, RolloutGroup, TaskId
from tests.hostile.scene import Attempt, Item, Scene, sign

CANARY = Path(tempfile.gettempdir()) / "waggle-canary"
"""What the exploits would make, if any part of them ran."""
UNICODE_TRICKS = "\x1b]0;owned\x07\x1b[2J\x1b[31m[bold red]\\[/bold] \u202egnp.exe [link=file:///]x"
EXPLOITS = (
    f"__import__('os').system('touch {CANARY}')",
    f"[[__import__('pathlib').Path('{CANARY}').touch()]]",
    "().__class__.__base__.__subclasses__()",
    "9**9**9",
    "(" * 900,
    "1e999999999",
    "NaN",
    "\x00" * 100,
    f"[0][0] or open('{CANARY}', 'w')",
)


def corpus() -> tuple[Item, ...]:
    """All of it, in a fixed order."""
    return (*_records(), *_payloads(), *_groups())


# --- records ----------------------------------------------------------------------------------


def _records() -> Iterator[Item]:
    def item(name: str, reason: str, make: Callable[[Scene], bytes], door: str = "record") -> Item:
        return Item(name, door, reason, lambda scene: Attempt(make(scene), b""))

    def good(scene: Scene, **changes: Any) -> bytes:
        return sign(scene.record(b"x", **changes), scene.identity)

    def changed(old: bytes, new: bytes) -> Callable[[Scene], bytes]:
        return lambda scene: good(scene).replace(old, new)

    def forged(scene: Scene) -> bytes:
        value = bytearray(good(scene))
        value[-1] ^= 1
        return bytes(value)

    def in_the_victims_name(scene: Scene) -> bytes:
        key = scene.victim.public_key_bytes
        stolen = scene.record(b"x", peer_id=scene.victim.peer_id, public_key_bytes=key)
        return sign(stolen, scene.identity)

    def the_victims_own(scene: Scene) -> bytes:
        theirs = dataclasses.replace(scene, identity=scene.victim)
        return sign(theirs.record(b"x"), scene.victim)

    def signature(name: str, make: Callable[[Scene], bytes]) -> Item:
        return item(name, "signature", make)

    yield signature("forged signature", forged)
    yield signature("stolen peer id", in_the_victims_name)
    yield item("another's record", "identity", the_victims_own)
    yield item("another swarm's record", "identity", lambda s: good(s, swarm="other"))
    yield item("replayed round's record", "round", lambda s: good(s, round=s.round - 1), "told")
    yield item("another stage's record", "round", lambda s: good(s, stage=7), "told")
    yield item("forged record told on", "signature", forged, "told")
    yield signature("far-future expiry", lambda s: good(s, expires=s.now + 31 * 365e5))
    yield signature("expiry that is no number", lambda s: good(s, expires=float("nan")))
    yield signature("eternal", lambda s: good(s, expires=float("inf")))
    yield item("expired", "stale", lambda s: good(s, issued=s.now - 600, expires=s.now - 1))
    yield item(
        "from the future", "stale", lambda s: good(s, issued=s.now + 3e3, expires=s.now + 4e3)
    )
    yield signature("NaN reward", lambda s: good(s, reward_mean=float("nan")))
    yield signature("50 MB announced", lambda s: good(s, size_bytes=50 * 2**20))
    yield signature("a million groups announced", lambda s: good(s, groups=10**6))
    yield signature("negative size", lambda s: good(s, size_bytes=-1))
    yield signature("escapes as an address", lambda s: good(s, maddrs=("/ip4/\x1b[2J",)))
    yield signature("a hundred addresses", lambda s: good(s, maddrs=("/ip4/1.1.1.1",) * 99))
    yield signature("wrong types", lambda s: good(s, round="7", stage=None))
    yield signature("invalid UTF-8", changed(b"\xa4test", b"\xa4\xff\xfe\xfd\xfc"))
    yield signature("deep nesting", lambda s: b"\x91" * 2000 + b"\xc0")
    yield signature("deep extensions", lambda s: nested_extensions(300))
    yield signature("not msgpack", lambda s: b"\xc1" * 64)
    yield signature("empty", lambda s: b"")
    yield signature("large", lambda s: b"\xc5\xff\xff" + b"x" * 65_535)


def nested_extensions(levels: int) -> bytes:
    """hivemind's tuple extension in itself: its own decoder crashes on a few hundred."""
    data = b"\xc0"
    for _ in range(levels):
        data = msgpack.packb(msgpack.ExtType(0x40, b"\x91" + data))
    return data


# --- payloads under a good record -------------------------------------------------------------


def _payloads() -> Iterator[Item]:
    def item(
        name: str, make: Callable[[Scene], bytes], reason: str = "malformed", **changes: Any
    ) -> Item:
        def attempt(scene: Scene) -> Attempt:
            payload = make(scene)
            record = scene.record(payload, **changes)
            return Attempt(sign(record, scene.identity), payload)

        return Item(name, "payload", reason, attempt)

    def packed(body: Any) -> bytes:
        data: bytes = msgpack.packb([wire.VERSION, body], use_bin_type=True)
        return data

    def rollout(value: Any) -> Callable[[Scene], bytes]:
        return lambda s: packed([[str(s.tasks[0]), [value] * s.generations]])

    def logprob(value: float) -> Callable[[Scene], bytes]:
        return rollout(["x", True, struct.pack("<f", value)])

    yield item("not a list", lambda s: msgpack.packb({"groups": []}))
    yield item("another version", lambda s: msgpack.packb([99, []]))
    yield item("group as a map", lambda s: packed([{"task": "x"}]))
    yield item("task as a number", lambda s: packed([[7, [["x", True, b""]]]]))
    yield item("task with escapes", lambda s: packed([["\x1b[2J/1/1", [["x", True, b""]]]]))
    yield item("task of 100 KB", lambda s: packed([["a" * 10**5 + "/1/1", [["x", True, b""]]]]))
    yield item("text as a number", rollout([5, True, b""]))
    yield item("text as bytes", rollout([b"x", True, b""]))
    yield item("end as a number", rollout(["x", 1, b""]))
    yield item("log-probs as a list", rollout(["x", True, [-1.0]]))
    yield item("odd log-probs", rollout(["x", True, b"\x00" * 3]))
    yield item("NaN log-prob", logprob(float("nan")))
    yield item("infinite log-prob", logprob(float("-inf")))
    yield item("positive log-prob", logprob(3.0))
    yield item("NaN reward", rollout(["x", True, b"", float("nan")]))
    yield item("answer and question sent along", rollout(["x", True, b"", {"answer": "42"}]))
    yield item("no rollouts", lambda s: packed([[str(s.tasks[0]), []]]))
    yield item("300 rollouts", lambda s: packed([[str(s.tasks[0]), [["x", True, b""]] * 300]]))
    yield item(
        "a million completions",
        lambda s: packed([[str(s.tasks[0]), [["", True, b""]] * 10**6]]),
        "size",
    )
    yield item(
        "a million empty arrays",
        lambda s: b"\x92\x01\xdd" + struct.pack(">I", 10**5) + b"\x90" * 10**5,
    )
    yield item("four thousand million announced", lambda s: b"\x92\x01\xdd\xff\xff\xff\xff")
    yield item("a string of 4 GiB announced", lambda s: b"\x92\x01\x91\x92\xdb\xff\xff\xff\xffx")
    yield item("a string of 20 MB", lambda s: packed([["x" * 20_000_000, []]]), "size")
    yield item("deep nesting", lambda s: b"\x91" * 400_000)
    yield item("deep maps", lambda s: b"\x81\x01" * 200_000)
    yield item("deep extensions", lambda s: nested_extensions(300))
    yield item(
        "invalid UTF-8",
        lambda s: packed([[str(s.tasks[0]), [["y", True, b""]]]]).replace(b"\xa1y", b"\xa1\xff"),
    )
    yield item(
        "a surrogate",
        lambda s: packed([[str(s.tasks[0]), [["yyy", True, b""]]]]).replace(
            b"\xa3yyy", b"\xa3\xed\xa0\x80"
        ),
    )
    yield item("bytes behind the end", lambda s: wire.encode([s.group()]) + b"\x00")
    yield item("half of it", lambda s: wire.encode([s.group()])[:-20])
    yield item("noise", lambda s: random.Random(s.round).randbytes(4096))
    yield item("the same task twice", lambda s: wire.encode([s.group(), s.group()]), groups=2)
    yield item("fewer groups than announced", lambda s: wire.encode([s.group()]), groups=9)
    yield item(
        "another payload than announced",
        lambda s: wire.encode([s.group()]),
        "malformed",
        digest="00" * 32,
    )
    yield item(
        "more bytes than announced", lambda s: wire.encode([s.group()]), "malformed", size_bytes=7
    )


# --- well-formed groups -----------------------------------------------------------------------


def _groups() -> Iterator[Item]:
    def item(name: str, reason: str, make: Callable[[Scene], RolloutGroup]) -> Item:
        def attempt(scene: Scene) -> Attempt:
            payload = wire.encode([make(scene)])
            record = scene.record(payload)
            return Attempt(sign(record, scene.identity), payload)

        return Item(name, "groups", reason, attempt)

    def texts(make: Callable[[str, int], str]) -> Callable[[Scene], RolloutGroup]:
        return lambda s: s.group(texts=make)

    def of_round(scene: Scene, round: int) -> RolloutGroup:
        earlier = dataclasses.replace(scene, round=round)
        return earlier.group()

    yield item("replayed round", "schedule", lambda s: of_round(s, s.round - 1))
    yield item("a task of tomorrow", "schedule", lambda s: of_round(s, s.round + 1))
    yield item("copied rollouts", "schedule", lambda s: s.victim_groups[0])
    yield item(
        "a task picked by hand", "schedule", lambda s: s.group(task=TaskId("chain_sum", 1000, 1))
    )
    yield item(
        "a held-out task", "schedule", lambda s: s.group(task=TaskId("chain_sum", 2_000_000_000, 0))
    )
    yield item(
        "a scorer that evaluates",
        "schedule",
        lambda s: s.group(task=TaskId("binary_matrix", 1000, 1)),
    )
    yield item("an unknown dataset", "schedule", lambda s: s.group(task=TaskId("nothing", 1, 1)))
    yield item(
        "one completion too few", "generations", lambda s: s.group(rollouts=s.group().rollouts[1:])
    )
    yield item(
        "twice the completions", "generations", lambda s: s.group(rollouts=s.group().rollouts * 2)
    )
    yield item("a completion of 60 KB", "size", texts(lambda a, n: "z" * 60_000))
    yield item(
        "log-probs without end",
        "size",
        lambda s: s.group(
            rollouts=tuple(Rollout("x", logprobs=(-1.0,) * 3000) for _ in range(s.generations))
        ),
    )
    yield item("wrong ground truth", "no_signal", texts(lambda a, n: "<answer>2 + 2 = 5</answer>"))
    yield item(
        "all right, nothing learnt", "no_signal", texts(lambda a, n: f"<answer>{a}</answer> {n}")
    )
    yield item(
        "every answer at once", "no_signal", texts(lambda a, n: f"<answer>{a} {a}x {n}</answer>")
    )
    yield item("the same completion again and again", "no_signal", texts(lambda a, n: "ha" * 50))
    for number, exploit in enumerate(EXPLOITS):
        yield item(
            f"scorer exploit {number}",
            "no_signal",
            texts(lambda a, n, e=exploit: f"<answer>{e}</answer> {n}"),  # type: ignore[misc]
        )
    yield item(
        "markup and terminal escapes",
        "no_signal",
        texts(lambda a, n: f"{UNICODE_TRICKS}<answer>{UNICODE_TRICKS}</answer> {n}"),
    )
