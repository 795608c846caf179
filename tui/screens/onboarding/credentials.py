"""The key files of a node, for the steps that create or import them.

Lazy: `cryptography` and the account libraries are imported when a step needs them, in a thread.
An import never destroys a key: the file that was there is kept beside the new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import WaggleError
from core.home import Home
from core.identity import identities
from core.reports import ago
from core.texts import _

if TYPE_CHECKING:
    from core.account.unlock import Unlocked


def identity_of(home: Home) -> tuple[str, str]:
    """(peer id, animal name) of the home's identity, made when there is none."""
    from core.net.identity import load_or_create

    home.create()
    identity = load_or_create(home.identity)
    return identity.peer_id, identity.name


def import_identity(home: Home, source: str, passphrase: str) -> tuple[str, str]:
    """Take over a swarm.pem, or restore an encrypted backup of one.

    The identity that was here is kept as swarm.pem.1, .2, ... WaggleError.
    """
    path = _path(source, _("That is not the path of a swarm.pem or of a backup"))
    if identities.read_small(path).lstrip()[:1] != b"{":  # a key file is PEM or DER, never JSON
        identity = identities.take_over(home, path, aside=True)
    elif not passphrase:
        raise WaggleError(
            _("That is an encrypted backup"), "", _("Type the passphrase that it was made with")
        )
    else:
        identity = identities.restore(home, path, passphrase, aside=True)
    return identity.peer_id, identity.name


def back_up_identity(home: Home, target: str, passphrase: str, again: str) -> None:
    """Write an encrypted backup. WaggleError when the passphrases differ, too."""
    require_same(passphrase, again)
    identities.back_up(home, _path(target, _("That is not the path of a backup")), passphrase)


def require_same(passphrase: str, again: str) -> None:
    if passphrase != again:
        raise WaggleError(_("The two passphrases differ"), "", _("Type the same one twice"))


def backup_told(home: Home, peer_id: str) -> str:
    """Of the last backup, in words."""
    note = identities.backup_note(home, peer_id)
    if note is None:
        return _("none yet")
    path = Path(note.path)
    shown = f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else path
    return f"{ago(note.time)}: {shown}"


@dataclass(frozen=True)
class Account:
    """The home's account. copy: of the last copy, in words. unlocked: opened, when it was locked
    just now; it holds the passphrase, for further nodes of this machine."""

    address: str
    locked: bool
    copy: str
    unlocked: Unlocked | None = field(default=None, repr=False)


def account_of(home: Home) -> Account:
    """The home's account, made when there is none."""
    from core.chain.account import address_of, load_or_create

    home.create()
    return _account(home, address_of(home.account) or load_or_create(home.account).address)


def lock(home: Home, passphrase: str, again: str) -> Account:
    """Lock the account that is there with the owner's passphrase. WaggleError."""
    from core.account import accounts
    from core.chain.account import load_or_create

    _check(passphrase, again)
    accounts.set_passphrase(home, load_or_create(home.account), passphrase)
    return _opened(home, passphrase)


def new_phrase() -> str:
    from core.chain import account_phrase

    return account_phrase.new_phrase()


def check_lock(passphrase: str, again: str) -> None:
    """WaggleError for a passphrase that is too short or differs; empty is none. Before a person
    is made to do anything else."""
    if passphrase or again:
        _check(passphrase, again)


def import_secret(home: Home, text: str, passphrase: str, again: str) -> Account:
    """Make a private key or recovery phrase the home's account. WaggleError.

    passphrase: to lock it with; empty for none.
    """
    from core.chain.account_import import key_in

    check_lock(passphrase, again)
    return _put(home, key_in(text.encode(), _("What you typed"), _no_password), text, passphrase)


def import_keystore(home: Home, source: str, password: str, passphrase: str, again: str) -> Account:
    """The same with a keystore v3 of any wallet, which `password` opens."""
    from core.chain.account_import import is_secret, key_in, read_file

    check_lock(passphrase, again)
    if is_secret(source):  # a field that is echoed; and the error would name it
        raise WaggleError(
            _("That is no path"), "", _("Choose `Import a key or recovery phrase` above")
        )
    path = _path(source, _("That is not the path of a keystore"))
    return _put(home, key_in(read_file(path), str(path), lambda: password), "", passphrase)


def _put(home: Home, key: bytes, text: str, passphrase: str) -> Account:
    from core.account import accounts
    from core.chain.account_phrase import looks_like_one

    wallet = accounts.put(home, key, passphrase=passphrase or None, aside=True)
    if looks_like_one(text):
        accounts.note_kept(home, wallet.address, accounts.PHRASE)
    return _opened(home, passphrase) if passphrase else _account(home, wallet.address)


def _opened(home: Home, passphrase: str) -> Account:
    from core.account.unlock import Unlocked
    from core.chain.account import unlock

    wallet = unlock(home.account, passphrase)  # what was written does open
    return _account(home, wallet.address, Unlocked(wallet, passphrase))


def _account(home: Home, address: str, unlocked: Unlocked | None = None) -> Account:
    from core.account import accounts
    from core.chain.account import is_locked

    note = accounts.kept_note(home, address)
    copy = (
        _("{ago}: {how}").format(ago=ago(note.time), how=note.how)
        if note
        else _("none yet: waggle account export")
    )
    return Account(address, is_locked(home.account), copy, unlocked)


def _check(passphrase: str, again: str) -> None:
    from core.net.keybackup import check_passphrase

    check_passphrase(passphrase)
    require_same(passphrase, again)


def _path(text: str, wrong: str) -> Path:
    """WaggleError, which says `wrong`, for what cannot be a path: a terminal pastes anything."""
    if not text or len(text) > 4000 or not text.isprintable():
        raise WaggleError(wrong, "", _("It looks like ~/NAME"))
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise WaggleError(
            _("There is no such user: {text}").format(text=text[:60]), "", _("Give the whole path")
        ) from error


def _no_password() -> str:
    raise WaggleError(_("That is a keystore"), "", _("Choose `Import a keystore file` above"))
