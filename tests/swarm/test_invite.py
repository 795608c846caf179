"""Invites: what the owner signed is what is accepted, and nothing else ever is."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import WaggleError
from core.net import identity
from core.swarm import invite
from core.swarm.invite import SCHEME, SIGNED, Invite

NOW = 1_790_000_000
DIGEST = "ab" * 32
GOOD: dict[str, Any] = {
    "swarm": "honey",
    "rpc_url": "http://192.168.1.20:38545",
    "contract": "0x" + "Ab" * 20,
    "chain_id": 131277322940537,
    "bootnodes": (
        "/ip4/192.168.1.20/tcp/38331/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
    ),
    "tasks": "name: tiny\nsystem: héllo\n",
    "settings": {"game.groups": 8, "sampling.stop_at_answer": False},
    "rules_digest": DIGEST,
    "reasoning_gym": "0.1.24",
    "waggle": "0.1.0",
    "issued": NOW,
    "expires": NOW + 30 * invite.DAY_S,
}


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> identity.Identity:
    return identity.load_or_create(tmp_path_factory.mktemp("owner") / "swarm.pem")


@pytest.fixture(scope="module")
def made(owner: identity.Identity) -> Invite:
    return Invite(**GOOD, owner=owner.peer_id)


@pytest.fixture(scope="module")
def text(made: Invite, owner: identity.Identity) -> str:
    return invite.encode(made, owner.public_key_bytes, owner.sign)


def decode(text: str) -> Invite:
    return invite.decode(text, identity.verify, identity.peer_id_of)


def packed(data: bytes) -> str:
    return SCHEME + base64.urlsafe_b64encode(zlib.compress(data)).decode().rstrip("=")


def signed(owner: identity.Identity, **fields: Any) -> str:
    """As an owner with another program could sign it, whatever the fields."""
    body = msgpack.packb({**GOOD, "bootnodes": list(GOOD["bootnodes"]), **fields})
    signature = owner.sign(SIGNED + body)
    return packed(msgpack.packb([1, body, owner.public_key_bytes, signature]))


def test_it_says_what_was_signed(text: str, made: Invite) -> None:
    assert decode(text) == made
    assert len(text) < 1500
    assert text.isprintable()


def test_mails_and_terminals_may_wrap_it(text: str, made: Invite) -> None:
    lines = [text[i : i + 60] for i in range(0, len(text), 60)]
    for wrapped in (
        "\n".join(lines),
        "\r\n  ".join(lines) + "\r\n",
        f"# An invite to honey\n{text}\n",
        f"<{text}>",
        f'  "{text}"  ',
    ):
        assert decode(wrapped) == made


@settings(max_examples=1000)
@given(st.data())
def test_no_changed_letter_makes_another_invite(text: str, made: Invite, data: Any) -> None:
    position = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(exclude_characters=text[position]))
    _is_refused_or_the_same(text[:position] + letter + text[position + 1 :], made)


@settings(max_examples=1000)
@given(st.data())
def test_no_changed_byte_makes_another_invite(text: str, made: Invite, data: Any) -> None:
    """Below the text and the compression, too: the msgpack and the signed body in it."""
    raw = bytearray(zlib.decompress(base64.urlsafe_b64decode(text.removeprefix(SCHEME) + "===")))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    _is_refused_or_the_same(packed(bytes(raw)), made)


@given(st.integers(0, 2000))
def test_a_part_is_not_an_invite(text: str, made: Invite, length: int) -> None:
    if length < len(text):
        with pytest.raises(WaggleError):
            decode(text[:length])


def _is_refused_or_the_same(text: str, made: Invite) -> None:
    try:
        found = decode(text)
    except WaggleError:
        return
    assert found == made, "base64 and zlib have spare bits; what is said is the same"


@given(st.text() | st.text("ABCabc123-_", max_size=200).map(SCHEME.__add__))
@example(SCHEME)
@example("#" * 100_000)
def test_no_text_crashes_it(text: str) -> None:
    with pytest.raises(WaggleError):
        decode(text)


@given(st.binary(max_size=300))
def test_no_stream_crashes_it(data: bytes) -> None:
    with pytest.raises(WaggleError):
        decode(packed(data))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(field=st.sampled_from(sorted(GOOD)), value=ANYTHING)
def test_a_signed_field_of_any_kind_is_checked(field: str, value: Any) -> None:
    """Of an owner who means harm: the schema holds without the signature's help."""
    body = msgpack.packb({**GOOD, "bootnodes": list(GOOD["bootnodes"]), field: value})
    data = packed(msgpack.packb([1, body, b"key", b"signature"]))
    try:
        found = invite.decode(data, lambda *_: True, lambda key: "QmOwner")
    except WaggleError:
        return
    kinds = {name: type(GOOD[name]) for name in GOOD}
    assert {name: type(getattr(found, name)) for name in GOOD} == kinds
    told = [found.swarm, found.rpc_url, found.contract, found.waggle, *found.bootnodes]
    assert all(each.isprintable() for each in told), "nothing moves a cursor"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"swarm": "\x1b[2J"}, "control"),
        ({"rpc_url": "file:///etc/passwd"}, "rpc_url"),
        ({"rpc_url": "http://[broken"}, "rpc_url"),
        ({"contract": "0x12"}, "contract"),
        ({"bootnodes": []}, "bootnodes"),
        ({"bootnodes": ["/ip4/1.2.3.4/tcp/1"]}, "bootnodes"),
        ({"bootnodes": list(GOOD["bootnodes"]) * 17}, "bootnodes"),
        ({"settings": {"model.id": "their/model"}}, "model.id"),
        ({"settings": {"game.groups": [1]}}, "game.groups"),
        ({"expires": NOW - 1}, "ends before"),
        ({"issued": -1}, "issued"),
        ({"chain_id": True}, "chain_id"),
        ({"surprise": 1}, "other fields"),
    ],
)
def test_what_an_owner_may_not_say(
    owner: identity.Identity, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(WaggleError, match="cannot be used") as caught:
        decode(signed(owner, **fields))
    assert words in caught.value.why


def test_another_key_does_not_sign_for_the_owner(text: str, tmp_path: Any) -> None:
    thief = identity.load_or_create(tmp_path / "thief.pem")
    raw = zlib.decompress(base64.urlsafe_b64decode(text.removeprefix(SCHEME) + "==="))
    version, body, key, signature = msgpack.unpackb(raw)
    with pytest.raises(WaggleError, match="was changed"):
        decode(packed(msgpack.packb([version, body, thief.public_key_bytes, signature])))
    own = packed(msgpack.packb([version, body, thief.public_key_bytes, thief.sign(SIGNED + body)]))
    assert decode(own).owner == thief.peer_id, "whoever signs it is shown as its owner"
    assert key != thief.public_key_bytes


def test_another_version_is_told_as_such() -> None:
    with pytest.raises(WaggleError, match="format") as caught:
        decode(packed(msgpack.packb([2, b"whatever comes then"])))
    assert "version 2" in caught.value.why


def test_a_bomb_is_not_unpacked() -> None:
    bomb = SCHEME + base64.urlsafe_b64encode(zlib.compress(bytes(20_000_000), 9)).decode()
    assert len(bomb) < invite.MAX_TEXT
    with pytest.raises(WaggleError, match="damaged"):
        decode(bomb)
    nested = packed(b"\x91" * 100_000)
    with pytest.raises(WaggleError, match="damaged"):
        decode(nested)


SAME: Callable[[str], str] = lambda yaml_text: DIGEST  # noqa: E731


@pytest.mark.parametrize(
    ("change", "here", "digest", "words"),
    [
        ({}, "0.1.24", SAME, ""),
        ({"expires": NOW - 200_000}, "0.1.24", SAME, "expired 2 days ago"),
        ({"expires": NOW}, "0.1.24", SAME, "within the last day"),
        ({"issued": NOW + 9000}, "0.1.24", SAME, "2 hours from now"),
        ({}, "0.2.0", SAME, "reasoning-gym 0.1.24, here is 0.2.0"),
        ({}, "0.1.24", lambda text: "cd" * 32, "another digest"),
    ],
)
def test_what_cannot_be_joined_now_says_why(
    made: Invite, change: dict[str, Any], here: str, digest: Callable[[str], str], words: str
) -> None:
    changed = replace(made, **change)
    if not words:
        invite.require_valid(changed, NOW, digest, here)
        return
    with pytest.raises(WaggleError) as caught:
        invite.require_valid(changed, NOW, digest, here)
    assert words in caught.value.why
    assert caught.value.next_step


def test_what_would_be_refused_is_not_made(made: Invite, owner: identity.Identity) -> None:
    for wrong in (replace(made, bootnodes=()), replace(made, tasks="x" * 200_000)):
        with pytest.raises(ValueError, match="its"):
            invite.encode(wrong, owner.public_key_bytes, owner.sign)
