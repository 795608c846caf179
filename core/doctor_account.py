"""Checks of the account: is it private, does what a node will be given open it, is there a copy.

That no copy is known of is told and is no fault: an account of a swarm on this machine is worth
nothing elsewhere.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from core import passphrase
from core.account import accounts, unlock
from core.config import Effective
from core.doctor import Check
from core.errors import WaggleError
from core.home import Home
from core.reports import ago

OLD_COPY_S = 365 * 86_400.0


def checks(home: Home, effective: Effective) -> Iterator[Check]:
    """One line where there is no account yet, else three. WaggleError for a damaged one."""
    from core.chain.account import address_of

    address = address_of(home.account)
    if address is None:
        yield Check("account", True, "none yet, made on the first start")
        return
    yield _permissions(home)
    yield _opens(home, effective, address)
    yield _copy(home, address)


def _permissions(home: Home) -> Check:
    """Of every key and passphrase in the folder, set aside or not."""
    open_files = []
    for path in sorted([home.account, *home.account.iterdir()]):
        info = path.lstat()
        if info.st_uid != os.getuid():
            step = f"Make it yours: as root, chown {os.getuid()} {path}"
            return Check("account file", False, f"{path} belongs to another user", step)
        if stat.S_IMODE(info.st_mode) & 0o077:
            open_files.append(path)
    if open_files:
        told = f"others can read {open_files[0]}"
        return Check("account file", False, told, f"chmod -R go= {home.account}")
    return Check("account file", True, f"{home.account}, readable by you alone")


def _opens(home: Home, effective: Effective, address: str) -> Check:
    from core.chain.account import is_locked, load_or_create

    told = f"{address}, opened by {unlock.described(effective, home)}"
    try:
        if not is_locked(home.account):
            load_or_create(home.account)
            return Check("account", True, told)
        given = unlock.find(effective, os.environ.get(passphrase.ACCOUNT, ""))
        if given is not None:
            unlock.opened(home, given)
    except WaggleError as error:
        what = f"{error.what}: {error.why}" if error.why else error.what
        return Check("account", False, what, error.next_step)
    file = effective.config.chain.passphrase_file
    if file and stat.S_IMODE(Path(file).expanduser().stat().st_mode) & 0o077:
        told += "; others can read that file"
    return Check("account", True, told)


def _copy(home: Home, address: str) -> Check:
    note = accounts.kept_note(home, address)
    if note is None:
        return Check(
            "account copy", True, "none is known of; `waggle account export FILE` makes one"
        )
    told = f"{ago(note.time)}: {note.how}"
    if time.time() - note.time > OLD_COPY_S:
        told += "; see that it is still there"
    return Check("account copy", True, told)
