"""Opening the account of a home when a node starts, before anything else does.

An account as it comes is opened by what lies beside it: nothing happens here. One that its owner
locked needs his passphrase, which is looked for, the first place that has one counts, in

1. the file that chain.passphrase_file names,
2. the environment variable WAGGLE_PASSPHRASE,
3. the credential `waggle-passphrase` of a systemd service (LoadCredential=, see systemd.exec(5)),
4. a person at the terminal, before the console takes it.

The first three restart a node without a keyboard. A passphrase that does not open the account is
an error, not a reason to go on looking: the owner would never learn of it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core import passphrase
from core.config import Effective
from core.errors import ConfigError, WaggleError
from core.home import Home

if TYPE_CHECKING:
    from core.chain.account import Wallet

CREDENTIALS = "CREDENTIALS_DIRECTORY"
CREDENTIAL = "waggle-passphrase"
TRIES = 3
PLACES = (
    "chain.passphrase_file, the environment variable WAGGLE_PASSPHRASE, "
    "or the systemd credential waggle-passphrase"
)


@dataclass(frozen=True)
class Unlocked:
    """wallet: None where the account is opened with what lies beside it. passphrase: what was
    given, for further nodes of this machine that are locked, too; empty for none."""

    wallet: Wallet | None = None
    passphrase: str = field(default="", repr=False)

    def wallet_of(self, home: Home) -> Wallet | None:
        """None as well when the home has another account by now: the console's first start may
        have brought one along."""
        from core.chain.account import address_of

        same = self.wallet is not None and self.wallet.address == address_of(home.account)
        return self.wallet if same else None


@dataclass(frozen=True)
class Given:
    """A passphrase and in words where it is from."""

    text: str = field(repr=False)
    source: str


def unlock(effective: Effective, home: Home) -> Unlocked:
    """Open the account if it is locked and will sign: takes seconds, once.

    ConfigError when the passphrase is missing or wrong. Takes WAGGLE_PASSPHRASE out of the
    environment in any case, so that no process started later inherits it.
    """
    from core.chain.account import is_locked

    inherited = passphrase.taken(passphrase.ACCOUNT) or ""
    chain = effective.config.chain
    signs = chain.enabled and chain.coordinator == "wallet"
    if not signs or not is_locked(home.account):
        return Unlocked(passphrase=inherited)
    return _unlocked(effective, home, inherited)


def open_account(effective: Effective, home: Home) -> Wallet:
    """The account that is there, for a command of its owner, whether it is locked or not.

    Raises what `unlock` and `core.chain.account.load_or_create` raise.
    """
    from core.chain.account import is_locked, load_or_create

    if not is_locked(home.account):
        return load_or_create(home.account)
    wallet = _unlocked(effective, home, passphrase.taken(passphrase.ACCOUNT) or "").wallet
    assert wallet is not None
    return wallet


def described(effective: Effective, home: Home) -> str:
    """What opens the account at the next start, in words. Opens nothing, asks nobody."""
    from core.chain.account import is_locked

    if not is_locked(home.account):
        return "the random passphrase beside it"
    try:
        given = find(effective, os.environ.get(passphrase.ACCOUNT, ""))
    except ConfigError as error:
        return f"its owner's passphrase, but: {error.what}"
    if given is None:
        return "its owner's passphrase, asked for at the terminal: no restart without a keyboard"
    return f"its owner's passphrase, given in {given.source}"


def _unlocked(effective: Effective, home: Home, inherited: str) -> Unlocked:
    given = find(effective, inherited)
    if given is None:
        return _asked(home)
    return Unlocked(opened(home, given), given.text)


def unlock_children(effective: Effective, home: Home) -> dict[str, str]:
    """For a supervisor: what to put into the environment of each node that it starts.

    Asks and checks now, so that a restart at night asks nobody. A node reads a file again by
    itself. Raises what `unlock` does.
    """
    unlocked = unlock(effective, home)
    if effective.config.chain.passphrase_file or not unlocked.passphrase:
        return {}
    return {passphrase.ACCOUNT: unlocked.passphrase}


def find(effective: Effective, inherited: str) -> Given | None:
    """The passphrase from the first place that has one, a person left out. ConfigError when a file
    that was named cannot be read. inherited: what WAGGLE_PASSPHRASE says."""
    file = effective.config.chain.passphrase_file
    if file:
        return _of_file(Path(file).expanduser(), "chain.passphrase_file")
    if inherited:
        return Given(inherited, f"the environment variable {passphrase.ACCOUNT}")
    folder = os.environ.get(CREDENTIALS)
    if folder and (Path(folder) / CREDENTIAL).exists():
        return _of_file(Path(folder) / CREDENTIAL, "systemd")
    return None


def _of_file(path: Path, named_by: str) -> Given:
    try:
        return Given(passphrase.from_file(path), f"{path}, which {named_by} names")
    except WaggleError as error:
        raise ConfigError(
            f"The account's passphrase cannot be read from {path}, which {named_by} names",
            error.why or error.what,
            "One line of text in a file that this user can read",
        ) from error


def opened(home: Home, given: Given) -> Wallet:
    """ConfigError when it is another passphrase."""
    from core.chain.account import address_of, unlock
    from core.chain.account_files import WrongPassphrase

    try:
        return unlock(home.account, given.text)
    except WrongPassphrase:
        raise ConfigError(
            f"The account {address_of(home.account)} is not opened by the passphrase that was "
            f"given in {given.source}",
            "",
            "Correct it; `waggle account import --help` is the way back when it is lost",
        ) from None


def _asked(home: Home) -> Unlocked:
    """A few tries for a person; ConfigError where there is none."""
    from core.chain.account import address_of

    address = address_of(home.account)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError(
            f"The account {address} is locked with its owner's passphrase, and none was given",
            "there is no terminal to ask on",
            f"Give it in {PLACES}; `waggle account passphrase --help` tells more",
        )
    for last in [False] * (TRIES - 1) + [True]:
        text = passphrase.ask_for(f"Passphrase of the account {address}")
        try:
            return Unlocked(opened(home, Given(text, "answer to the question")), text)
        except ConfigError:
            if last:
                raise
            print("That is not it; once more.", file=sys.stderr)
    raise AssertionError("the last try returned or raised")
