"""From an invite to a configuration: what joining changes in a home, and writing it.

The tasks go into a file of the home, so that a later Waggle with another task set of that name
changes nothing. What is personal in a config.yaml that is there (model, training, console, ...)
stays; what belongs to a swarm is replaced, and the old file is kept beside the new one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import addresses, config
from core.errors import ConfigError, WaggleError
from core.home import Home, atomic_write
from core.reports import clean
from core.swarm import hosting, invite
from core.swarm.invite import AGREED, Invite
from core.texts import _

PROFILE = "join"
OF_A_SWARM = (
    *AGREED,
    "game.tasks",
    *("chain.enabled", "chain.rpc_url", "chain.contract", "chain.chain_id"),
    *("chain.devnet_host", "chain.devnet_port"),
    *("net.enabled", "net.listen", "net.announce", "net.bootnodes"),
)
"""Settings of config.yaml that do not outlive a change of the swarm, besides all of `swarm`."""


def read(text: str, now: float | None = None) -> Invite:
    """An invite that can be joined with this Waggle, now. WaggleError with the reason."""
    from core.net.identity import peer_id_of, verify
    from core.training import gym, tasks

    found = invite.decode(text, verify, peer_id_of)

    def digest(yaml_text: str) -> str:
        return tasks.parse("the invite's task set", yaml_text).digest

    sets = [f"{key}={_flag(value)}" for key, value in found.settings.items()]
    try:
        hosting.require_name(found.swarm)
        invite.require_valid(found, time.time() if now is None else now, digest, gym.version())
        config.load(PROFILE, env={}, sets=sets)
    except ConfigError as error:
        raise WaggleError("This invite cannot be used", str(error), invite.ASK) from error
    return found


def text_of(source: str) -> str:
    """The text of an invite that is given as it is, or as the path of a file. WaggleError."""
    if invite.SCHEME in source:
        return source
    if not source.strip():
        raise WaggleError("The invite is missing", "", f"It begins with {invite.SCHEME}")
    path = _file(source.strip()) if len(source) <= 4000 else None
    if path is None:
        raise WaggleError(
            f"{clean(source.strip()[:60])!r} is neither an invite nor a file",
            f"an invite begins with {invite.SCHEME}",
            "Paste all of it, or give the name of a file with it",
        )
    try:
        with path.open("rb") as file:
            return file.read(2 * invite.MAX_TEXT + 1).decode("utf-8", "replace")
    except OSError as error:
        raise WaggleError(f"Cannot read {path}", error.strerror or str(error)) from error


def _file(text: str) -> Path | None:
    """None where there is none: also for a name that is too long, or the home of no user."""
    try:
        path = Path(text).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError):
        return None


def settings_of(found: Invite, home: Home) -> dict[str, Any]:
    """Dotted key -> value: what the invite sets over the profile `join`."""
    out: dict[str, Any] = {
        "swarm.name": found.swarm,
        "chain.rpc_url": found.rpc_url,
        "chain.contract": found.contract,
        "chain.chain_id": found.chain_id,
        "net.bootnodes": list(found.bootnodes),
        "game.tasks": str(task_file(found, home)),
        **found.settings,
    }
    if all(addresses.is_loopback(each.split("/")[2]) for each in found.bootnodes):
        out["net.listen"] = f"/ip4/{addresses.LOOPBACK}/tcp/0"  # nobody else could come
    return out


def task_file(found: Invite, home: Home) -> Path:
    return home.path / "tasks" / f"{found.rules_digest[:12]}.yaml"


@dataclass(frozen=True)
class Change:
    """A setting that joining gives another value. Values as config.yaml would show them."""

    key: str
    before: Any
    after: Any


def values_after(found: Invite, home: Home) -> dict[str, Any]:
    """The whole config.yaml after joining, for `config.save_user_config`."""
    return merged(settings_of(found, home), config.user_config(home))


def merged(settings: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` over what is personal in the config.yaml that was there."""
    out: dict[str, Any] = {"profile": PROFILE}
    for section, values in before.items():
        if section in ("profile", "swarm"):
            continue
        kept = {k: v for k, v in values.items() if f"{section}.{k}" not in OF_A_SWARM}
        if kept:
            out[section] = kept
    for key, value in settings.items():
        section, name = key.split(".")
        out.setdefault(section, {})[name] = value
    return out


