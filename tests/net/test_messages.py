"""What node and sidecar say to one another: whole, bounded, and refused in words otherwise."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.net import handlers, messages, packing
from core.net.messages import Bootnode, Failed, Fetch, Fetched, Publish, Records, Start, Status

START = Start("/a", "s", "/ip4/127.0.0.1/tcp/0", (), ("/b",), ("/c", "/d"), ())
ALL = [
    START,
    Status("up", "é\x1b[31m", ("/ip4/1.2.3.4/tcp/1",), 3, (Bootnode("/x", "failed", "no", 3),)),
    Publish(b"r", b"p" * 50_000),
    Records((b"1", b"2"), 4, bytes(20), 3),
    Fetch(b"r", 10, 1.5),
    Fetched(b"p", 3.25),
    Failed("because"),
]


@pytest.mark.parametrize("message", ALL, ids=lambda m: type(m).__name__)
def test_a_message_comes_back_as_it_was(message):
    assert messages.decode(messages.encode(message, 7)) == (7, message)


def test_every_message_is_bounded_and_every_request_is_handled():
    for kind in messages.KINDS.values():
        assert len(packing.checks(kind)) == len(fields(kind))
        if issubclass(kind, messages.Request):
            assert kind in handlers.HANDLERS, kind
            assert kind.ANSWER is not messages.Message


def test_a_field_without_a_bound_is_refused():
    @dataclass(frozen=True)
    class Loose:
        text: str

    with pytest.raises(TypeError, match="bounded"):
        packing.checks(Loose)


@pytest.mark.parametrize(
    "broken",
    [
        replace(START, swarm="x" * 65),
        replace(START, bootnodes=("x" * 401,)),
        replace(START, bootnodes=("x",) * 513),
        replace(START, bootnodes="x"),
        replace(START, identity=3),
        Fetch(b"r", -1, 1.0),
        Fetch(b"r", True, 1.0),
        Fetch(b"r", 1, float("nan")),
        Fetch("r", 1, 1.0),
        Publish(b"r", b"p" * (33 * 2**20 + 1)),
    ],
)
def test_neither_side_says_or_believes_what_breaks_a_bound(broken):
    with pytest.raises(ValueError, match=r"."):
        messages.encode(broken)
    kind = type(broken)
    raw = [getattr(broken, f.name) for f in fields(kind)]
    with pytest.raises(ValueError, match=r"."):
        messages.decode(msgpack.packb([messages.VERSION, kind.__name__, 0, raw]))


def test_another_version_is_told_in_words_whatever_else_it_says():
    body = msgpack.packb([messages.VERSION + 1, "Unheard", 0, {"of": 1}])
    with pytest.raises(messages.VersionError, match=f"version {messages.VERSION + 1}"):
        messages.decode(body)


def test_a_message_larger_than_its_kind_is_refused_undecoded():
    body = msgpack.packb([messages.VERSION, "Failed", 0, ["x" * 100_000]])
    with pytest.raises(ValueError, match="more than"):
        messages.decode(body)


@given(st.binary(max_size=200))
def test_noise_raises_a_value_error_and_nothing_else(noise):
    with pytest.raises(ValueError, match=r"."):
        messages.decode(noise)


_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
_values = st.recursive(
    _scalars | st.binary(), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)


@given(st.sampled_from(sorted(messages.KINDS)), st.integers(-5, 5), _values)
def test_plausible_noise_is_a_message_or_a_value_error(kind, number, value):
    try:
        found = messages.decode(msgpack.packb([messages.VERSION, kind, number, value]))
    except ValueError:
        return
    assert found == messages.decode(messages.encode(found[1], found[0]))
