"""What can be done with the account of a home: make, take over, lock, export.

An existing account is never overwritten: at most it is set aside, as keystore.json.1 and
passphrase.1, .2, and so on. It knows files; what is printed about them is in `commands.py`, and
where a passphrase comes from in `unlock.py`.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import StorageError, WaggleError
from core.home import Home, HomeLock, atomic_write, storage_errors

if TYPE_CHECKING:
    from core.chain.account import Wallet

MAX_NOTE_BYTES = 8192
PHRASE = "its recovery phrase was written down"


@dataclass(frozen=True)
class KeptNote:
    """When and how a copy of the key was last made. time: Unix seconds."""

    address: str
    time: float
    how: str


def kept_note(home: Home, address: str) -> KeptNote | None:
    """The last copy of that account; None when none is known. Never raises."""
    try:
        with (home.account / "kept.json").open("rb") as source:
            data = json.loads(source.read(MAX_NOTE_BYTES))
        note = KeptNote(str(data["address"]), float(data["time"]), str(data["how"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return note if note.address == address and 0 < note.time < 2**40 else None


def note_kept(home: Home, address: str, how: str) -> None:
    note = KeptNote(address, time.time(), how)
    atomic_write(home.account / "kept.json", json.dumps(asdict(note)).encode())


def existing(home: Home) -> str:
    """The address of the home's account. WaggleError when it has none."""
    from core.chain.account import address_of

    address = address_of(home.account)
    if address is None:
        raise WaggleError(
            f"There is no account in {home.path} yet",
            "",
            "Make one with `waggle account new`; the first start of ./waggle does so as well",
        )
    return address


def check_free(home: Home, *, aside: bool, wanted: str = "") -> None:
    """WaggleError when another account than `wanted` is there and not to be set aside, or while
    a node runs on the home. Asked before a person is made to type anything."""
    from core.chain.account import KEYSTORE, address_of

    if HomeLock(home).held_by_other():
        raise StorageError(
            "A node runs on this home, with the account that is there",
            "an account is only changed while its node stands still",
            "Stop the node first",
        )
    if aside or not (home.account / KEYSTORE).exists():
        return
    try:
        there = address_of(home.account)
    except StorageError as error:
        raise WaggleError(
            f"There is an account already in {home.account}, and it cannot be used",
            error.why or error.what,
            "Add --set-aside to keep it beside the new one",
        ) from error
    if there != wanted:
        raise WaggleError(
            f"This home has an account already: {there}",
            "it is never overwritten: peer ids and what they earned are bound to it",
            "Add --set-aside to keep it as keystore.json.1 and go on with the other one, or use "
            "another home: --home DIR",
        )


def put(home: Home, key: bytes, *, passphrase: str | None = None, aside: bool = False) -> Wallet:
    """Make `key` the account of the home; see `check_free` for what is raised.

    passphrase: the owner's; None for a random one that lies beside the keystore. The same account
    once more is locked anew: that is the way back for who has lost its passphrase.
    """
    from core.chain.account import Wallet, creating, write

    wallet = Wallet(key, home.account)
    check_free(home, aside=aside, wanted=wallet.address)
    home.create()
    with creating(home.account):
        check_free(home, aside=aside, wanted=wallet.address)
        _set_aside(home.account)
        write(home.account, key, passphrase)
    return wallet


def _set_aside(folder: Path) -> None:
    """Both files under one number: a keystore without its own passphrase is worth nothing."""
    from core.chain.account import KEYSTORE, PASSPHRASE

    number = 1
    while any((folder / f"{name}.{number}").exists() for name in (KEYSTORE, PASSPHRASE)):
        number += 1
    # The keystore leaves first: it must never stand beside a passphrase not its own.
    for name in (KEYSTORE, PASSPHRASE):
        if (folder / name).exists():
            with storage_errors(folder / name):
                (folder / name).rename(folder / f"{name}.{number}")


def set_passphrase(home: Home, wallet: Wallet, passphrase: str | None) -> None:
    """Lock the opened account anew. None: a random passphrase, beside the keystore, if there is
    none yet: to replace one that lies there, by another, would gain nothing and could fail."""
    from core.chain.account import creating, is_locked, write

    check_free(home, aside=True)
    with creating(home.account):
        if existing(home) != wallet.address:
            raise WaggleError("The account was changed meanwhile", "", "Try again")
        if passphrase is not None or is_locked(home.account):
            write(home.account, wallet.key(), passphrase)


def export_keystore(home: Home, wallet: Wallet, target: Path, passphrase: str) -> Path:
    """Write a keystore that every wallet opens, and remember that there is a copy. WaggleError when
    there is such a file already."""
    from core.chain.account_files import STRONG_N, encrypt

    return _export(home, wallet, target, encrypt(wallet.key(), passphrase, STRONG_N))


def export_key(home: Home, wallet: Wallet, target: Path) -> Path:
    """Write the private key, as it is, to a new file that the user alone can read."""
    return _export(home, wallet, target, b"0x" + wallet.key().hex().encode() + b"\n")


def _export(home: Home, wallet: Wallet, target: Path, data: bytes) -> Path:
    path = target.expanduser().absolute()
    check_target(path)
    atomic_write(path, data)
    note_kept(home, wallet.address, f"exported to {path}")
    return path


def check_target(path: Path) -> None:
    """WaggleError where no new file can be made."""
    if not path.parent.is_dir():
        raise WaggleError(
            f"There is no folder {path.parent}", "", "Make it first, or give another path"
        )
    if os.path.lexists(path):
        raise WaggleError(
            f"There is a file {path} already", "it is not replaced", "Give another name"
        )
