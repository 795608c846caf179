"""The peer identity: one RSA key in `swarm.pem`, in the format that p2pd and RL-Swarm nodes read.

The file is a libp2p `PrivateKey` message (protobuf: field 1 the key type, RSA = 0; field 2 the
PKCS #1 DER of the key). The peer id is the base58 of the SHA-256 multihash of the marshalled
public key (libp2p specification, peer-ids). This module parses that by hand, so that a console or
`waggle identity show` needs neither hivemind nor protobuf. An existing file is never overwritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.errors import StorageError, WaggleError
from core.home import atomic_write, exclusive
from core.net.names import animal_name

KEY_BITS = 2048
MAX_KEY_BITS = 4096
MAX_FILE_BYTES = 16_384
MAX_PUBLIC_KEY_BYTES = 600
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_KINDS = {1: "an Ed25519 key", 2: "a secp256k1 key", 3: "an ECDSA key"}
"""Key types of libp2p's PrivateKey message, other than RSA."""
_SHA2_256 = b"\x12\x20"
"""Multihash head: function 0x12, 32 bytes."""


@dataclass(frozen=True)
class Identity:
    """Who this node is. `sign` is RSA-PSS with SHA-256; the private key never leaves it.

    public_key_bytes: DER SubjectPublicKeyInfo.
    """

    peer_id: str
    name: str
    public_key_bytes: bytes
    sign: Callable[[bytes], bytes]
    path: Path

    def __repr__(self) -> str:
        return f"Identity({self.peer_id}, {self.name!r})"


def load_or_create(path: Path) -> Identity:
    """The identity in `path`, made when there is no such file.

    WaggleError when the file cannot be used; it is left as it is. Its mode is mended to 0600
    when others could read it.
    """
    if not path.exists() and not path.is_symlink():
        with exclusive(path.with_suffix(".lock")):
            if not path.exists():
                atomic_write(path, generate())
    return load(path)


def load(path: Path) -> Identity:
    """The identity in `path`; WaggleError when there is none or it cannot be used."""
    return from_bytes(_read(path), path)


def from_bytes(data: bytes, path: Path) -> Identity:
    """The identity in the bytes of a key file; messages call it `path`. WaggleError."""
    key = _parse_private(data, path)
    public_key = _public_der(key.public_key())
    peer_id = peer_id_of(public_key)

    def sign(data: bytes) -> bytes:
        padding, digest = _scheme()
        signature: bytes = key.sign(data, padding, digest)
        return signature

    return Identity(peer_id, animal_name(peer_id), public_key, sign, path)


def peer_id_of(public_key_bytes: bytes) -> str:
    """The peer id (`Qm…`) of an RSA public key given as DER SubjectPublicKeyInfo."""
    marshalled = b"\x08\x00\x12" + _varint(len(public_key_bytes)) + public_key_bytes
    return base58(_SHA2_256 + hashlib.sha256(marshalled).digest())


def verify(public_key_bytes: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` was made with that key. Never raises for what it is given."""
    from cryptography.exceptions import InvalidSignature

    key = _public_key(public_key_bytes)
    if key is None:
        return False
    padding, digest = _scheme()
    try:
        key.verify(signature, data, padding, digest)
    except InvalidSignature:
        return False
    return True


def base58(data: bytes) -> str:
    """Bitcoin's base58, as libp2p writes peer ids."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def _read(path: Path) -> bytes:
    try:
        info = path.stat()
        if info.st_mode & 0o077:
            path.chmod(0o600)
        if info.st_size > MAX_FILE_BYTES:
            raise _damaged(path, f"it has {info.st_size} bytes, a peer key has about 1200")
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"Cannot read the peer identity {path}",
            error.strerror or str(error),
            "Make the file readable for your user; it was not changed",
        ) from error


def _damaged(path: Path, why: str) -> WaggleError:
    return WaggleError(
        f"The peer identity {path} is damaged",
        why,
        "Restore it from a backup, or move the file away to start as a new peer; "
        "Waggle does not overwrite it",
    )


def _parse_private(data: bytes, path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    if len(data) > MAX_FILE_BYTES:
        raise _damaged(path, f"it has more than {MAX_FILE_BYTES} bytes, a peer key has about 1200")
    _refuse_other_formats(data, path)
    try:
        kind, der = _parse_key_message(data)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if kind != 0:
        raise WaggleError(
            f"The peer identity {path} is of a kind that Waggle does not use",
            f"it is {_KINDS.get(kind, 'an unknown kind of key')}; swarms of this kind know RSA "
            "keys only",
            "Move the file away to start as a new peer, or put an RSA swarm.pem there",
        )
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError) as error:
        raise _damaged(path, "the key inside cannot be read") from error
    if not isinstance(key, rsa.RSAPrivateKey) or not KEY_BITS <= key.key_size <= MAX_KEY_BITS:
        raise _damaged(path, f"the key inside is not an RSA key of at least {KEY_BITS} bits")
    return key


def _refuse_other_formats(data: bytes, path: Path) -> None:
    """Tell what a person may have taken for a swarm.pem."""
    head = data[:256].lstrip()
    if head.startswith(b"-----BEGIN"):
        kind = head.splitlines()[0].strip(b"- ").decode("ascii", "replace").removeprefix("BEGIN ")
        raise WaggleError(
            f"{path} is not a peer identity",
            f"it is a key in PEM text ({kind[:40].lower()}); a swarm.pem, despite its name, is a "
            "binary libp2p key",
            "Take the swarm.pem that the other node runs with; the file was not changed",
        )
    if head.startswith(b"ssh-") or head.startswith(b"{"):
        what = "an SSH key" if head.startswith(b"ssh-") else "a JSON file"
        raise WaggleError(
            f"{path} is not a peer identity",
            f"it is {what}; a swarm.pem is a binary libp2p key",
            "Take the swarm.pem of the other node; a backup that Waggle made is read by "
            "`waggle identity restore`",
        )


def generate() -> bytes:
    """The bytes of a new key file."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return b"\x08\x00\x12" + _varint(len(der)) + der


def _public_der(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    der: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der


@lru_cache(maxsize=512)
def _public_key(der: bytes) -> Any:
    """The RSA key, or None when it is none or of an unreasonable size."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    if len(der) > MAX_PUBLIC_KEY_BYTES:
        return None
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, rsa.RSAPublicKey) or not KEY_BITS <= key.key_size <= MAX_KEY_BITS:
        return None
    return key


@lru_cache(maxsize=1)
def _scheme() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = hashes.SHA256()
    return padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH), digest


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 35:
        value |= (data[at] & 0x7F) << shift
        at, shift, last = at + 1, shift + 7, data[at] < 0x80
        if last:
            return value, at
    raise ValueError("it ends in the middle of a number")


def _parse_key_message(data: bytes) -> tuple[int, bytes]:
    """(key type, key bytes) of a libp2p key message; ValueError unless it is exactly one."""
    kind: int | None = None
    key: bytes | None = None
    at = 0
    while at < len(data):
        tag = data[at]
        value, at = _read_varint(data, at + 1)
        if tag == 0x08 and kind is None:
            kind = value
        elif tag == 0x12 and key is None:
            key = data[at : at + value]
            if len(key) != value:
                raise ValueError("it is shorter than it says")
            at += value
        else:
            raise ValueError("it is not a libp2p key file")
    if kind is None or not key:
        raise ValueError("it is empty" if not data else "it is not a libp2p key file")
    return kind, key
