"""Checks of this machine and this home, each with what to do: real ones, made on the spot.

Every check is bounded in time and changes nothing but a probe file. A check that fails never
hides the next one.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from core import addresses, memory
from core.config import Effective, require_complete
from core.errors import WaggleError
from core.home import REPO_ROOT, Home, HomeLock
from core.net import listening
from core.schema import ChainSection

PYTHON = ((3, 10), (3, 13))
DISK_BYTES = 2 * 10**9
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Check:
    """One line of the report. next_step: empty when ok."""

    name: str
    ok: bool
    detail: str
    next_step: str = ""


def doctor(home: Home, effective: Effective) -> list[Check]:
    """All checks, in the order in which a person would look."""
    out: list[Check] = []
    for name, check in _CHECKS.items():
        try:
            out.extend(check(home, effective))
        except WaggleError as error:
            out.append(Check(name, False, _joined(error.what, error.why), error.next_step))
        except OSError as error:
            out.append(Check(name, False, str(error), "Check the disk and the permissions"))
    return out


def report(load: Callable[[], Effective], home: Home, as_json: bool) -> int:
    """Print all checks; 0 when each is ok, else 1. ConfigError when there is no configuration."""
    checks = doctor(home, load())
    if as_json:
        print(json.dumps({"checks": [asdict(check) for check in checks]}))
    else:
        print_checks(checks)
    return 0 if all(check.ok for check in checks) else 1


def print_checks(checks: Sequence[Check]) -> None:
    for check in checks:
        print(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<12} {check.detail}")
        if check.next_step:
            print(f"      {'':<12} {check.next_step}")


# --- the machine ------------------------------------------------------------------------------


def _python(home: Home, effective: Effective) -> Iterator[Check]:
    version = sys.version_info[:2]
    ok = PYTHON[0] <= version <= PYTHON[1]
    step = "" if ok else "Use Python 3.10 to 3.13: WAGGLE_PYTHON=/path/to/python3.12 ./waggle"
    yield Check("python", ok, f"{platform.python_version()} on {platform.platform()}", step)


def _packages(home: Home, effective: Effective) -> Iterator[Check]:
    wrong = []
    pins = pinned((REPO_ROOT / "requirements.lock").read_text(encoding="utf-8"))
    for name, versions in pins.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if found.partition("+")[0] not in versions:  # torch adds +cpu
            wrong.append(f"{name} {found} instead of {' or '.join(sorted(versions))}")
    detail = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    step = "Delete .venv and start ./waggle: it is made anew from the lock" if wrong else ""
    yield Check("packages", not wrong, detail or f"{len(pins)} as pinned", step)


def pinned(lock: str) -> dict[str, set[str]]:
    """Versions by package that the lock allows on this Python and platform."""
    from packaging.requirements import Requirement

    out: dict[str, set[str]] = {}
    for line in lock.splitlines():
        if not re.match(r"[A-Za-z0-9]", line):
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            versions = {specifier.version for specifier in requirement.specifier}
            out.setdefault(requirement.name, set()).update(versions)
    return out


def _memory(home: Home, effective: Effective) -> Iterator[Check]:
    from core import catalogue, free_memory, pools

    config = pools.settle(effective, home, keep=False).config
    device = free_memory.device_of(config)
    shape = catalogue.shape_of(config.model.id)
    found = memory.plan(shape, config, free_memory.budget(config, device), device)
    detail = f"{config.model.id} {found}"
    if found.verdict != "fits" and found.parts:
        detail += f"; {found.largest()}"
    yield Check("memory", found.verdict != "too large", detail, found.advice)


# --- the home ---------------------------------------------------------------------------------


def _disk(home: Home, effective: Effective) -> Iterator[Check]:
    folder = home.path
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free >= DISK_BYTES
    step = "" if ok else f"Free some space: {DISK_BYTES / 1e9:.0f} GB for checkpoints and models"
    yield Check("disk", ok, f"{free / 1e9:.1f} GB free at {folder}", step)


def _home(home: Home, effective: Effective) -> Iterator[Check]:
    home.create()
    running = ", a node runs on it" if HomeLock(home).held_by_other() else ""
    yield Check("home", True, f"{home.path} can be written{running}")


def _identity(home: Home, effective: Effective) -> Iterator[Check]:
    from core.net.identity import load

    if not home.identity.exists():
        yield Check("identity", True, "none yet, made on the first start")
        return
    known = load(home.identity)
    yield Check("identity", True, f"{known.name}, {known.peer_id}")


def _account(home: Home, effective: Effective) -> Iterator[Check]:
    from core import doctor_account

    yield from doctor_account.checks(home, effective)


def _model(home: Home, effective: Effective) -> Iterator[Check]:
    from core import catalogue, pools

    model = pools.settle(effective, home, keep=False).config.model.id
    path = Path(model).expanduser()
    folder = catalogue.BUILT_IN / model
    if not folder.is_dir():
        folder = path
    if folder.is_dir():
        missing = [n for n in ("config.json", "tokenizer.json") if not (folder / n).is_file()]
        weights = any(folder.glob("*.safetensors"))
        if not weights:
            missing.append("*.safetensors")
        step = "Give the folder that save_pretrained wrote" if missing else ""
        detail = f"{folder} lacks {', '.join(missing)}" if missing else f"{model} is here"
        yield Check("model", not missing, detail, step)
    elif model.startswith(("/", ".", "~")):
        yield Check("model", False, f"there is no folder {path}", "Correct model.id")
    else:
        yield _hub_model(model)


def _hub_model(model: str) -> Check:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.utils import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return Check("model", False, f"{model!r} is no model id", "Correct model.id")
    if isinstance(found, str):
        return Check("model", True, f"{model} is downloaded")
    return Check("model", True, f"{model} is not here yet, downloaded on the first start")


# --- the swarm --------------------------------------------------------------------------------


def _join(home: Home, effective: Effective) -> Iterator[Check]:
    require_complete(effective)
    role = "hosts its swarm" if effective.config.swarm.host else "joins a swarm"
    yield Check("profile", True, f"{effective.profile}: {role}")


def _ports(home: Home, effective: Effective) -> Iterator[Check]:
    if HomeLock(home).held_by_other():
        return  # its own node holds them
    config = effective.config
    wanted = []
    if config.net.enabled:
        yield from listen_ports(config.net.listen)
    if config.chain.enabled and config.swarm.host and config.chain.devnet_port:
        for address in addresses.listening(config.chain.devnet_host):
            wanted.append((address, config.chain.devnet_port, "chain.devnet_port"))
    for host, port, key in wanted:
        yield _port(host, port, key)


def listen_ports(text: str) -> Iterator[Check]:
    """Whether every address of a net.listen can be had; ConfigError when it is malformed."""
    for address in listening.parse(text):
        name = f"{address.transport.upper()} port {address.port or 'chosen by the system'}"
        why = listening.taken(address)
        step = "End the program that has it, or choose another: --set net.listen=..." if why else ""
        detail = f"{name} on {address.host}" + (f": {why}" if why else "")
        yield Check("ports", not why, detail, step)


def _port(host: str, port: int, key: str) -> Check:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            step = f"End the program that has it, or choose another with --set {key}=..."
            return Check("ports", False, f"{host} port {port} cannot be used: {error}", step)
    return Check("ports", True, f"{host} port {port} is free")


def _network(home: Home, effective: Effective) -> Iterator[Check]:
    """What the running node says of it; without one, a try takes longer than this command may."""
    from core import doctor_net

    if not effective.config.net.enabled:
        yield Check("network", True, "off: this node trains alone")
    elif HomeLock(home).held_by_other():
        yield from doctor_net.beside(home, effective.config.net)
    else:
        yield Check("network", True, "no node runs; `waggle doctor net` tries it")


def _chain(home: Home, effective: Effective) -> Iterator[Check]:
    chain = effective.config.chain
    if not chain.enabled:
        yield Check("chain", True, "off: nothing is recorded")
    elif not chain.rpc_url:
        yield Check("chain", True, "the devnet of this node")
    else:
        yield from (_reachable(url.strip(), chain) for url in chain.rpc_url.split(","))


def _reachable(rpc_url: str, chain: ChainSection) -> Check:
    from core.chain.lookup import chain_at

    try:
        found = chain_at(rpc_url, chain.contract, chain.chain_id, TIMEOUT_S)
    except WaggleError as error:
        return Check("chain", False, _joined(error.what, error.why), error.next_step)
    return Check("chain", True, f"chain id {found} answers")


def _joined(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


_CHECKS: dict[str, Callable[[Home, Effective], Iterator[Check]]] = {
    "python": _python,
    "packages": _packages,
    "memory": _memory,
    "disk": _disk,
    "home": _home,
    "identity": _identity,
    "account": _account,
    "model": _model,
    "profile": _join,
    "ports": _ports,
    "network": _network,
    "chain": _chain,
}
