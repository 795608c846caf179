"""The key files of a node, for the steps that create or import them.

Lazy: `cryptography` and the account libraries are imported when a step needs them, in a thread.
An import never destroys a key: the file that was there is kept beside the new one.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import WaggleError
from core.home import Home, atomic_write, set_aside

MAX_KEY_BYTES = 64 * 1024


def identity_of(home: Home) -> tuple[str, str]:
    """(peer id, animal name) of the home's identity, made when there is none."""
    from core.net.identity import load_or_create

    home.create()
    identity = load_or_create(home.identity)
    return identity.peer_id, identity.name


def import_identity(home: Home, source: Path) -> tuple[str, str]:
    """Take over a swarm.pem; the identity that was here is kept as swarm.pem.1, .2, ..."""
    from core.net.identity import load

    data = read_small(source)
    identity = load(source.expanduser())
    home.create()
    if not home.identity.exists() or home.identity.read_bytes() != data:
        set_aside(home.identity)
        atomic_write(home.identity, data)
    return identity.peer_id, identity.name


def read_small(source: Path) -> bytes:
    """The file's bytes; a sentence when it cannot be read or is far too large for a key."""
    path = source.expanduser()
    if not path.is_file():
        raise WaggleError(f"There is no file {path}", "", "Check the path and try again")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise WaggleError(f"Cannot read {path}", error.strerror or str(error)) from error
    if len(data) > MAX_KEY_BYTES:
        raise WaggleError(f"{path} is not a key file", "it is too large")
    return data


def account_of(home: Home) -> str:
    """The address of the home's account, made when there is none."""
    from core.chain.account import load_or_create

    home.create()
    return str(load_or_create(home.account).address)


def import_key(home: Home, text: str) -> str:
    """The address of the account with that private key, which is now the home's."""
    from core.chain import account_import

    home.create()
    return account_import.import_key(home.account, text).address


def import_keystore(home: Home, source: Path, password: str) -> str:
    from core.chain import account_import

    home.create()
    return account_import.import_keystore(home.account, source, password).address
