"""Encrypted backups of a key: they open with their passphrase alone, and lie about nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WaggleError
from core.net import keybackup

SECRET = "four unrelated words"
KEY = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return keybackup.seal(KEY, "QmPeer", SECRET, 1_790_000_000.7)


def changed(sealed: bytes, **fields: object) -> bytes:
    """As a forger would: other fields, with a checksum that fits them."""
    data = json.loads(sealed) | fields
    data.pop("checksum")
    return json.dumps({**data, "checksum": keybackup._checksum(data)}).encode()


def test_opens_with_its_passphrase(sealed: bytes) -> None:
    backup = keybackup.read(sealed, "file")
    assert (backup.peer_id, backup.created) == ("QmPeer", 1_790_000_000)
    assert backup.open(SECRET) == KEY
    with pytest.raises(WaggleError, match="passphrase does not open"):
        backup.open(SECRET + " ")


def test_nothing_of_the_key_or_the_passphrase_is_in_the_file(sealed: bytes) -> None:
    assert SECRET.encode() not in sealed
    assert KEY[:32] not in sealed
    again = keybackup.seal(KEY, "QmPeer", SECRET, 1_790_000_000.7)
    assert json.loads(again)["data"] != json.loads(sealed)["data"], "salt and nonce are fresh"


def test_the_same_letters_however_they_are_typed(sealed: bytes) -> None:
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    made = keybackup.seal(KEY, "QmPeer", composed, 1_790_000_000)
    assert keybackup.read(made, "file").open(decomposed) == KEY


@given(st.data())
def test_a_damaged_file_is_told_without_a_passphrase(sealed: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(sealed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != sealed[position]))
    broken = sealed[:position] + bytes([byte]) + sealed[position + 1 :]
    try:
        found: object = keybackup.read(broken, "file")
    except WaggleError as refusal:
        found = refusal.what
    if isinstance(found, str):
        assert "file" in found
    else:
        assert found == keybackup.read(sealed, "file")  # white space changed: it says the same


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_no_bytes_crash_it(data: bytes) -> None:
    with pytest.raises(WaggleError):
        keybackup.read(data, "file")


def test_the_header_is_bound_to_the_key(sealed: bytes) -> None:
    """Who changes it with a fitting checksum gets a backup that does not open."""
    for fields in ({"peer_id": "QmOther"}, {"created": 1}, {"extra": "field"}):
        backup = keybackup.read(changed(sealed, **fields), "file")
        with pytest.raises(WaggleError, match="does not open"):
            backup.open(SECRET)


@pytest.mark.parametrize(
    "kdf",
    [
        {"n": 2**30},
        {"n": 2**17, "r": 2**20},
        {"p": 2**20},
        {"n": 1000},
        {"n": 0},
        {"n": True},
        {"n": 1.5},
        {"name": "pbkdf2"},
        {"salt": "no base64!"},
    ],
)
def test_a_key_derivation_that_asks_for_too_much_is_refused(
    sealed: bytes, kdf: dict[str, object]
) -> None:
    forged = changed(sealed, kdf=json.loads(sealed)["kdf"] | kdf)
    with pytest.raises(WaggleError, match="damaged"):
        keybackup.read(forged, "file")


def test_other_versions_and_files_are_told_apart(sealed: bytes) -> None:
    for data, word in (
        (changed(sealed, version=2), "version 2"),
        (changed(sealed, format="something"), "another format"),
        (b"[" * 60_000, "not the JSON"),
        (sealed * 200, "too large"),
        (sealed[:-40], "cut off"),
    ):
        with pytest.raises(WaggleError, match=word):
            keybackup.read(data, "file")


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(WaggleError, match="shorter than 10"):
        keybackup.seal(KEY, "QmPeer", "too short", 0)
