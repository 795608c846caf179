"""Keystores of other wallets, and files that only pretend to be one.

The vectors are those of the Web3 Secret Storage Definition, which every wallet is tested against,
and of geth for the short keys it once wrote; MetaMask's and ethers' files have the same shape with
other names in capitals.
"""

from __future__ import annotations

import contextlib
import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chain.account_files import (
    LIGHT_N,
    MARK,
    BadKeystore,
    WrongPassphrase,
    decrypt,
    encrypt,
    parse,
)

WEB3 = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
PBKDF2: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "r": 1,
            "p": 8,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SHORT: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "3ca92af36ad7c2cd92454c59cea5ef00"},
        "ciphertext": "108b7d34f3442fc26ab1ab90ca91476ba6bfa8c00975a49ef9051dc675aa",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 2,
            "r": 8,
            "p": 1,
            "salt": "d0769e608fb86cda848065642a9c6fa046845c928175662b8e356c77f914cd3b",
        },
        "mac": "75d0e6759f7b3cefa319c3be41680ab6beea7d8328653474bd06706d4cc67420",
    },
    "version": 3,
}


def data(keystore: dict[str, Any]) -> bytes:
    return json.dumps(keystore).encode()


@pytest.mark.parametrize(
    ("keystore", "passphrase", "key"),
    [
        (PBKDF2, "testpassword", WEB3),
        (SCRYPT, "testpassword", WEB3),
        (SHORT, "foo", "000081c29e8142bb6a81bef5a92bda7a8328a5c85bb2f9542e76f9b0f94fc018"),
    ],
    ids=["pbkdf2", "scrypt", "a key of 30 bytes"],
)
def test_keystores_of_other_wallets_open(
    keystore: dict[str, Any], passphrase: str, key: str
) -> None:
    assert decrypt(parse(data(keystore)), passphrase).hex() == key
    with pytest.raises(WrongPassphrase):
        decrypt(parse(data(SHORT)), passphrase + "x")


def test_the_names_that_ethers_and_myetherwallet_write() -> None:
    older = {"Crypto": SHORT["crypto"], "Version": 3, "id": "x", "x-ethers": {"client": "ethers"}}
    older["address"] = "0xBE862AD9ABFE6F22BCB087716C7D89A26051F74C"
    with pytest.raises(BadKeystore, match="another address"):
        decrypt(parse(data(older)), "foo")
    del older["address"]
    assert decrypt(parse(data(older)), "foo")


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@given(st.integers(1, ORDER - 1), st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
@settings(max_examples=25, deadline=None)
def test_what_is_written_opens_with_its_passphrase_alone(number: int, passphrase: str) -> None:
    key = number.to_bytes(32, "big")
    written = encrypt(key, passphrase, 2)
    assert decrypt(parse(written), passphrase) == key
    with pytest.raises(WrongPassphrase):
        decrypt(parse(written), passphrase + "x")


def test_only_an_owners_keystore_is_marked() -> None:
    key = b"\x11" * 32
    assert MARK not in parse(encrypt(key, "x", LIGHT_N))
    assert MARK in parse(encrypt(key, "x", 2, owners=True))


def changed(path: str, value: object) -> bytes:
    """SHORT with one value replaced, at `a.b.c`; `...` leaves it out."""
    made = copy.deepcopy(SHORT)
    *outer, last = path.split(".")
    inside = made
    for name in outer:
        inside = inside[name]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return data(made)


PARAMS = "crypto.kdfparams."


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 1),
        ("version", ...),
        ("crypto", ...),
        ("crypto", []),
        ("address", "12"),
        ("address", 7),
        ("crypto.cipher", "aes-256-ctr"),
        ("crypto.cipherparams", None),
        ("crypto.cipherparams.iv", "00" * 17),
        ("crypto.cipherparams.iv", 5),
        ("crypto.ciphertext", "00" * 33),
        ("crypto.ciphertext", ""),
        ("crypto.ciphertext", "0g"),
        ("crypto.mac", "00"),
        ("crypto.kdf", "argon2"),
        ("crypto.kdf", "pbkdf2"),
        ("crypto.kdfparams", 1),
        (PARAMS + "dklen", 2**31),
        (PARAMS + "salt", "00" * 2000),
        (PARAMS + "n", 2**40),
        (PARAMS + "n", 3),
        (PARAMS + "n", 1),
        (PARAMS + "n", True),
        (PARAMS + "n", "2"),
        (PARAMS + "r", 2**30),
        (PARAMS + "r", 0),
        (PARAMS + "p", 10**9),
        (PARAMS + "p", -1),
        (PARAMS + "p", ...),
    ],
)
def test_a_hostile_keystore_is_refused_before_anything_is_derived(path: str, value: object) -> None:
    before = time.monotonic()
    with pytest.raises(BadKeystore) as told:
        parse(changed(path, value))
    assert str(told.value)
    assert time.monotonic() - before < 0.5


@pytest.mark.parametrize(
    "params", [{"c": 10**8}, {"c": 0}, {"c": 1.5}, {"prf": "hmac-md5"}, {"prf": None}]
)
def test_a_hostile_pbkdf2_is_refused(params: dict[str, Any]) -> None:
    made = copy.deepcopy(PBKDF2)
    made["crypto"]["kdfparams"].update(params)
    with pytest.raises(BadKeystore):
        parse(data(made))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=200, deadline=None)
def test_anything_at_all_is_parsed_or_refused(blob: bytes) -> None:
    with pytest.raises(BadKeystore):
        parse(blob)


@given(
    st.sampled_from(["version", "address", "crypto", "crypto.kdf", "crypto.mac", PARAMS + "n"]),
    JSON,
)
@settings(max_examples=200, deadline=None)
def test_any_value_anywhere_is_parsed_or_refused(path: str, value: object) -> None:
    try:
        keystore = parse(changed(path, value))
    except BadKeystore:
        return
    with contextlib.suppress(WrongPassphrase, BadKeystore):
        assert len(decrypt(keystore, "foo")) == 32
