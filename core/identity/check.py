"""`identity verify`: is the key whole and private, is there a backup, whose does the coordinator
say it is. Each answer is a line in plain words; nothing is changed but file modes that were open.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.config import Effective
from core.errors import ConfigError, RefusedError, StorageError, TransientError, WaggleError
from core.home import Home
from core.identity import identities
from core.reports import ago

if TYPE_CHECKING:
    from core.net.identity import Identity

OLD_BACKUP_S = 365 * 86_400.0


@dataclass(frozen=True)
class Finding:
    """level: `ok`, `hint` (nothing is broken), or `FAIL`."""

    name: str
    level: str
    detail: str
    next_step: str = ""


def verify(
    home: Home,
    load: Callable[[], Effective],
    backup: Path | None = None,
    passphrase: Callable[[], str] | None = None,
) -> list[Finding]:
    """All findings, the key's first. load: the configuration, which may be unusable.

    backup: a backup file to hold against the key. passphrase: asked for it, None to check only
    what needs none. WaggleError when there is no key that can be read.
    """
    found = [_permissions(home)]
    identity = identities.existing(home)
    found.append(Finding("key", "ok", f"{identity.name}, {identity.peer_id}"))
    found.append(_note(home, identity.peer_id))
    if backup is not None:
        found.append(_backup(backup, identity, passphrase))
    found.append(_coordinator(home, load, identity.peer_id))
    return found


def _permissions(home: Home) -> Finding:
    """Before the key is read: reading mends its mode."""
    try:
        info = home.identity.stat()
    except OSError:
        return Finding("file", "ok", str(home.identity))  # `existing` tells what is wrong with it
    if info.st_uid != os.getuid():
        step = f"Make it yours: as root, chown {os.getuid()} {home.identity}"
        return Finding("file", "FAIL", f"{home.identity} belongs to another user", step)
    folder = home.identity.parent
    told = f"{home.identity}, readable by you alone"
    if stat.S_IMODE(info.st_mode) & 0o077 or stat.S_IMODE(folder.stat().st_mode) & 0o077:
        try:
            home.identity.chmod(0o600)
            folder.chmod(0o700)
        except OSError as error:
            raise StorageError(
                f"Others can read {home.identity}, and that cannot be mended",
                error.strerror or str(error),
                "Move the home to a file system with permissions",
            ) from error
        told = f"{home.identity}: others could read it; now you alone can"
    return Finding("file", "ok", told)


def _note(home: Home, peer_id: str) -> Finding:
    note = identities.backup_note(home, peer_id)
    if note is None:
        step = "waggle identity backup writes one, encrypted, in a second"
        return Finding("backup", "hint", "none is known of", step)
    told = f"made {ago(note.time)}: {note.path}"
    if time.time() - note.time > OLD_BACKUP_S:
        return Finding("backup", "hint", told, "See that the file is still there and readable")
    return Finding("backup", "ok", told)


def _backup(path: Path, identity: Identity, passphrase: Callable[[], str] | None) -> Finding:
    from core.net.identity import from_bytes

    try:
        backup = identities.read_backup(path)
        if backup.peer_id != identity.peer_id:
            step = "Restore it into a home of its own: --home DIR identity restore FILE"
            told = f"{path} holds another identity, {backup.peer_id[:64]}"
            return Finding("backup file", "FAIL", told, step)
        if passphrase is None:
            step = "With --passphrase-file, or on a terminal, it is opened as well"
            return Finding("backup file", "hint", f"{path} is whole; it was not opened", step)
        same = from_bytes(backup.open(passphrase()), path).peer_id == identity.peer_id
    except WaggleError as error:
        told = f"{error.what}: {error.why}" if error.why else error.what
        return Finding("backup file", "FAIL", told, error.next_step)
    if not same:
        step = "Make a new one: waggle identity backup"
        return Finding("backup file", "FAIL", f"{path} holds another key than it says", step)
    return Finding("backup file", "ok", f"{path} opens and holds this very key")


def _coordinator(home: Home, load: Callable[[], Effective], peer_id: str) -> Finding:
    name = "coordinator"
    try:
        effective = load()
        where = coordinator_of(home, effective)
        mine = _account(home, effective)
        if where is None:
            return Finding(name, "ok", "none: chain.enabled is false")
        timeout_s = effective.config.chain.call_timeout_s
        from core.chain.lookup import registered_to

        owner = registered_to(*where, peer_id, timeout_s)
    except TransientError as error:
        return Finding(name, "hint", f"not asked: {error}")
    except (ConfigError, RefusedError, StorageError) as error:
        return Finding(name, "FAIL", f"{error.what}: {error.why}", error.next_step)
    if owner is None:
        return Finding(name, "ok", "not registered yet: the first round does it")
    if effective.config.chain.coordinator == "login":
        return _of_login(name, owner, mine)
    if owner == mine:
        return Finding(name, "ok", f"registered to {owner}, the account of this home")
    if mine is None:
        step = "Import that account before the first start, or rewards will be refused"
        return Finding(name, "hint", f"registered to {owner}; this home has no account yet", step)
    return Finding(
        name,
        "FAIL",
        f"registered to {owner}, but the account of this home is {mine}",
        "A peer id stays with the account that registered it first: bring that account here "
        f"(the folder {home.account} of the other home), or start as a new peer with "
        "`waggle identity new --set-aside`",
    )


def coordinator_of(home: Home, effective: Effective) -> tuple[str, str] | None:
    """(RPC URL, contract) of this home's swarm; None without a chain. TransientError while a
    swarm hosted here does not run."""
    from core.chain.host import is_running, read_services

    config = effective.config
    if not config.chain.enabled:
        return None
    if config.swarm.host and not config.chain.rpc_url:
        services = read_services(home.services)
        if services is None or not is_running(services):
            raise TransientError("the swarm of this home does not run now")
        return services.rpc_url, services.contract
    if not (config.chain.rpc_url and config.chain.contract):
        raise TransientError("chain.rpc_url and chain.contract are not set")
    return config.chain.rpc_url, config.chain.contract


def _of_login(name: str, owner: str, mine: str | None) -> Finding:
    if mine is None:
        return Finding(name, "ok", f"registered to {owner}; the login does not tell its account")
    if owner.lower() == mine.lower():
        return Finding(name, "ok", f"registered to {owner}, the account of the login")
    told = f"registered to {owner}, but the login acts for {mine}"
    step = "Sign in with the login that registered it, or start as a new peer"
    return Finding(name, "FAIL", told, step)


def _account(home: Home, effective: Effective) -> str | None:
    """That the node submits from; None where it is not known. ConfigError, StorageError."""
    chain = effective.config.chain
    if chain.coordinator == "login":
        from core.chain.login_data import find

        return find(chain.org_id, chain.login_data).account or None
    from core.chain.account import address_of

    return address_of(home.account)
