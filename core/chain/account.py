"""The account of a node: an Ethereum key in a keystore v3 file, and what opens it.

As it comes, the passphrase is random and lies beside the keystore (0600), so that a restart asks
nobody. The owner may lock it with a passphrase of his own instead, which lies nowhere in this
folder: such a keystore is marked, and opened with `unlock`. Where passphrases come from is not
known here. The key leaves a `Wallet` as signatures, and otherwise only where the owner takes it
along: `Wallet.key`.
"""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from core.chain.account_files import (
    LIGHT_N,
    MARK,
    STRONG_N,
    BadKeystore,
    WrongPassphrase,
    decrypt,
    encrypt,
    read,
)
from core.chain.account_lock import NonceLock, state_folder
from core.errors import ConfigError, StorageError
from core.home import atomic_write, exclusive, storage_errors, sync_folder

KEYSTORE = "keystore.json"
PASSPHRASE = "passphrase"
MAX_PASSPHRASE_BYTES = 4096


class Wallet:
    """Signs for one account. `folder` holds its files."""

    def __init__(self, key: bytes, folder: Path) -> None:
        """ValueError, without the key in it, when it is none of Ethereum's curve."""
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

    def key(self) -> bytes:
        """The private key, for its owner alone: never to be logged, kept open or sent."""
        return bytes(self._account.key)

    @property
    def state_dir(self) -> Path:
        """A folder (0700) that all processes and homes of this user share for this account."""
        return self._lock.path.parent

    def nonce_lock(self, timeout_s: float) -> AbstractContextManager[None]:
        """Held by one sender of all processes and homes of this user at a time, from reading the
        nonce to sending. TransientError when another one holds it longer than `timeout_s`."""
        return self._lock.held(timeout_s)


def load_or_create(folder: Path) -> Wallet:
    """The account in `folder`, opened with what lies beside it; a new one when there is none yet.

    ConfigError when its owner locked it with a passphrase of his own. StorageError when the files
    cannot be read, do not fit together, or cannot be written. A damaged keystore is never
    replaced: peer ids are bound to its account.
    """
    with creating(folder):
        if not (folder / KEYSTORE).exists():
            from eth_account import Account

            key = bytes(Account.create().key)
            write(folder, key)
            return Wallet(key, folder)
    path = folder / KEYSTORE
    keystore = _keystore(path)
    if is_locked(folder):
        raise ConfigError(
            f"The account in {folder} is locked with its owner's passphrase, and none was given",
            "" if MARK in keystore else f"there is no file {PASSPHRASE} beside its keystore either",
            "See `waggle account passphrase --help` for the ways to give it",
        )
    return _opened(folder, keystore, _beside(folder), "the passphrase beside it does not open it")


def unlock(folder: Path, passphrase: str) -> Wallet:
    """The account in `folder`, opened with its owner's passphrase; takes seconds. WrongPassphrase,
    StorageError."""
    keystore = _keystore(folder / KEYSTORE)
    try:
        return Wallet(decrypt(keystore, passphrase), folder)
    except BadKeystore as error:
        raise _damaged(folder / KEYSTORE, str(error)) from None


def is_locked(folder: Path) -> bool:
    """Whether a passphrase is needed that does not lie beside the keystore. StorageError."""
    path = folder / KEYSTORE
    if not path.exists():
        return False
    return MARK in _keystore(path) or not (folder / PASSPHRASE).exists()


def address_of(folder: Path) -> str | None:
    """The address, without decrypting; None when there is no account yet."""
    path = folder / KEYSTORE
    if not path.exists():
        return None
    from eth_utils.address import to_checksum_address

    address = _keystore(path).get("address")
    if address is None:
        raise _damaged(path, "it names no address")
    return str(to_checksum_address("0x" + address))


def creating(folder: Path) -> AbstractContextManager[None]:
    """Held by whoever writes the account's files: two at once would leave one's passphrase beside
    the other's keystore."""
    return exclusive(folder / "account.lock")


def write(folder: Path, key: bytes, passphrase: str | None = None) -> None:
    """Lock `key` with the owner's passphrase, or with a random one that lies beside; the caller
    holds `creating`. Whatever was there and has not been set aside is of the same key."""
    if passphrase is None:
        chance = secrets.token_hex(32)
        # The passphrase first: a crash between the two leaves no keystore that nobody can open.
        atomic_write(folder / PASSPHRASE, chance.encode())
        atomic_write(folder / KEYSTORE, encrypt(key, chance, LIGHT_N))
        return
    # And here last: until the keystore is replaced it is what opens it.
    atomic_write(folder / KEYSTORE, encrypt(key, passphrase, STRONG_N, owners=True))
    with storage_errors(folder / PASSPHRASE):
        (folder / PASSPHRASE).unlink(missing_ok=True)
        sync_folder(folder)


def _opened(folder: Path, keystore: dict[str, Any], passphrase: str, wrong: str) -> Wallet:
    try:
        return Wallet(decrypt(keystore, passphrase), folder)
    except WrongPassphrase:
        raise _damaged(folder / KEYSTORE, wrong) from None
    except BadKeystore as error:
        raise _damaged(folder / KEYSTORE, str(error)) from None


def _keystore(path: Path) -> dict[str, Any]:
    try:
        return read(path)
    except BadKeystore as error:
        raise _damaged(path, str(error)) from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _beside(folder: Path) -> str:
    path = folder / PASSPHRASE
    try:
        with path.open("rb") as source:
            data = source.read(MAX_PASSPHRASE_BYTES)
        return data.decode().strip()
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError:
        raise _damaged(path, "it is not text") from None


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot read {path}",
        error.strerror or str(error),
        "Give your user permission to read it, or restore the account folder from a backup",
    )


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(
        f"The account file {path} cannot be used",
        why,
        "Restore the account folder from a backup, or move it away to start with a new account "
        "(and then a new identity: peer ids stay bound to the old account)",
    )
