"""Opening the swarm that this node hosts: at which address and ports others reach it.

A swarm hosted here is on loopback until a person names an address. Then the bootnode and the
devnet get fixed ports there, as settings in config.yaml, so that an invite outlives a restart.
It plans and writes; whoever asks the person, and prints, is `invite_commands.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import addresses, config
from core.config import Effective, value_of
from core.errors import ConfigError
from core.home import Home
from core.schema import Config
from core.swarm.invite import AGREED

NET_PORT = 38_331
"""What RL-Swarm nodes listen on; the next free one when it is taken."""
DEVNET_PORT = 38_545
_LISTEN = re.compile(r"/ip4/(?P<host>[^/]+)/tcp/(?P<port>\d+)(?P<rest>/.*)?")


@dataclass(frozen=True)
class Opening:
    """Where others will reach the swarm. changes: settings to write; empty when all is so already.

    everywhere: it listens on every address of this machine, because `address` is none of them.
    """

    address: str
    net_port: int
    devnet_port: int
    everywhere: bool
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def opens(self) -> bool:
        """Whether anybody but this machine can reach it."""
        return not addresses.is_loopback(self.address)

    @property
    def rpc_url(self) -> str:
        return f"http://{self.address}:{self.devnet_port}"

    def bootnode(self, peer_id: str) -> str:
        return f"{_maddr(self.address, self.net_port)}/p2p/{peer_id}"


def require_host(config: Config) -> None:
    """ConfigError unless this node hosts a swarm that others could join."""
    if not config.swarm.host or config.chain.rpc_url:
        raise ConfigError(
            "This node hosts no swarm",
            "an invite is made by the node that runs the swarm's chain",
            "To invite to a swarm that you joined, pass on the invite that you got; to host one: "
            "waggle run --profile solo, or trio",
        )
    if not (config.chain.enabled and config.net.enabled):
        off = "chain.enabled" if not config.chain.enabled else "net.enabled"
        raise ConfigError(
            "Nobody can join this swarm", f"{off} is false", f"Set it to true: --set {off}=true"
        )


def require_name(name: str) -> None:
    """ConfigError for what no swarm can be called: records in the DHT hold it."""
    from core.net.records import is_swarm_name

    if not is_swarm_name(name):
        raise ConfigError(
            f"A swarm cannot be called {name[:80]!r}",
            "its name is 1 to 64 letters, digits, dots, dashes or underscores",
            "Choose another one",
        )


def plan(effective: Effective, home: Home, address: str | None) -> Opening:
    """What it takes to be reached at `address`; None: where it is open already.

    ConfigError when no address is given and it is not open, when the address is none, or when
    the settings cannot be brought there.
    """
    chosen = effective.config
    require_host(chosen)
    require_name(chosen.swarm.name)
    host = chosen.chain.devnet_host if address is None else addresses.parse(address)
    found = _LISTEN.fullmatch(chosen.net.listen)
    if found is None:
        raise ConfigError(
            f"net.listen is {chosen.net.listen}",
            "a swarm is hosted at a TCP address",
            "Leave it out of config.yaml, or write it like /ip4/0.0.0.0/tcp/38331",
        )
    if address is None and not (int(found["port"]) and chosen.chain.devnet_port):
        own = ", ".join(addresses.own()) or "see `ip address`"
        raise ConfigError(
            "This swarm can be reached from this machine only",
            "its ports change with every start",
            f"Say where others reach this machine: --host ADDRESS (it has {own})",
        )
    binds = addresses.listening(host)
    net_port = int(found["port"]) or addresses.free_port(binds, NET_PORT)
    devnet_port = _devnet_port(chosen, home, binds, net_port)
    everywhere = binds == (addresses.EVERY,)
    wanted: dict[str, Any] = {
        "net.listen": _maddr(addresses.EVERY if everywhere else host, net_port),
        "net.announce": [_maddr(host, net_port)] if everywhere else [],
        "chain.devnet_host": host,
        "chain.devnet_port": devnet_port,
    }
    if address is None:  # as it is: whoever set it by hand knows why
        wanted = {}
    changes = {k: v for k, v in wanted.items() if value_of(chosen, k) != v}
    return Opening(host, net_port, devnet_port, everywhere, changes)


def save(opening: Opening, effective: Effective, home: Home) -> None:
    """Write the changes into config.yaml, over what is there. ConfigError, StorageError."""
    values = config.user_config(home)
    values.setdefault("profile", effective.profile)
    for key, value in opening.changes.items():
        section, name = key.split(".")
        values.setdefault(section, {})[name] = value
    home.create()
    config.save_user_config(home, values)


def told(opening: Opening) -> list[str]:
    """What being open means, in lines for a person who has to say yes to it."""
    where = "on every address of this machine" if opening.everywhere else f"at {opening.address}"
    if not opening.opens:
        return [
            f"The swarm gets fixed ports on this machine, {opening.net_port} and "
            f"{opening.devnet_port}.",
            "Nothing is opened to others.",
        ]
    lines = [
        f"This opens two TCP ports of this machine, {where}:",
        f"  {opening.net_port}  the bootnode: here nodes find one another and fetch rollouts.",
        "         What they send is signed, checked and bounded.",
        f"  {opening.devnet_port}  the devnet, the chain of the swarm. It has no password:",
        "         whoever reaches it can read it, register accounts, and fill it",
        "         with transactions. Only this node's own key moves the clock.",
        "Let only people whom you invite reach them: in a home or office network,",
        "through a VPN, or by a firewall rule for their addresses.",
    ]
    if opening.everywhere:
        lines.append(
            f"If {opening.address} leads to your router, let it forward both ports to this machine."
        )
    return lines


def for_siblings(config: Config) -> dict[str, Any]:
    """Settings of the further nodes on this machine that follow from the swarm's: what all its
    nodes agree on, and an address at which those who came from elsewhere reach them, too."""
    tasks = config.game.tasks
    if tasks.endswith((".yaml", ".yml")):
        tasks = str(Path(tasks).expanduser().absolute())
    out: dict[str, Any] = {"swarm.name": config.swarm.name, "game.tasks": tasks}
    out |= {key: value_of(config, key) for key in AGREED}
    found = _LISTEN.fullmatch(config.net.listen)
    if found is not None and not addresses.is_loopback(found["host"]):
        out["net.listen"] = _maddr(found["host"], 0)
    return out


def own_maddr(config: Config, peer_id: str) -> list[str]:
    """How the further nodes on this machine reach the bootnode when it announces an address that
    may only work from outside; empty when there is no such."""
    found = _LISTEN.fullmatch(config.net.listen)
    if found is None or found["host"] != addresses.EVERY or not config.net.announce:
        return []
    return [f"{_maddr(addresses.LOOPBACK, int(found['port']))}/p2p/{peer_id}"]


def _devnet_port(config: Config, home: Home, binds: tuple[str, ...], net_port: int) -> int:
    """The port that is set, else the one that the devnet has now, else a free one."""
    if config.chain.devnet_port:
        return config.chain.devnet_port
    from core.chain.host import is_running, read_services

    before = read_services(home.services)
    last = before.rpc_url.rpartition(":")[2] if before else ""
    wanted = int(last) if last.isdecimal() and 0 < int(last) < 65_536 else DEVNET_PORT
    if before is not None and wanted != net_port and is_running(before):
        return wanted  # taken by this very devnet
    return addresses.free_port(binds, wanted, besides=net_port)


def _maddr(host: str, port: int) -> str:
    kind = "ip4" if addresses.is_number(host) else "dns4"
    return f"/{kind}/{host}/tcp/{port}"
