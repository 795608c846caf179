"""What the `account` commands print. The work itself is in `accounts.py`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core import passphrase
from core.account import accounts, phrase_page, unlock
from core.config import Effective
from core.errors import TransientError, WaggleError
from core.home import Home
from core.reports import ago

BALANCE_S = 5.0
LOCKED = (
    "It is locked with your passphrase: `waggle account passphrase --help` tells how a node gets "
    "it at its start."
)
OPEN = "Its passphrase lies beside it in {folder}: a restart needs no keyboard."


def run(args: argparse.Namespace, home: Home, load: Callable[[], Effective]) -> int:
    """The command that `args` names. load: the configuration."""
    commands = {
        "account new": lambda: new(args, home),
        "account import": lambda: take_over(args, home),
        "account show": lambda: show(args, home, load),
        "account passphrase": lambda: set_passphrase(args, home, load()),
        "account export": lambda: export(args, home, load()),
    }
    return commands[args.command]()


def new(args: argparse.Namespace, home: Home) -> int:
    from core.chain import account_phrase

    if args.show_phrase and not args.json:
        raise WaggleError("--show-phrase belongs to --json", "a terminal shows it without")
    accounts.check_free(home, aside=args.set_aside)
    secret = _owners(args)
    phrase = account_phrase.new_phrase()
    seen = args.show_phrase or phrase_page.is_possible()
    if seen and not args.show_phrase:
        phrase_page.show(phrase)
    wallet = accounts.put(
        home, account_phrase.key_of(phrase), passphrase=secret, aside=args.set_aside
    )
    if seen:
        accounts.note_kept(home, wallet.address, accounts.PHRASE)
    if args.json:
        extra = {"phrase": phrase} if args.show_phrase else {}
        print(json.dumps(_facts(home, wallet.address) | extra))
        return 0
    return _told(home, wallet.address, copied=seen)


def take_over(args: argparse.Namespace, home: Home) -> int:
    from core.chain import account_import, account_phrase

    accounts.check_free(home, aside=True)  # that no node runs; the rest once the key is known
    data, shown = _brought(args.source)
    key = account_import.key_in(
        data, shown, lambda: _password(args, shown), args.path or account_phrase.DEFAULT_PATH
    )
    address = account_import.address_of(key)
    accounts.check_free(home, aside=args.set_aside, wanted=address)
    accounts.put(home, key, passphrase=_owners(args), aside=args.set_aside)
    phrased = account_import.kind_of(data.decode("utf-8-sig")) == account_import.PHRASE
    if phrased:
        accounts.note_kept(home, address, accounts.PHRASE)
    if args.json:
        print(json.dumps(_facts(home, address)))
        return 0
    return _told(home, address, copied=phrased)


def show(args: argparse.Namespace, home: Home, load: Callable[[], Effective]) -> int:
    address = accounts.existing(home)
    effective = load()
    balance = _balance(home, effective, address) if args.balance else ""
    if args.json:
        facts = _facts(home, address) | {"opened_by": unlock.described(effective, home)}
        wei = balance if isinstance(balance, int) else None
        print(json.dumps(facts | ({"balance_wei": wei} if args.balance else {})))
        return 0
    note = accounts.kept_note(home, address)
    told = f"{ago(note.time)}: {note.how}" if note else "none is known of: waggle account export"
    print(f"account  {address}")
    print(f"file     {_facts(home, address)['path']}")
    print(f"opened   by {unlock.described(effective, home)}")
    print(f"copy     {told}")
    if args.balance:
        print(f"balance  {balance / 10**18:f} ether" if isinstance(balance, int) else balance)
    return 0


def set_passphrase(args: argparse.Namespace, home: Home, effective: Effective) -> int:
    if args.random and args.passphrase_file:
        raise WaggleError("--random and --passphrase-file exclude one another")
    address = accounts.existing(home)
    accounts.check_free(home, aside=True)
    wallet = unlock.open_account(effective, home)
    secret = None if args.random else _chosen(args)
    accounts.set_passphrase(home, wallet, secret)
    if args.json:
        print(json.dumps(_facts(home, address)))
        return 0
    print(f"The account {address} has a new passphrase.")
    print(LOCKED if secret else OPEN.format(folder=home.account))
    return 0


def export(args: argparse.Namespace, home: Home, effective: Effective) -> int:
    address = accounts.existing(home)
    if args.private_key and not args.file:
        return _show_key(args, home, effective)
    target = Path(args.file or f"~/waggle-{address}.json").expanduser().absolute()
    accounts.check_target(target)
    wallet = unlock.open_account(effective, home)
    if args.private_key:
        accounts.export_key(home, wallet, target)
        note = "It is the private key as it is: whoever can read the file has the account."
    else:
        secret = passphrase.given(args.passphrase_file) or _new("the exported keystore")
        _check(secret)
        accounts.export_keystore(home, wallet, target, secret)
        note = "Any wallet opens it with the passphrase, and so does `waggle account import`."
    if args.json:
        print(json.dumps(_facts(home, address) | {"exported": str(target)}))
        return 0
    print(f"Exported {address} to {target}.")
    print(note)
    return 0


def _show_key(args: argparse.Namespace, home: Home, effective: Effective) -> int:
    if args.json or not sys.stdout.isatty():
        raise WaggleError(
            "A private key is shown on a terminal only",
            "standard output is none" if not args.json else "--json is for programs",
            "Give a FILE to write it to",
        )
    print(f"0x{unlock.open_account(effective, home).key().hex()}")
    return 0


def _brought(source: list[str]) -> tuple[bytes, str]:
    """What a person brings along, and how messages call it."""
    from core.chain import account_files, account_import

    if len(source) > 1 or (source and account_import.is_secret(source[0])):
        raise WaggleError(
            "Keys and phrases are not taken from the command line",
            "your shell keeps what is typed there, and every user of the machine can read it",
            "Leave it out: you are asked for it. Delete that line from the history of your shell",
        )
    if not source:
        return passphrase.ask_for("Private key or recovery phrase").encode(), "What you typed"
    if source[0] == "-":
        limit = account_files.MAX_FILE_BYTES + 1
        return sys.stdin.buffer.read(limit), "Standard input"
    path = Path(source[0]).expanduser()
    return account_import.read_file(path), str(path)


def _password(args: argparse.Namespace, shown: str) -> str:
    if args.password_file:
        return passphrase.from_file(Path(args.password_file).expanduser())
    return passphrase.ask_for(f"Password of {shown}", "Give it with --password-file FILE")


def _owners(args: argparse.Namespace) -> str | None:
    """The passphrase to lock a new account with; None for a random one."""
    if not (args.passphrase or args.passphrase_file):
        return None
    secret = passphrase.given(args.passphrase_file, passphrase.ACCOUNT) or _new()
    _check(secret)
    return secret


def _chosen(args: argparse.Namespace) -> str:
    """Not out of the environment: there the old one may be."""
    if not args.passphrase_file:
        return _new()
    secret = passphrase.from_file(Path(args.passphrase_file).expanduser())
    _check(secret)
    return secret


def _new(what: str = "the account") -> str:
    from core.net.keybackup import check_passphrase

    print(
        "Nobody can open it without its passphrase: keep it where you keep your others.",
        file=sys.stderr,
    )
    return passphrase.ask(f"New passphrase of {what}", new=check_passphrase)


def _check(secret: str) -> None:
    from core.net.keybackup import check_passphrase

    check_passphrase(secret)


def _balance(home: Home, effective: Effective, address: str) -> int | str:
    """In wei; or why it is not known: that is no reason not to show the rest."""
    from core.chain.account_balance import balance_of
    from core.identity.check import coordinator_of

    try:
        where = coordinator_of(home, effective)
        if where is None:
            return "balance  not asked for: chain.enabled is false"
        return balance_of(where[0], address, BALANCE_S)
    except TransientError as error:
        return f"balance  not known: {error}"


def _told(home: Home, address: str, copied: bool) -> int:
    from core.chain.account import is_locked

    print(f"The account of this home is now {address}.")
    for kept in sorted(home.account.glob("keystore.json.[0-9]*")):
        print(f"An earlier account is kept as {kept}.")
    print(LOCKED if is_locked(home.account) else OPEN.format(folder=home.account))
    if not copied:
        print("Keep a copy of it: waggle account export FILE.")
    return 0


def _facts(home: Home, address: str) -> dict[str, Any]:
    from core.chain.account import KEYSTORE, is_locked

    note = accounts.kept_note(home, address)
    return {
        "address": address,
        "path": str(home.account / KEYSTORE),
        "locked": is_locked(home.account),
        "copy": {"time": note.time, "how": note.how} if note else None,
    }
