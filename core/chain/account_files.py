"""An Ethereum key in a keystore of version 3 (the Web3 Secret Storage Definition), as every wallet
writes and reads it.

A file may come from anywhere: all of it is bounded and checked before a key derivation begins.
Neither key nor passphrase reaches an error, nor the cause of one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

MAX_FILE_BYTES = 64 * 1024
LIGHT_N = 2**14
"""0.1 s and 16 MiB: a passphrase of 256 random bits is no safer behind anything slower."""
STRONG_N = 2**18
"""2 s and 256 MiB, what geth takes: for a passphrase that a person chose."""
MAX_SCRYPT_BYTES = 2**30
MAX_SCRYPT_WORK = 2**24
"""n * r * p: eight times what geth takes."""
MAX_PBKDF2_ROUNDS = 10**7
MAX_SALT_BYTES = 1024
MARK = "x-waggle"
"""Other wallets leave out what they do not know. Present: the owner chose the passphrase."""


class BadKeystore(Exception):
    """The words say what is wrong with it, so far as it may be told."""


class WrongPassphrase(Exception):
    """The keystore is whole, and this passphrase does not open it."""


def read(path: Path) -> dict[str, Any]:
    """The keystore in a file. OSError, BadKeystore."""
    with path.open("rb") as source:
        return parse(source.read(MAX_FILE_BYTES + 1))


def parse(data: bytes) -> dict[str, Any]:
    """What is needed of a keystore, its names in lower case and every value checked.

    `address` is there with 40 hexadecimal digits, or not at all. BadKeystore.
    """
    if len(data) > MAX_FILE_BYTES:
        raise BadKeystore("it is far too large")
    try:
        whole = _lowered(json.loads(data))
    except (ValueError, RecursionError):
        raise BadKeystore("it is not JSON") from None
    if whole.get("version") != 3:
        raise BadKeystore("it is not an Ethereum keystore of version 3")
    crypto = _lowered(whole.get("crypto"))
    kdf, params = crypto.get("kdf"), _lowered(crypto.get("kdfparams"))
    if crypto.get("cipher") != "aes-128-ctr":
        raise BadKeystore("its cipher is not aes-128-ctr")
    if kdf not in ("scrypt", "pbkdf2"):
        raise BadKeystore("its key derivation is neither scrypt nor pbkdf2")
    if params.get("dklen") != 32:
        raise BadKeystore("its key derivation gives no 32 bytes")
    costs = _scrypt(params) if kdf == "scrypt" else _pbkdf2(params)
    kept: dict[str, Any] = {
        "version": 3,
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": _hex(_lowered(crypto.get("cipherparams")), "iv", 16, 16)},
            "ciphertext": _hex(crypto, "ciphertext", 1, 32),
            "mac": _hex(crypto, "mac", 32, 32),
            "kdf": kdf,
            "kdfparams": {"dklen": 32, "salt": _hex(params, "salt", 0, MAX_SALT_BYTES), **costs},
        },
    }
    if whole.get("address"):
        kept["address"] = _hex(whole, "address", 20, 20)
    if MARK in whole:
        kept[MARK] = True
    return kept


def _scrypt(params: dict[str, Any]) -> dict[str, Any]:
    n, r, p = (params.get(name) for name in "nrp")
    if type(n) is not int or type(r) is not int or type(p) is not int:
        raise BadKeystore("it does not say what its scrypt costs")
    if min(n - 1, r, p) < 1 or n & (n - 1):
        raise BadKeystore("its scrypt costs are none")
    if 128 * n * r > MAX_SCRYPT_BYTES or n * r * p > MAX_SCRYPT_WORK:
        raise BadKeystore("its key derivation asks for too much memory or time")
    return {"n": n, "r": r, "p": p}


def _pbkdf2(params: dict[str, Any]) -> dict[str, Any]:
    rounds = params.get("c")
    if type(rounds) is not int or rounds < 1 or params.get("prf") != "hmac-sha256":
        raise BadKeystore("its pbkdf2 is not one of hmac-sha256")
    if rounds > MAX_PBKDF2_ROUNDS:
        raise BadKeystore("its key derivation asks for too much memory or time")
    return {"c": rounds, "prf": "hmac-sha256"}


def _lowered(value: object) -> dict[str, Any]:
    """geth writes `crypto`, older wallets `Crypto`. Nothing, for what is no JSON object."""
    if not isinstance(value, dict):
        return {}
    return {str(name).lower(): each for name, each in value.items()}


def _hex(fields: dict[str, Any], name: str, least: int, most: int) -> str:
    """The digits of `least` to `most` bytes, without 0x."""
    text = fields.get(name)
    digits = text.removeprefix("0x") if isinstance(text, str) else "?"
    size = len(digits) / 2
    if not re.fullmatch(r"([0-9a-fA-F]{2})*", digits) or not least <= size <= most:
        raise BadKeystore(f"its {name} is not hexadecimal, or not as long as it has to be")
    return digits


def decrypt(keystore: dict[str, Any], passphrase: str) -> bytes:
    """The 32 bytes of the key; takes what the key derivation costs. `keystore`: of `parse`.

    WrongPassphrase. BadKeystore when the key in it is none, or not that of the address it names.
    """
    import eth_keyfile
    from eth_account import Account
    from eth_keyfile.exceptions import EthKeyfileValueError

    try:
        key = bytes(eth_keyfile.decode_keyfile_json(keystore, passphrase.encode()))
    except EthKeyfileValueError:
        raise WrongPassphrase from None
    key = key.rjust(32, b"\0")  # geth once left out leading zeros
    try:
        address = str(Account.from_key(key).address)
    except ValueError:
        raise BadKeystore("what is in it is no key of Ethereum's curve") from None
    if keystore.get("address", address[2:]).lower() != address[2:].lower():
        raise BadKeystore("the key in it belongs to another address than it names")
    return key


def encrypt(key: bytes, passphrase: str, n: int, owners: bool = False) -> bytes:
    """A keystore file for `key`. n: the cost of scrypt. owners: the owner chose the passphrase."""
    import eth_keyfile

    made = eth_keyfile.create_keyfile_json(
        key, passphrase.encode(), version=3, kdf="scrypt", iterations=n
    )
    made["address"] = made["address"].lower()  # as geth writes it
    if owners:
        made[MARK] = "locked with a passphrase of the owner"
    return json.dumps(made, indent=1).encode() + b"\n"
