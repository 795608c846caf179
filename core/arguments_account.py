"""The grammar of `account`: the key that rewards go to, and how it is kept.

Made from the pieces of `arguments.py`; what the commands do is in `core/account/commands.py`.
"""

from __future__ import annotations

import argparse

from core.arguments import Commands, add_json, add_settings, command, group

ACCOUNT = """\
the account of this home: the Ethereum key that rewards and votes are signed with

It lies in the folder account/ of the home, as a keystore v3 that every wallet opens. As it comes,
the passphrase is random and lies beside it: a restart needs no keyboard, and who can read the
folder has the account. `waggle account passphrase` locks it with one of your own instead.
Peer ids are bound to the account that registered them first: keep a copy (`export`).
The peer identity is another key: `waggle identity`."""

LOCKED = """\
A node whose account is locked takes the passphrase at its start from the first of these:
  1. the file that chain.passphrase_file names; its first line
  2. the environment variable WAGGLE_PASSPHRASE; no process that the node starts inherits it
  3. the credential waggle-passphrase of a systemd service:
     LoadCredential=waggle-passphrase:/etc/waggle/passphrase, or LoadCredentialEncrypted=
  4. you, at the terminal, before the console opens; `run --supervise` asks once for all restarts
With the first three a restart needs no keyboard. A wrong or missing one ends with 2 before
anything else starts. Nobody can open the account without it: its recovery phrase, its private key
or an exported keystore is the way back, with `waggle account import`."""

OWN = "lock it with a passphrase of your own; asked for twice, or out of WAGGLE_PASSPHRASE"
OWN_FILE = "like --passphrase, and it is the first line of this file"


def add_account(commands: Commands) -> None:
    """`account new|import|show|passphrase|export`."""
    inside = group(commands, "account", ACCOUNT)
    new = command(
        inside,
        "new",
        "make a new account with a recovery phrase",
        "The twelve words are shown once, on a page of their own that leaves nothing on the\n"
        "terminal, and two of them are asked for before anything is written. They are kept\n"
        "nowhere: whoever has them has the account, in any wallet. Without a terminal they are\n"
        "not shown; `waggle account export` then makes the copy.\n"
        "The first start of waggle makes an account as well, without a phrase.\n\n"
        "exit codes: 0, 1 there is one already, or it was given up",
        group="account",
    )
    new.add_argument(
        "--show-phrase",
        action="store_true",
        help="with --json: put the recovery phrase into the answer, for a script that keeps it",
    )
    take = command(
        inside,
        "import",
        "use an account that you have: private key, recovery phrase or keystore",
        "A private key is 64 hexadecimal digits, a recovery phrase (BIP-39) 12 to 24 words, a\n"
        "keystore the JSON file of geth, clef, MetaMask and others, with its password. Which one\n"
        "it is shows in the text. Without a SOURCE you are asked, and nothing of it is echoed; on\n"
        "the command line itself it would stay in the history of your shell, so it is not taken\n"
        "there.\n"
        "examples:\n"
        "  waggle account import                       type or paste a key or a phrase\n"
        "  waggle account import ~/UTC--2026-01-01T00-00-00Z--19e7e3...\n"
        "  pass show wallet | waggle account import -  from standard input\n\n"
        "exit codes: 0, 1 nothing was changed (a sentence says why)",
        group="account",
    )
    take.add_argument(
        "source",
        metavar="SOURCE",
        nargs="*",
        help="a file with one of the three, or - for standard input",
    )
    take.add_argument(
        "--password-file", metavar="FILE", help="its first line is the password of the keystore"
    )
    take.add_argument(
        "--path",
        metavar="PATH",
        help="which account of a recovery phrase; m/44'/60'/0'/0/0, the first one",
    )
    show = command(
        inside,
        "show",
        "address, how it is opened, the last copy",
        "exit codes: 0, 1 there is none",
        group="account",
    )
    show.add_argument(
        "--balance", action="store_true", help="ask the chain for it; waits 5 seconds at most"
    )
    passphrase = command(
        inside,
        "passphrase",
        "lock the account with a passphrase of your own, or change it",
        f"{LOCKED}\n\n"
        "--random goes back to one that lies beside the keystore.\n\n"
        "exit codes: 0, 1 nothing was changed, 2 the present passphrase is missing or wrong",
        group="account",
    )
    passphrase.add_argument(
        "--random", action="store_true", help="a random one beside the keystore, as it comes"
    )
    export = command(
        inside,
        "export",
        "write a keystore that any wallet opens, or the private key",
        "The keystore is locked with a passphrase that is asked for twice; without a terminal:\n"
        "--passphrase-file, or the environment variable WAGGLE_BACKUP_PASSPHRASE.\n"
        "--private-key shows the key, as it is, on a terminal only; with FILE it is written to a\n"
        "new file that you alone can read.\n"
        "example: waggle account export /media/stick/waggle.json\n\n"
        "exit codes: 0, 1, 2 the passphrase of the account is missing or wrong",
        group="account",
    )
    export.add_argument(
        "file", metavar="FILE", nargs="?", help="where to; waggle-ADDRESS.json in your own folder"
    )
    export.add_argument(
        "--private-key", action="store_true", help="the private key instead of a keystore"
    )
    for each in (new, take):
        _add_lock(each)
        each.add_argument(
            "--set-aside",
            action="store_true",
            help="keep the account that is there as keystore.json.1 instead of refusing",
        )
    for each in (passphrase, export):
        each.add_argument(
            "--passphrase-file", metavar="FILE", help="its first line is the new passphrase"
        )
    for each in (show, passphrase, export):
        add_settings(each, memory_too=False)
    for each in (new, take, show, passphrase, export):
        add_json(each)


def _add_lock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--passphrase", action="store_true", help=OWN)
    parser.add_argument("--passphrase-file", metavar="FILE", help=OWN_FILE)
