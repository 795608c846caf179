"""The grammar of the commands that carry a node from place to place: `identity`, `invite`, `join`.

Made from the pieces of `arguments.py`; what the commands do is in `cli.py`.
"""

from __future__ import annotations

import argparse

from core.arguments import Commands, add_json, add_settings, command, group, positive

IDENTITY = """\
the peer identity of this home: the key that others know this node by

It cannot be made again: whoever has it is this node, and what the node earned is bound to it.
The account that rewards go to is another key, in the folder account/ of the home."""

ASIDE = "keep the key that is there as swarm.pem.1 instead of refusing"


def add_identity(commands: Commands) -> None:
    """`identity new|import|show|backup|restore|verify`."""
    inside = group(commands, "identity", IDENTITY)
    new = command(
        inside,
        "new",
        "make a new identity",
        "an existing one is never overwritten; the first start of waggle makes one as well.\n\n"
        "exit codes: 0, 1 there is one already",
        group="identity",
    )
    take = command(
        inside,
        "import",
        "use the swarm.pem of another node, as it is",
        "takes what RL-Swarm and Waggle nodes have: an RSA key as a libp2p key file. The file\n"
        "itself is copied, not changed. Stop the other node: one identity, one node.\n"
        "example: waggle identity import ~/rl-swarm/swarm.pem\n\n"
        "exit codes: 0, 1 it cannot be used (a sentence says why)",
        group="identity",
    )
    take.add_argument("file", metavar="PATH", help="a swarm.pem")
    show = command(
        inside,
        "show",
        "peer id, name, account and the last backup",
        "exit codes: 0, 1 there is none",
        group="identity",
    )
    backup = command(
        inside,
        "backup",
        "write an encrypted copy of the identity",
        "asks for a passphrase twice; without a terminal: --passphrase-file, or the environment\n"
        "variable WAGGLE_BACKUP_PASSPHRASE. Only the identity is in it, not the account.\n"
        "example: waggle identity backup /media/stick/node.backup\n\nexit codes: 0, 1",
        group="identity",
    )
    backup.add_argument(
        "file", metavar="FILE", nargs="?", help="where to; waggle-NAME.backup in your own folder"
    )
    restore = command(
        inside,
        "restore",
        "put the identity of a backup into this home",
        "on the same machine or another one; asks for the passphrase like `backup` does.\n\n"
        "exit codes: 0, 1 nothing was changed (a sentence says why)",
        group="identity",
    )
    restore.add_argument("file", metavar="FILE", help="what `waggle identity backup` wrote")
    verify = command(
        inside,
        "verify",
        "check the key, its backup, and whose the coordinator says it is",
        "mends the permissions of the key. A backup that was never made, or a coordinator that\n"
        "does not answer, is a hint and not a fault.\n\nexit codes: 0, 1 something is wrong",
        group="identity",
    )
    verify.add_argument("--backup", metavar="FILE", help="hold this backup against the key")
    add_settings(verify, memory_too=False)
    for each in (new, take, restore):
        each.add_argument("--set-aside", action="store_true", help=ASIDE)
    for each in (backup, restore, verify):
        each.add_argument(
            "--passphrase-file", metavar="FILE", help="its first line is the passphrase"
        )
    for each in (new, take, show, backup, restore, verify):
        add_json(each)


def add_invites(commands: Commands) -> None:
    """`invite` and `join`."""
    invite = command(
        commands,
        "invite",
        "make an invite to the swarm that this node hosts",
        "prints one line, waggle://..., to send to whoever shall join; they need nothing else.\n"
        "--host says at which address of this machine the others reach it, and opens the swarm\n"
        "there after asking: the settings go to config.yaml and hold from the next start. Its\n"
        "chain has no password there, so let only people whom you invite reach the two ports.\n"
        "examples:\n"
        "  waggle invite --host 192.168.1.20 --out friends.waggle\n"
        "  waggle invite --host 127.0.0.1           for other homes on this machine\n\n"
        "exit codes: 0, 1, 2 this node hosts no swarm, or nobody could reach it",
    )
    add_settings(invite, memory_too=False)
    add_json(invite)
    add_host(invite)
    invite.add_argument("--out", metavar="FILE", help="write it to a file")
    invite.add_argument(
        "--expires", type=positive, metavar="DAYS", default=30, help="valid this long (30)"
    )
    _add_yes(invite)
    join = command(
        commands,
        "join",
        "join a swarm with an invite",
        "shows what the invite says and asks. Then `waggle`, or `waggle run --headless`, trains\n"
        "without another question. A config.yaml that is there is kept as config.yaml.1.\n"
        "examples:\n"
        "  waggle join waggle://...\n"
        "  waggle join friends.waggle --show        only look\n\n"
        "exit codes: 0 joined (or shown), 1 refused or declined (a sentence says why)",
    )
    join.add_argument(
        "invite", metavar="INVITE", help="waggle://..., a file with it, or - for standard input"
    )
    join.add_argument("--show", action="store_true", help="print what it says and change nothing")
    add_json(join)
    _add_yes(join)


def add_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="IPv4 address or name at which others reach this machine; opens the swarm there",
    )


def _add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
