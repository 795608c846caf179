"""What can be done with the peer identity of a home: make, take over, back up, restore.

An existing key is never overwritten: at most it is set aside, as swarm.pem.1, .2, and so on. The
account is another thing, in another folder, and is not touched here. It knows files; what is
printed about them is in `identity_commands.py`.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import StorageError, WaggleError
from core.home import Home, HomeLock, atomic_write, set_aside

if TYPE_CHECKING:
    from core.net.identity import Identity
    from core.net.keybackup import Backup

MAX_KEY_BYTES = 64 * 1024
MAX_NOTE_BYTES = 8192


@dataclass(frozen=True)
class BackupNote:
    """When and where the key was last backed up. time: Unix seconds."""

    peer_id: str
    time: float
    path: str


def backup_note(home: Home, peer_id: str) -> BackupNote | None:
    """The last backup of that key; None when none is known. Never raises."""
    try:
        with home.backup_note.open("rb") as source:
            data = json.loads(source.read(MAX_NOTE_BYTES))
        note = BackupNote(str(data["peer_id"]), float(data["time"]), str(data["path"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return note if note.peer_id == peer_id and 0 < note.time < 2**40 else None


def existing(home: Home) -> Identity:
    """The identity of the home. WaggleError when it has none, or one that cannot be used."""
    from core.net.identity import load

    if not home.identity.exists():
        raise WaggleError(
            f"There is no identity in {home.path} yet",
            "",
            "Make one with `waggle identity new`; the first start of ./waggle does so as well",
        )
    return load(home.identity)


def make(home: Home, *, aside: bool = False) -> Identity:
    """A new key. WaggleError when there is one already and it is not to be set aside."""
    from core.net.identity import generate

    return _put(home, generate(), aside)


def take_over(home: Home, source: Path, *, aside: bool = False) -> Identity:
    """Use a swarm.pem from elsewhere, which stays as it is. WaggleError tells what is wrong."""
    return _put(home, read_small(source), aside, source.expanduser())


def back_up(home: Home, target: Path, passphrase: str) -> Identity:
    """Write an encrypted backup and remember that there is one. An existing file is not replaced,
    unless it is an older backup of this very key. WaggleError, StorageError."""
    from core.net.keybackup import seal

    identity = existing(home)
    path = target.expanduser().absolute()
    _check_target(path, identity.peer_id)
    now = time.time()
    sealed = seal(identity.path.read_bytes(), identity.peer_id, passphrase, now)
    atomic_write(path, sealed)
    note = BackupNote(identity.peer_id, now, str(path))
    atomic_write(home.backup_note, json.dumps(asdict(note)).encode())
    return identity


def restore(home: Home, source: Path, passphrase: str, *, aside: bool = False) -> Identity:
    """Put the key of a backup into this home. WaggleError tells what is wrong."""
    backup = read_backup(source)
    identity = _put(home, backup.open(passphrase), aside, source)
    where = str(source.expanduser().absolute())
    note = BackupNote(identity.peer_id, backup.created, where)
    atomic_write(home.backup_note, json.dumps(asdict(note)).encode())
    return identity


def read_backup(source: Path) -> Backup:
    """An undamaged backup file. WaggleError."""
    from core.net.keybackup import read

    return read(read_small(source), str(source))


def default_target(name: str) -> Path:
    """Where a backup goes when nobody says where: the person's own folder, not the node's.

    name: the node's.
    """
    return Path("~") / f"waggle-{name.replace(' ', '-')}.backup"


def read_small(source: Path) -> bytes:
    """The file's bytes; a sentence when it cannot be read or is far too large for a key."""
    path = source.expanduser()
    if path.is_dir():
        raise WaggleError(f"{path} is a folder", "", "Give the path of the file in it")
    if not path.exists():
        raise WaggleError(f"There is no file {path}", "", "Check the path and try again")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        step = "Give your user permission to read it"
        if isinstance(error, PermissionError):
            step = f"Make it readable for your user: chmod u+r {path}, or as root: chown"
        raise WaggleError(f"Cannot read {path}", error.strerror or str(error), step) from error
    if len(data) > MAX_KEY_BYTES:
        raise WaggleError(f"{path} is not a key file", "it is too large")
    return data


def _put(home: Home, data: bytes, aside: bool, source: Path | None = None) -> Identity:
    from core.net.identity import from_bytes, load

    wanted = from_bytes(data, source or home.identity)
    if HomeLock(home).held_by_other():
        raise StorageError(
            "A node runs on this home, with the identity that is there",
            "an identity is only changed while its node stands still",
            "Stop the node first",
        )
    home.create()
    if home.identity.exists():
        _make_way(home, wanted, aside)
    if not home.identity.exists():
        atomic_write(home.identity, data)
    return load(home.identity)


def _make_way(home: Home, wanted: Identity, aside: bool) -> None:
    """Set the key that is there aside, where that is wanted; nothing when it is the same one."""
    from core.net.identity import load

    try:
        there = load(home.identity)
    except WaggleError as error:
        if not aside:
            raise WaggleError(
                f"There is an identity already, {home.identity}, and it cannot be used",
                error.why or error.what,
                "Add --set-aside to keep it beside the new one",
            ) from error
    else:
        if there.peer_id == wanted.peer_id:
            return
        if not aside:
            raise WaggleError(
                f"This home has an identity already: {there.name}, {there.peer_id}",
                "it is never overwritten: what it earned is bound to it",
                "Add --set-aside to keep it as swarm.pem.1 and go on as the other one, or use "
                "another home: --home DIR",
            )
    set_aside(home.identity)


def _check_target(path: Path, peer_id: str) -> None:
    if path.is_dir():
        raise WaggleError(f"{path} is a folder", "", "Give the name of a file")
    if not path.parent.is_dir():
        raise WaggleError(
            f"There is no folder {path.parent}", "", "Make it first, or give another path"
        )
    if not os.path.lexists(path):
        return
    try:
        same = read_backup(path).peer_id == peer_id
    except WaggleError:
        same = False
    if not same:
        raise WaggleError(
            f"There is a file {path} already",
            "it is no backup of this identity, so it is not replaced",
            "Give another name",
        )
