"""The account of a node: an Ethereum key in a keystore v3 file.

The passphrase is random and lies beside the keystore (0600), so that a restart asks nobody; the
keystore is the format that every wallet can import, and a person may move both to another machine.
The private key never leaves this module but as signatures.
"""

from __future__ import annotations

import json
import secrets
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from core.chain.account_lock import NonceLock, state_folder
from core.errors import StorageError
from core.home import atomic_write, exclusive

KEYSTORE = "keystore.json"
PASSPHRASE = "passphrase"
SCRYPT_N = 2**14
"""0.1 s and 16 MiB. The passphrase has 256 random bits: a slower function would protect nothing."""
MAX_FILE_BYTES = 64 * 1024


class Wallet:
    """Signs for one account. `folder` holds its files."""

    def __init__(self, key: bytes, folder: Path) -> None:
        from eth_account import Account

        self._account = Account.from_key(key)
        self.address: str = self._account.address
        self.folder = folder
        self._lock = NonceLock(state_folder(self.address, instead=folder), folder.parent)

    def __repr__(self) -> str:
        return f"Wallet({self.address})"

    def sign(self, transaction: dict[str, Any]) -> bytes:
        """The raw bytes of a signed transaction."""
        return bytes(self._account.sign_transaction(transaction).raw_transaction)

    @property
    def state_dir(self) -> Path:
        """A folder (0700) that all processes and homes of this user share for this account."""
        return self._lock.path.parent

    def nonce_lock(self, timeout_s: float) -> AbstractContextManager[None]:
        """Held by one sender of all processes and homes of this user at a time, from reading the
        nonce to sending. TransientError when another one holds it longer than `timeout_s`."""
        return self._lock.held(timeout_s)


def load_or_create(folder: Path) -> Wallet:
    """The account in `folder`; a new one when there is none yet.

    StorageError when the files cannot be read, do not fit together, or cannot be written. A
    damaged keystore is never replaced: peer ids are bound to its account.
    """
    with creating(folder):
        if not (folder / KEYSTORE).exists():
            from eth_account import Account

            key = bytes(Account.create().key)
            write(folder, key)
            return Wallet(key, folder)
    return _load(folder)


def address_of(folder: Path) -> str | None:
    """The address, without decrypting; None when there is no account yet."""
    path = folder / KEYSTORE
    if not path.exists():
        return None
    from eth_utils.address import is_hex_address, to_checksum_address

    address = str(_read_keystore(path).get("address", ""))
    if not is_hex_address(address):
        raise _damaged(path, "it names no address")
    return str(to_checksum_address(address))


def creating(folder: Path) -> AbstractContextManager[None]:
    """Held by whoever writes the account's files: two at once would leave one's passphrase beside
    the other's keystore."""
    return exclusive(folder / "account.lock")


def write(folder: Path, key: bytes) -> None:
    """Encrypt `key` with a new passphrase, in place of nothing; the caller holds `creating`."""
    import eth_keyfile

    passphrase = secrets.token_hex(32).encode()
    keystore = eth_keyfile.create_keyfile_json(
        key, passphrase, version=3, kdf="scrypt", iterations=SCRYPT_N
    )
    # The passphrase first: a crash between the two leaves no keystore that nobody can open.
    atomic_write(folder / PASSPHRASE, passphrase)
    atomic_write(folder / KEYSTORE, json.dumps(keystore, indent=1).encode())


def _load(folder: Path) -> Wallet:
    import eth_keyfile

    path = folder / KEYSTORE
    keystore = _read_keystore(path)
    passphrase = _read(folder / PASSPHRASE).strip()
    check_cost(path, keystore)
    try:
        key = eth_keyfile.decode_keyfile_json(keystore, passphrase)
    except ValueError as error:
        raise _damaged(path, "the passphrase beside it does not open it") from error
    except (KeyError, TypeError, AttributeError, NotImplementedError) as error:
        raise _damaged(path, "it is not an Ethereum keystore of version 3") from error
    return Wallet(bytes(key), folder)


def check_cost(path: Path, keystore: dict[str, Any]) -> None:
    """Refuse a keystore whose key derivation would take gigabytes or minutes."""
    crypto = keystore.get("crypto", keystore.get("Crypto"))
    params = crypto.get("kdfparams") if isinstance(crypto, dict) else None
    if not isinstance(params, dict):
        raise _damaged(path, "it is not an Ethereum keystore of version 3")
    n, r, rounds = (params.get(name, 1) for name in ("n", "r", "c"))
    whole = all(isinstance(each, int) and each > 0 for each in (n, r, rounds))
    if not whole or n * r * 128 > 2**30 or rounds > 10**7:
        raise _damaged(path, "its key derivation asks for too much memory or time")


def _read_keystore(path: Path) -> dict[str, Any]:
    try:
        keystore = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(keystore, dict):
        raise _damaged(path, "it is not a JSON object")
    return keystore


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as source:
            data = source.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise StorageError(
            f"Cannot read {path}",
            error.strerror or str(error),
            "Give your user permission to read it, or restore the account folder from a backup",
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise _damaged(path, "it is far too large")
    return data


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(
        f"The account file {path} cannot be used",
        why,
        "Restore the account folder from a backup, or move it away to start with a new account "
        "(and then a new identity: peer ids stay bound to the old account)",
    )
