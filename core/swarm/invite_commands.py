"""`waggle invite` and `waggle join`: what they ask, print and write."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import core
from core import config
from core.config import Effective
from core.errors import ConfigError, StorageError, WaggleError
from core.home import Home, HomeLock, atomic_write
from core.reports import clean
from core.swarm import hosting, invite, joining
from core.swarm.hosting import Opening
from core.swarm.invite import DAY_S, Invite

MAX_DAYS = 3650
IN_IT = ("swarm.name", "game.tasks", *invite.AGREED)
"""Settings of this node that an invite repeats."""


def make(
    effective: Effective,
    home: Home,
    *,
    host: str | None,
    out: str | None,
    days: int,
    yes: bool,
    as_json: bool,
) -> int:
    """Print an invite, or write it to a file; 0, or 1 when the person said no.

    The invite alone goes to standard output, all that is said about it to standard error.
    """
    if days > MAX_DAYS:
        raise ConfigError(f"--expires {days}: at most {MAX_DAYS} days")
    opening = hosting.plan(effective, home, host)
    if opening.changes:
        _say("\n".join(hosting.told(opening)))
        if opening.opens and not yes and not _agreed("Open it?", default=False):
            _say("Nothing was changed.")
            return 1
        hosting.save(opening, effective, home)
        _say(f"Written to {home.config}.\n")
    text, made = create(effective, home, opening, days)
    if out is not None:
        path = Path(out).expanduser().absolute()
        until = time.strftime("%Y-%m-%d", time.localtime(made.expires))
        head = f"# An invite to the Waggle swarm {made.swarm}, valid until {until}.\n"
        head += "# To join: waggle join THIS_FILE\n"
        atomic_write(path, f"{head}{text}\n".encode())
    if as_json:
        print(json.dumps({"invite": text, "file": out, **_facts(made)}))
        return 0
    for label, value in joining.facts(made):
        _say(f"{label:<12} {clean(value)}")
    if not opening.opens:
        _say("\nIt is for other homes on this machine: nobody else reaches these addresses.")
    passing = [key for key in IN_IT if effective.origins[key].layer in ("flag", "environment")]
    if passing:
        _say(
            f"\nIt holds {', '.join(passing)} as given now: start the node with the same, or write "
            f"them into {home.config}."
        )
    _say(_next_step(home, opening))
    print(path if out is not None else text)
    if out is None and sys.stdout.isatty():
        _say("\nCopy all of it. As a file it is easier to hand on: --out FILE")
    return 0


def create(effective: Effective, home: Home, opening: Opening, days: int) -> tuple[str, Invite]:
    """The text of a new invite and what is in it. WaggleError.

    Where the swarm's chain does not exist yet, it is made now: the contract's address is in it.
    """
    from core.net.identity import load_or_create
    from core.training import gym, tasks

    home.create()
    identity = load_or_create(home.identity)
    contract, chain_id = _chain_of(effective, home)
    chosen = effective.config
    task_text = tasks.text_of(chosen.game.tasks)
    digest = tasks.parse("the task set", task_text).digest
    if digest != tasks.load(chosen.game.tasks).digest:
        raise ConfigError(f"Task set {chosen.game.tasks} cannot be put into an invite")
    now = int(time.time())
    made = Invite(
        swarm=chosen.swarm.name,
        rpc_url=opening.rpc_url,
        contract=contract,
        chain_id=chain_id,
        bootnodes=(opening.bootnode(identity.peer_id),),
        tasks=task_text,
        settings={key: config.value_of(chosen, key) for key in invite.AGREED},
        rules_digest=digest,
        reasoning_gym=gym.version(),
        waggle=core.__version__,
        issued=now,
        expires=now + days * DAY_S,
        owner=identity.peer_id,
    )
    try:
        return invite.encode(made, identity.public_key_bytes, identity.sign), made
    except ValueError as error:
        raise ConfigError("No invite can be made of this configuration", str(error)) from error


def _chain_of(effective: Effective, home: Home) -> tuple[str, int]:
    """(contract, chain id) of the swarm hosted here."""
    from core.chain.host import read_services

    found = read_services(home.services)
    if found is None:
        from core.chain.services import SwarmServices

        if HomeLock(home).held_by_other():
            raise StorageError(
                "The node is just starting its chain", "", "Try again in a few seconds"
            )
        _say("Making the swarm's chain and its coordinator contract, once.\n")
        services = SwarmServices(home.services, 0, effective.config.swarm.round_timeout_s)
        try:
            found = services.start()
        finally:
            services.close()
    return found.contract, found.chain_id


def _next_step(home: Home, opening: Opening) -> str:
    from core.chain.host import read_services

    services = read_services(home.services)
    if not HomeLock(home).held_by_other():
        return "\nStart the node, so that others get in: waggle, or waggle run --headless\n"
    if services is None or services.public_url != opening.rpc_url:
        return (
            "\nThe node that runs now still has its old settings: stop it and start it again, so "
            "that others get in.\n"
        )
    return "\nThe node runs: whoever has this can join now.\n"


# --- join -------------------------------------------------------------------------------------


def join(home: Home, source: str, *, show: bool, yes: bool, as_json: bool) -> int:
    """Show an invite, ask, and write the configuration; 1 when the person said no."""
    found = joining.read(_text(source))
    if not as_json:
        for label, value in joining.facts(found):
            print(f"{label:<12} {clean(value)}")
    if show:
        if as_json:
            print(json.dumps(_facts(found)))
        return 0
    joining.require_stranger(found, home)
    if joining.is_joined(found, home):
        print(json.dumps(_facts(found)) if as_json else "This home has joined it already.")
        return 0
    if not as_json:
        _print_changes(found, home)
    if not yes and not _agreed("Join this swarm?", default=True):
        print("Nothing was changed.", file=sys.stderr)
        return 1
    kept = joining.join(found, home)
    if as_json:
        told = {"config": str(home.config), "kept": str(kept) if kept else None}
        print(json.dumps(_facts(found) | told))
        return 0
    if kept is not None:
        print(f"The old configuration is kept as {kept}.")
    if HomeLock(home).held_by_other():
        print("A node runs on this home: stop it and start it again, so that it joins.")
    else:
        print("Joined. Start the node: waggle, or waggle run --headless")
    return 0


def _print_changes(found: Invite, home: Home) -> None:
    if not home.config.exists():
        return
    try:
        changed = joining.changes(found, home)
    except ConfigError as error:
        print(f"\nThe configuration that is there cannot be used: {clean(str(error))}")
        return
    print(f"\n{home.config} is there already. Joining changes:")
    for each in changed:
        before, after = (_short(value) for value in (each.before, each.after))
        print(f"  {each.key:<24} {before} -> {after}")


def _short(value: Any) -> str:
    text = " ".join(value) if isinstance(value, list) else str(value)
    text = clean(text) or "(empty)"
    return text if len(text) <= 40 else text[:37] + "..."


def _text(source: str) -> str:
    return sys.stdin.read(2 * invite.MAX_TEXT + 1) if source == "-" else joining.text_of(source)


def _facts(found: Invite) -> dict[str, Any]:
    return asdict(found) | {"bootnodes": list(found.bootnodes)}


def _agreed(question: str, default: bool) -> bool:
    """Ask on the terminal. WaggleError without one: then --yes has to say it."""
    if not sys.stdin.isatty():
        raise WaggleError(
            "Nobody can be asked", "standard input is no terminal", "Add --yes to agree"
        )
    print(f"{question} [{'Y/n' if default else 'y/N'}] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip().lower()
    return default if not answer else answer in ("y", "yes")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
