"""What the `identity` commands print. The work itself is in `identities.py`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import passphrase
from core.config import Effective
from core.home import Home
from core.identity import identities
from core.reports import ago

if TYPE_CHECKING:
    from core.net.identity import Identity

NOT_THE_ACCOUNT = (
    "The account that rewards go to is another key, and no part of it: keep a copy of {folder} "
    "too, or make one with `waggle account export`."
)
OTHER_ACCOUNT = (
    "One identity, one node: let the other one rest. Its rewards go to its account, which is "
    "another key: bring the folder account/ of that home to {folder}, too, or what "
    "`waggle account export` writes there."
)


def show(home: Home, as_json: bool) -> int:
    """Print who this node is. WaggleError when the home has no identity yet."""
    from core.chain.account import address_of

    identity = identities.existing(home)
    account = address_of(home.account)
    if as_json:
        print(json.dumps(_facts(home, identity) | {"account": account}))
        return 0
    note = identities.backup_note(home, identity.peer_id)
    told = (
        f"{ago(note.time)}: {note.path}" if note else "none yet; make one: waggle identity backup"
    )
    print(f"name     {identity.name}")
    print(f"peer id  {identity.peer_id}")
    print(f"account  {account or 'none yet'}")
    print(f"file     {home.identity}")
    print(f"backup   {told}")
    return 0


def new(home: Home, aside: bool, as_json: bool) -> int:
    identity = identities.make(home, aside=aside)
    note = "It cannot be made again: keep a copy of it with `waggle identity backup`."
    return _told(home, identity, as_json, "This home is now", note)


def take_over(home: Home, source: str, aside: bool, as_json: bool) -> int:
    identity = identities.take_over(home, Path(source), aside=aside)
    return _told(home, identity, as_json, "This home is now", OTHER_ACCOUNT)


def back_up(home: Home, target: str | None, passphrase_file: str | None, as_json: bool) -> int:
    """Ask for a passphrase twice, unless it is given, and write the backup."""
    from core.net.keybackup import check_passphrase

    identity = identities.existing(home)
    path = Path(target) if target else identities.default_target(identity.name)
    secret = passphrase.given(passphrase_file)
    if secret is None:
        print(
            "The backup is encrypted with a passphrase, and nobody can open it without:\n"
            "keep it where you keep your others.",
            file=sys.stderr,
        )
        secret = passphrase.ask("Passphrase", new=check_passphrase)
    identities.back_up(home, path, secret)
    if as_json:
        print(json.dumps(_facts(home, identity)))
        return 0
    print(f"Backed up {identity.name} to {path.expanduser().absolute()}.")
    print("Keep it on another machine or a stick; `waggle identity restore FILE` reads it.")
    print(NOT_THE_ACCOUNT.format(folder=home.account))
    return 0


def restore(
    home: Home, source: str, passphrase_file: str | None, aside: bool, as_json: bool
) -> int:
    """Check the file first, so that nobody types a passphrase for a damaged one."""
    path = Path(source)
    identities.read_backup(path)
    secret = passphrase.given(passphrase_file) or passphrase.ask("Passphrase of the backup")
    identity = identities.restore(home, path, secret, aside=aside)
    return _told(home, identity, as_json, "This home is now", OTHER_ACCOUNT)


def verify(
    home: Home,
    load: Callable[[], Effective],
    backup: str | None,
    passphrase_file: str | None,
    as_json: bool,
) -> int:
    """Print each finding; 0 when nothing is wrong, else 1. Hints are not wrong."""
    from core.identity.check import verify as findings

    found = findings(home, load, Path(backup) if backup else None, _opener(passphrase_file))
    well = all(each.level != "FAIL" for each in found)
    if as_json:
        facts = _facts(home, identities.existing(home))
        print(json.dumps(facts | {"ok": well, "checks": [asdict(each) for each in found]}))
        return 0 if well else 1
    for each in found:
        print(f"{each.level:<4}  {each.name:<12} {each.detail}")
        if each.next_step:
            print(f"      {'':<12} {each.next_step}")
    return 0 if well else 1


def _opener(passphrase_file: str | None) -> Callable[[], str] | None:
    """How `verify` gets the passphrase; None where nobody can be asked."""
    secret = passphrase.given(passphrase_file)
    if secret is not None:
        return lambda: secret
    if sys.stdin.isatty():
        return lambda: passphrase.ask("Passphrase of the backup")
    return None


def _told(home: Home, identity: Identity, as_json: bool, lead: str, note: str) -> int:
    if as_json:
        print(json.dumps(_facts(home, identity)))
        return 0
    print(f"{lead} {identity.name}, {identity.peer_id}.")
    for kept in sorted(home.identity.parent.glob(f"{home.identity.name}.[0-9]*")):
        print(f"An earlier key is kept as {kept}.")
    print(note.format(folder=home.account))
    return 0


def _facts(home: Home, identity: Identity) -> dict[str, Any]:
    note = identities.backup_note(home, identity.peer_id)
    return {
        "peer_id": identity.peer_id,
        "name": identity.name,
        "path": str(home.identity),
        "backup": {"time": note.time, "path": note.path} if note else None,
    }
