"""What the original's login leaves on disk: its ORG_ID, and the account that it acts for.

`modal-login/temp-data` holds `userData.json` ({orgId: {orgId, address, userId, email}}) and
`userApiKey.json` ({orgId: [{publicKey, privateKey, activated, accountAddress, ...}]}, newest last).
Only ORG_ID, accountAddress and activated are taken from them: the private key is never kept, and
no text of these files reaches a message. Nothing is written here; `write` is the exception, for
nodes of the original whose start script waits for these files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import boundedjson
from core.errors import ConfigError, StorageError
from core.home import atomic_write, storage_errors

USER_DATA = "userData.json"
API_KEYS = "userApiKey.json"
FOLDER = Path("modal-login", "temp-data")
"""Where they lie within a checkout of RL-Swarm."""
MAX_FILE_BYTES = 256 * 1024
_ORG_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True)
class LoginData:
    """Who a login service acts for. org_id: whoever knows it may submit, so it is never shown.

    account: checksum not checked; empty where it is not known. source: where org_id comes from,
    for messages. activated: False when the sign-in in the browser was left unfinished; None where
    nothing says.
    """

    org_id: str = field(repr=False)
    account: str
    source: str
    activated: bool | None = None


def find(
    org_id: str = "", login_data: str = "", environ: Mapping[str, str] | None = None
) -> LoginData:
    """The first of: `org_id` (chain.org_id), ORG_ID in the environment, stored login data.

    login_data (chain.login_data): the folder of the files, or one of them; empty looks in the
    current folder and in ~/rl-swarm. ConfigError, saying where it looked, when there is none.
    """
    environment = os.environ if environ is None else environ
    stored = _stored(login_data)
    for given, source in ((org_id, "chain.org_id"), (environment.get("ORG_ID", ""), "ORG_ID")):
        if not given.strip():
            continue
        chosen = _checked(given.strip(), source)
        if stored is not None and stored.org_id == chosen:
            return LoginData(chosen, stored.account, source, stored.activated)
        return LoginData(chosen, "", source)
    if stored is not None:
        return stored
    looked = ", ".join(str(folder) for folder in _places(login_data))
    raise ConfigError(
        "There is no login: no ORG_ID is known",
        f"chain.org_id and ORG_ID are empty, and no {USER_DATA} is in {looked}",
        "Sign in with RL-Swarm's modal-login first, or set ORG_ID to what the swarm's owner gave "
        "you (waggle swarm members), or use chain.coordinator=wallet, which needs no login",
    )


def _places(login_data: str) -> tuple[Path, ...]:
    if login_data:
        path = Path(login_data).expanduser()
        return (path.parent if path.suffix == ".json" else path,)
    here = Path.cwd()
    return (here / FOLDER, here / FOLDER.name, here, Path.home() / "rl-swarm" / FOLDER)


def _stored(login_data: str) -> LoginData | None:
    for folder in _places(login_data):
        path = folder / USER_DATA
        users = _read(path)
        if users is None:
            continue
        # The login keeps one user and RL-Swarm's script takes the first: so do we.
        org_id = _checked(next(iter(users), ""), str(path))
        account, activated = _account(folder / API_KEYS, org_id)
        return LoginData(org_id, account, str(path), activated)
    return None


def _account(path: Path, org_id: str) -> tuple[str, bool | None]:
    """(account, activated) of the newest key, as the login service itself chooses."""
    keys = (_read(path) or {}).get(org_id)
    newest = keys[-1] if isinstance(keys, list) and keys else None
    if not isinstance(newest, dict):
        return "", None
    account = newest.get("accountAddress")
    known = isinstance(account, str) and _ADDRESS.fullmatch(account)
    return (str(account) if known else ""), newest.get("activated") is True


def _checked(org_id: str, source: str) -> str:
    if not _ORG_ID.fullmatch(org_id):
        raise ConfigError(
            f"The ORG_ID of {source} cannot be used",
            "it is not a name of letters, digits and dashes, at most 128 long",
            "Sign in again with modal-login, or correct it",
        )
    return org_id


def _read(path: Path) -> dict[str, Any] | None:
    """None when it is not there. StorageError without a word of its content otherwise."""
    try:
        with path.open("rb") as source:
            data = source.read(MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(
            f"Cannot read {path}", error.strerror or str(error), "Let your user read it"
        ) from error
    try:
        found = boundedjson.decode(data) if len(data) <= MAX_FILE_BYTES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StorageError(
            f"{path} is not login data",
            "it is too large, or no JSON object",
            "Sign in again with modal-login, or set chain.login_data to the folder of another one",
        )
    return found


def write(folder: Path, org_id: str, account: str) -> bool:
    """Put login data of this ORG_ID into `folder` as RL-Swarm's start script waits for it; whether
    anything had to be written.

    The keys in it are empty: who signs is the login service that serves it. ConfigError rather
    than replacing data of another login, which may hold the only copy of its key.
    """
    users, keys = (_read(folder / name) for name in (USER_DATA, API_KEYS))
    ours = [next(iter(found), "") == org_id for found in (users, keys) if found is not None]
    if users is not None and all(ours):
        return False
    if not all(ours):
        raise ConfigError(
            f"{folder} holds the login data of another login",
            "replacing it would lose that login's key",
            f"Move {USER_DATA} and {API_KEYS} away first, or name another folder",
        )
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = {
        "publicKey": account,
        "privateKey": "0x",
        "createdAt": "1970-01-01T00:00:00.000Z",
        "activated": True,
        "deferredActionDigest": "0x",
        "accountAddress": account,
        "initCode": "0x",
    }
    user = {"orgId": org_id, "address": account, "userId": org_id}
    # The script reads the second line of userData.json and goes on as soon as it is there.
    atomic_write(folder / API_KEYS, json.dumps({org_id: [key]}, indent=2).encode())
    atomic_write(folder / USER_DATA, json.dumps({org_id: user}, indent=2).encode())
    return True
