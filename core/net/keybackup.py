"""The format of an identity backup: a peer key, encrypted with a passphrase. Bytes in, bytes out.

A backup is one JSON object, version 1, base64 where there are bytes:

    {"format": "waggle identity backup", "version": 1, "peer_id": "Qm...", "created": 1790000000,
     "kdf": {"name": "scrypt", "n": 131072, "r": 8, "p": 1, "salt": ...},
     "cipher": {"name": "aes-256-gcm", "nonce": ...}, "data": ..., "checksum": ...}

key: scrypt (RFC 7914) of the passphrase, NFC, UTF-8. data: the swarm.pem under AES-256-GCM; the
other fields but `checksum` are authenticated with it, as JSON with sorted keys and no spaces.
checksum: hex SHA-256 over the same JSON with `data` in it. It needs no passphrase: it tells a
damaged file from a wrong passphrase, and protects against nobody.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import unicodedata
from dataclasses import dataclass
from typing import Any

from core.errors import WaggleError

FORMAT = "waggle identity backup"
VERSION = 1
MAX_BYTES = 64 * 1024
MIN_PASSPHRASE = 10
SCRYPT = {"n": 2**17, "r": 8, "p": 1}
"""128 MiB and about half a second: the passphrase is a person's."""
MAX_SCRYPT_BYTES = 2**29
"""A file may ask for this much memory at most, so that a forged one cannot exhaust it."""


@dataclass(frozen=True)
class Backup:
    """An undamaged backup file. created: Unix seconds, as the file says; `peer_id` is a claim
    until it is opened."""

    peer_id: str
    created: float
    _fields: dict[str, Any]

    def open(self, passphrase: str) -> bytes:
        """The bytes of the swarm.pem. WaggleError for another passphrase."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        kdf = self._fields["kdf"]
        key = _derive(passphrase, _bytes(kdf["salt"]), kdf["n"], kdf["r"], kdf["p"])
        head = {name: value for name, value in self._fields.items() if name != "data"}
        nonce, data = _bytes(self._fields["cipher"]["nonce"]), _bytes(self._fields["data"])
        try:
            return AESGCM(key).decrypt(nonce, data, _canonical(head))
        except InvalidTag as error:
            raise WaggleError(
                "The passphrase does not open this backup",
                "the file is whole, so the passphrase is another one",
                "Try again; it counts capitals and spaces. Without it nobody can open the backup",
            ) from error


def seal(key_file: bytes, peer_id: str, passphrase: str, now: float) -> bytes:
    """The bytes of a backup. WaggleError when the passphrase is too short."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    check_passphrase(passphrase)
    salt, nonce = os.urandom(16), os.urandom(12)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "peer_id": peer_id,
        "created": int(now),
        "kdf": {"name": "scrypt", **SCRYPT, "salt": _text(salt)},
        "cipher": {"name": "aes-256-gcm", "nonce": _text(nonce)},
    }
    key = _derive(passphrase, salt, **SCRYPT)
    fields = {**head, "data": _text(AESGCM(key).encrypt(nonce, key_file, _canonical(head)))}
    return json.dumps({**fields, "checksum": _checksum(fields)}, indent=1).encode() + b"\n"


def read(data: bytes, shown: str) -> Backup:
    """Check all that can be checked without the passphrase. WaggleError in plain words.

    shown: how messages call the file.
    """
    if len(data) > MAX_BYTES:
        raise _not_one(shown, "it is far too large")
    try:
        if data.count(b"{") > 3 or b"[" in data:  # deep nesting would crash the decoder
            raise ValueError("it is nested deeper than a backup")
        fields = json.loads(data)
    except ValueError as error:
        raise _not_one(shown, "it is not the JSON of one, or is cut off") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise _not_one(shown, "it has another format")
    version = fields.get("version")
    if version != VERSION:
        raise WaggleError(
            f"{shown} has a format that this Waggle does not know",
            f"it is version {str(version)[:20]}, known is {VERSION}",
            "Use the Waggle that made it, or a newer one",
        )
    checksum = fields.pop("checksum", None)
    if not _fits(fields) or checksum != _checksum(fields):
        raise WaggleError(
            f"The backup {shown} is damaged",
            "its content does not fit its checksum",
            "Take another copy of it",
        )
    return Backup(fields["peer_id"], float(fields["created"]), fields)


def check_passphrase(passphrase: str) -> None:
    """WaggleError when it is too short to protect a key for years."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise WaggleError(
            f"The passphrase is shorter than {MIN_PASSPHRASE} characters",
            "who finds the file could guess it",
            "Take a longer one, for example four or five unrelated words",
        )


def _fits(fields: dict[str, Any]) -> bool:
    kdf, cipher = fields.get("kdf"), fields.get("cipher")
    if not isinstance(kdf, dict) or not isinstance(cipher, dict):
        return False
    sizes = [kdf.get(name) for name in ("n", "r", "p")]
    if not all(type(size) is int and 0 < size <= 2**30 for size in sizes):
        return False
    n, r, p = (int(size or 0) for size in sizes)
    affordable = n >= 2 and n & (n - 1) == 0 and 128 * n * r * p <= MAX_SCRYPT_BYTES
    try:
        salt, nonce, data = (_bytes(x) for x in (kdf["salt"], cipher["nonce"], fields["data"]))
    except (KeyError, TypeError, ValueError):
        return False
    return (
        affordable
        and kdf.get("name") == "scrypt"
        and cipher.get("name") == "aes-256-gcm"
        and (len(salt), len(nonce)) == (16, 12)
        and len(data) >= 16
        and isinstance(fields.get("peer_id"), str)
        and type(fields.get("created")) is int
        and abs(fields["created"]) < 2**40
    )


def _derive(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    text = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(text)


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(fields)).hexdigest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    """ValueError for what is not base64."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, AttributeError) as error:
        raise ValueError("not base64") from error


def _not_one(shown: str, why: str) -> WaggleError:
    return WaggleError(
        f"{shown} is not an identity backup",
        why,
        "A backup is the file that `waggle identity backup` wrote; a swarm.pem is taken over with "
        "`waggle identity import`",
    )