def changes(found: Invite, home: Home) -> list[Change]:
    """What joining would change in an existing configuration; ConfigError when that is broken."""
    before = config.load(None, home, env={}).config
    wanted = config.load(PROFILE, env={}).config
    out = []
    after = values_after(found, home)
    for key in config.settings():
        section, name = key.split(".")
        new = after.get(section, {}).get(name, config.value_of(wanted, key))
        old = config.value_of(before, key)
        if new != old:
            out.append(Change(key, old, new))
    return out


def is_joined(found: Invite, home: Home) -> bool:
    """Whether the home's configuration is what joining would write."""
    try:
        return home.config.exists() and not changes(found, home)
    except ConfigError:
        return False


def require_stranger(found: Invite, home: Home) -> None:
    """WaggleError when the invite is this very node's own."""
    from core.net.identity import load

    if home.identity.exists() and load(home.identity).peer_id == found.owner:
        raise WaggleError(
            "This invite was made by the node of this home",
            f"it hosts the swarm {found.swarm} itself",
            "Send it to others; for a second node on this machine: --home OTHER_FOLDER",
        )


def join(found: Invite, home: Home) -> Path | None:
    """Write the tasks and config.yaml; where the old one is kept, if there was one.

    Nothing is changed when a value cannot be used (ConfigError). StorageError.
    """
    values = values_after(found, home)
    home.create()
    write_tasks(found, home)
    kept = None
    if home.config.exists():
        kept = _free_name(home.config)
        atomic_write(kept, home.config.read_bytes())
    config.save_user_config(home, values)
    return kept


def write_tasks(found: Invite, home: Home) -> None:
    head = f"# The tasks of the swarm {found.swarm}, as its invite brought them. All of its nodes\n"
    head += "# must have the same: a change here makes this node's work worthless to them.\n"
    atomic_write(task_file(found, home), (head + found.tasks).encode())


def facts(found: Invite) -> list[tuple[str, str]]:
    """The invite in words: (label, text), for a terminal. Texts are printable."""
    from core.net.names import animal_name
    from core.training import tasks

    task_set = tasks.parse("the invite's task set", found.tasks)
    names = ", ".join(spec.name for spec in task_set.datasets)
    given = found.settings
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.expires))
    valid = _("{swarm}; the invite is valid until {time}").format(swarm=found.swarm, time=until)
    rounds = _("{tasks} tasks of {completions} completions, at most {tokens} tokens each")
    rounds = rounds.format(
        tasks=given.get("game.groups", "?"),
        completions=given.get("game.generations", "?"),
        tokens=given.get("sampling.max_new_tokens", "?"),
    )
    where = _("{contract} at {host}").format(contract=found.contract, host=_place(found.rpc_url))
    rows = [
        (_("swarm"), valid),
        (_("signed by"), f"{animal_name(found.owner)}  {found.owner}"),
        (_("coordinator"), where),
        (_("bootnodes"), " ".join(each.partition("/p2p/")[0] for each in found.bootnodes)),
        (_("tasks"), f"{task_set.name}: {names}"),
        (_("rounds"), rounds),
    ]
    if given.get("swarm.genrl"):
        unsigned = _("nodes of the original take part; what they send is unsigned")
        rows.append(("GenRL", unsigned))
    return rows


def _place(url: str) -> str:
    """Host and port: the rest of an RPC address may hold a key."""
    from urllib.parse import urlsplit

    return urlsplit(url).netloc.rpartition("@")[2]


def _free_name(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return kept


def _flag(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
