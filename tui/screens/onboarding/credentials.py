"""The key files of a node, for the steps that create or import them.

Lazy: `cryptography` and the account libraries are imported when a step needs them, in a thread.
An import never destroys a key: the file that was there is kept beside the new one.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import WaggleError
from core.home import Home
from core.identity import identities
from core.reports import ago


def identity_of(home: Home) -> tuple[str, str]:
    """(peer id, animal name) of the home's identity, made when there is none."""
    from core.net.identity import load_or_create

    home.create()
    identity = load_or_create(home.identity)
    return identity.peer_id, identity.name


def import_identity(home: Home, source: Path) -> tuple[str, str]:
    """Take over a swarm.pem; the identity that was here is kept as swarm.pem.1, .2, ..."""
    identity = identities.take_over(home, source, aside=True)
    return identity.peer_id, identity.name


def back_up_identity(home: Home, target: str, passphrase: str, again: str) -> None:
    """Write an encrypted backup. WaggleError when the passphrases differ, too."""
    if passphrase != again:
        raise WaggleError("The two passphrases differ", "", "Type the same one twice")
    identities.back_up(home, Path(target), passphrase)


def backup_told(home: Home, peer_id: str) -> str:
    """Of the last backup, in words."""
    note = identities.backup_note(home, peer_id)
    if note is None:
        return "none yet"
    path = Path(note.path)
    shown = f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else path
    return f"{ago(note.time)}: {shown}"


def account_of(home: Home) -> str:
    """The address of the home's account, made when there is none."""
    from core.chain.account import address_of, load_or_create

    home.create()
    return address_of(home.account) or load_or_create(home.account).address


def import_key(home: Home, text: str) -> str:
    """The address of the account with that private key or recovery phrase, now the home's."""
    from core.account import accounts
    from core.chain.account_import import key_in

    key = key_in(text.encode(), "What you typed", _no_password)
    return accounts.put(home, key, aside=True).address


def import_keystore(home: Home, source: Path, password: str) -> str:
    """The address of the account in a keystore v3 of any wallet, which is now the home's."""
    from core.account import accounts
    from core.chain.account_import import key_in, read_file

    path = source.expanduser()
    key = key_in(read_file(path), str(path), lambda: password)
    return accounts.put(home, key, aside=True).address


def _no_password() -> str:
    raise WaggleError("That is a keystore", "", "Choose `Import a keystore file` above")
