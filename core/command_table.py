"""What each command of the command line does: it loads what the command needs, and calls it.

Nothing heavy is imported before its command runs. The grammar is in `arguments*.py`; the edge where
errors become sentences is `cli.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from core.errors import ConfigError, WaggleError
from core.home import Home

if TYPE_CHECKING:
    from core.config import Effective


def _load(args: argparse.Namespace, home: Home) -> Effective:
    from core.config import load

    sets = [*args.set, *args.limits]
    if getattr(args, "seed", None) is not None:
        sets.append(f"training.seed={args.seed}")
    effective = load(args.profile, home, sets=sets)
    if more := getattr(args, "bootnode", []):
        import json

        bootnodes = [*effective.config.net.bootnodes, *more]
        sets.append(f"net.bootnodes={json.dumps(bootnodes)}")
        effective = load(args.profile, home, sets=sets)
    return effective


def _console(args: argparse.Namespace, home: Home) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WaggleError(
            "The console needs a terminal",
            "standard input or output is not one",
            "Use `waggle run --headless`, or `ssh -t` for a console over SSH",
        )
    chosen = bool(args.profile or args.set or getattr(args, "seed", None) is not None)
    onboarding = not home.config.exists() and not chosen
    effective = _load(args, home)
    if not onboarding:
        from core.config import require_complete

        require_complete(effective)
    from core.account.unlock import unlock
    from tui.node_like import make_node
    from tui.session import run_session

    factory = partial(make_node, unlocked=unlock(effective, home))  # asks before the screen is up
    return run_session(home, effective, onboarding, lambda: _load(args, home), factory)


def _open(args: argparse.Namespace, home: Home) -> None:
    """`--host`: the swarm that this node hosts is reached there, from now on."""
    from core.swarm import hosting

    effective = _load(args, home)
    opening = hosting.plan(effective, home, args.host)
    if opening.changes:
        print("\n".join(hosting.told(opening)), file=sys.stderr)
        hosting.save(opening, effective, home)
        print(f"Written to {home.config}; `waggle invite` makes an invite.\n", file=sys.stderr)


def _run(args: argparse.Namespace, home: Home) -> int:
    if args.host is not None:
        _open(args, home)
        args.host = None
    if not args.headless:
        if args.rounds is not None or args.json or args.supervise or args.child:
            raise ConfigError(
                "--rounds, --json and --supervise belong to --headless", "", "Add --headless"
            )
        return _console(args, home)
    if args.supervise:
        if args.rounds is not None:
            raise ConfigError("--supervise is for a node without an end; leave out --rounds")
        from core.account.unlock import unlock_children
        from core.supervisor import headless_arguments, supervise

        secrets = unlock_children(_load(args, home), home)
        return supervise(headless_arguments(args, home), secrets=secrets)
    from core.config import require_complete

    effective = _load(args, home)
    require_complete(effective)
    from core.headless import run

    return run(effective, home, rounds=args.rounds, as_json=args.json, child=args.child)


def _eval(args: argparse.Namespace, home: Home) -> int:
    from core.config import load

    effective = load(args.profile, home, sets=[*args.set, *args.limits])
    from core.evaluation import evaluate

    options = {} if args.seed is None else {"seed": args.seed}
    return evaluate(
        effective, home, tasks=args.tasks, samples=args.samples, as_json=args.json, **options
    )


def _export(args: argparse.Namespace, home: Home) -> int:
    from core.exporting import export

    return export(
        home, args.folder, checkpoint=args.checkpoint, force=args.force, as_json=args.json
    )


def _status(args: argparse.Namespace, home: Home) -> int:
    from core.reports import status

    return status(home, args.json)


def _rewards(args: argparse.Namespace, home: Home) -> int:
    from core.rewards_figures import Choice
    from core.rewards_report import rewards

    choice = Choice(args.limit, args.failed, args.round)
    return rewards(home, lambda: _load(args, home), choice, args.check, args.json)


def _logs(args: argparse.Namespace, home: Home) -> int:
    from core.logs_report import Choice, logs

    choice = Choice(args.level, args.log, args.grep, args.since, args.lines, args.follow)
    return logs(home, choice, args.json)


def _peers(args: argparse.Namespace, home: Home) -> int:
    from core.swarm.peer_reports import peers

    return peers(home, args.json, args.find, args.why)


def _leaderboard(args: argparse.Namespace, home: Home) -> int:
    from core.swarm.swarm_reports import leaderboard

    return leaderboard(home, args.json, args.top, args.find)


def _gossip(args: argparse.Namespace, home: Home) -> int:
    from core.swarm.swarm_reports import heard

    return heard(home, args.json, args.since_round)


def _models(args: argparse.Namespace, home: Home) -> int:
    from core.listings import models

    return models(_load(args, home), home, args.json)


def _identity_new(args: argparse.Namespace, home: Home) -> int:
    from core.identity.commands import new

    return new(home, args.set_aside, args.json)


def _identity_import(args: argparse.Namespace, home: Home) -> int:
    from core.identity.commands import take_over

    return take_over(home, args.file, args.set_aside, args.json)


def _identity_show(args: argparse.Namespace, home: Home) -> int:
    from core.identity.commands import show

    return show(home, args.json)


def _identity_backup(args: argparse.Namespace, home: Home) -> int:
    from core.identity.commands import back_up

    return back_up(home, args.file, args.passphrase_file, args.json)


def _identity_restore(args: argparse.Namespace, home: Home) -> int:
    from core.identity.commands import restore

    return restore(home, args.file, args.passphrase_file, args.set_aside, args.json)


def _identity_verify(args: argparse.Namespace, home: Home) -> int:
    from core.identity.commands import verify

    load = lambda: _load(args, home)  # noqa: E731
    return verify(home, load, args.backup, args.passphrase_file, args.json)


def _account(args: argparse.Namespace, home: Home) -> int:
    from core.account.commands import run

    return run(args, home, lambda: _load(args, home))


def _invite(args: argparse.Namespace, home: Home) -> int:
    from core.swarm.invite_commands import make

    return make(
        _load(args, home),
        home,
        host=args.host,
        out=args.out,
        days=args.expires,
        yes=args.yes,
        as_json=args.json,
    )


def _join(args: argparse.Namespace, home: Home) -> int:
    from core.swarm.invite_commands import join

    return join(home, args.invite, show=args.show, yes=args.yes, as_json=args.json)


def _swarm_serve(args: argparse.Namespace, home: Home) -> int:
    from core.swarm import serving

    settings = {"chain.rpc_url": args.rpc, "chain.contract": args.contract}
    args.set += [f"{key}={value}" for key, value in settings.items() if value is not None]
    return serving.command(
        _load(args, home),
        home,
        login_proxy=args.login_proxy,
        port=args.port,
        host=args.host,
        login_data=args.login_data,
        yes=args.yes,
        as_json=args.json,
    )


def _swarm_members(args: argparse.Namespace, home: Home) -> int:
    from core.swarm.member_commands import members

    return members(home, add=args.add, remove=args.remove, as_json=args.json)


def _swarm_deploy(args: argparse.Namespace, home: Home) -> int:
    from core.swarm.deploying import command

    args.set += [f"chain.rpc_url={args.rpc}"] if args.rpc is not None else []
    return command(_load(args, home), home, again=args.again, as_json=args.json)


def _config(args: argparse.Namespace, home: Home) -> int:
    from core.listings import configuration

    return configuration(_load(args, home), args.json)


def _doctor(args: argparse.Namespace, home: Home) -> int:
    if args.part == "net":
        from core import doctor_net

        return doctor_net.report(lambda: _load(args, home), home, args.json)
    from core.doctor import report

    return report(lambda: _load(args, home), home, args.json)


COMMANDS: dict[str, Callable[[argparse.Namespace, Home], int]] = {
    "console": _console,
    "run": _run,
    "status": _status,
    "rewards": _rewards,
    "logs": _logs,
    "peers": _peers,
    "leaderboard": _leaderboard,
    "gossip": _gossip,
    "models": _models,
    "eval": _eval,
    "export": _export,
    "identity new": _identity_new,
    "identity import": _identity_import,
    "identity show": _identity_show,
    "identity backup": _identity_backup,
    "identity restore": _identity_restore,
    "identity verify": _identity_verify,
    "account new": _account,
    "account import": _account,
    "account show": _account,
    "account passphrase": _account,
    "account export": _account,
    "invite": _invite,
    "join": _join,
    "swarm serve": _swarm_serve,
    "swarm members": _swarm_members,
    "swarm deploy": _swarm_deploy,
    "config show": _config,
    "doctor": _doctor,
}
