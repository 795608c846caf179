"""`waggle swarm serve`: the services of a swarm and the login proxy, without a node.

It starts, tells and ends; what the proxy answers is `core/chain/login_routes.py`. An ORG_ID is
never printed here: output of a service ends up in logs.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import addresses, events
from core.account.unlock import open_account
from core.config import Effective
from core.errors import ConfigError, WaggleError
from core.home import Home, HomeLock
from core.swarm import member_commands
from core.swarm.serving_lines import Lines

if TYPE_CHECKING:
    from core.chain.account import Wallet
    from core.chain.coordinator import WalletCoordinator
    from core.chain.members import Member

PORT = 3000
"""Where RL-Swarm looks for its login."""
TICK_S = 1.0


@dataclass(frozen=True)
class Options:
    """What the command line asks for. host, port: of the login proxy. login_data: a folder."""

    login_proxy: bool
    port: int
    host: str
    login_data: Path | None


def serve(effective: Effective, home: Home, options: Options, lines: Lines) -> int:
    """Serve until SIGINT or SIGTERM; 0. WaggleError when it cannot start."""
    home.create()
    # First: it may ask for a passphrase, and nothing that is started may inherit one.
    wallet = _own_account(effective, home, options) if options.login_proxy else None
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as closing:
        where = _Where(effective, home, lines, ended)
        closing.callback(where.close)
        where.start(options)
        if options.login_proxy:
            connections = _Connections(effective, wallet, where)
            closing.callback(connections.close)
            _start_proxy(effective, home, options, connections, lines, closing)
        rpc_url, contract = where.now()
        lines.ready(rpc_url, contract)
        while not ended.wait(TICK_S):
            if options.login_data is not None:
                _keep_login_data(home, options.login_data, lines)
    lines.ended()
    return 0


class _Where:
    """Where the swarm's chain is: elsewhere, in a node that runs on this home, or started here."""

    def __init__(
        self, effective: Effective, home: Home, lines: Lines, ended: threading.Event
    ) -> None:
        from core.chain.host import ServicesHost

        self._chain = effective.config.chain
        self._swarm = effective.config.swarm
        self._home = home
        self._lines = lines
        self._ended = ended
        self._lock = HomeLock(home)
        self._host: ServicesHost | None = None

    def start(self, options: Options) -> None:
        """ConfigError when there is nothing to serve. WaggleError when services do not start."""
        if self._chain.rpc_url and self._chain.contract:
            if not options.login_proxy:
                raise ConfigError(
                    "There is nothing to serve",
                    "the chain of this swarm runs elsewhere",
                    "Add --login-proxy to serve RL-Swarm nodes of that swarm",
                )
            return
        if self._chain.rpc_url or self._chain.contract or not self._swarm.host:
            raise ConfigError(
                "It is not known which swarm to serve",
                "this home hosts none, and chain.rpc_url or chain.contract is empty",
                "To host one: --profile solo; to serve one that runs elsewhere: --rpc and "
                "--contract",
            )
        if self._running() is None:
            self._start_services()

    def now(self) -> tuple[str, str]:
        """(RPC address, contract). WaggleError when the services are not up."""
        if self._chain.rpc_url:
            return self._chain.rpc_url, self._chain.contract
        if self._host is not None:
            found = self._host.wait(self._ended)
            return found.rpc_url, found.contract
        running = self._running()
        if running is None:
            raise WaggleError(
                "The swarm's chain does not run now",
                "the node that ran it has ended",
                "Start the node again, or end this command and start it again",
            )
        return running

    def close(self) -> None:
        if self._host is not None:
            self._host.stop()
        self._lock.release()

    def _running(self) -> tuple[str, str] | None:
        from core.chain.host import is_running, read_services

        found = read_services(self._home.services)
        if found is None or not is_running(found):
            return None
        return found.rpc_url, found.contract

    def _start_services(self) -> None:
        from core.chain.host import ServicesHost

        # As a node does: a second one on this home would want to run the services, too.
        self._lock.acquire()
        self._host = ServicesHost(
            self._home.services,
            self._home.logs / "services.log",
            port=self._chain.devnet_port,
            round_timeout_s=self._swarm.round_timeout_s,
            public=self._chain.devnet_host,
            manager=self._home.account,
            calls_per_s=self._chain.devnet_calls_per_s,
            emit=self._told,
        )
        self._host.start()
        self._host.wait(self._ended)

    def _told(self, event: events.Event) -> None:
        if isinstance(event, events.ServiceChanged):
            self._lines.service(event.status, event.detail)


def _own_account(effective: Effective, home: Home, options: Options) -> Wallet | None:
    """The account of the member `home`, opened; it is made a member where there is nobody else, or
    where login data is wanted. None where it is none."""
    from core.chain.members import HOME

    members = member_commands.of(home)
    if members.named(HOME) is None:
        if members.all() and options.login_data is None:
            return None
        members.add(HOME)
    return open_account(effective, home)


def _start_proxy(
    effective: Effective,
    home: Home,
    options: Options,
    connections: _Connections,
    lines: Lines,
    closing: ExitStack,
) -> None:
    from core.chain.login_routes import Routes
    from core.chain.login_server import LoginServer

    members = member_commands.of(home)
    patience_s = 6 * effective.config.chain.call_timeout_s
    routes = Routes(members, connections.of, patience_s, lines.served)
    server = LoginServer(routes, options.port, options.host)
    if options.login_data is not None:
        _keep_login_data(home, options.login_data, lines)
    server.start()
    closing.callback(server.close)
    lines.login(server.public_url, [each.name for each in members.all()])


class _Connections:
    """A coordinator for each member, connected on first use and again when the chain has moved."""

    def __init__(self, effective: Effective, own: Wallet | None, where: _Where) -> None:
        """own: of the member `home`, where there is that member."""
        self._settings = effective.config.chain
        self._own = own
        self._where = where
        self._lock = threading.Lock()
        self._made: dict[str, tuple[tuple[str, str], WalletCoordinator]] = {}

    def of(self, member: Member) -> WalletCoordinator:
        from core.chain.account import load_or_create
        from core.chain.coordinator import WalletCoordinator
        from core.chain.members import HOME

        where = self._where.now()
        with self._lock:
            at, made = self._made.get(member.org_id, (None, None))
        if made is not None and at == where:
            return made
        if made is not None:
            made.close()
        own = self._own if member.name == HOME else None
        wallet = own or load_or_create(member.account)
        made = WalletCoordinator(*where, wallet, self._settings)
        with self._lock:
            self._made[member.org_id] = (where, made)
        return made

    def close(self) -> None:
        with self._lock:
            for _, made in self._made.values():
                made.close()


def _keep_login_data(home: Home, folder: Path, lines: Lines) -> None:
    """RL-Swarm's start script removes the files whenever it ends."""
    from core.chain import login_data
    from core.chain.account import address_of
    from core.chain.members import HOME

    member = member_commands.of(home).named(HOME)
    if member is None:
        return  # removed while this runs: so is its right to submit
    if login_data.write(folder, member.org_id, address_of(member.account) or ""):
        lines.wrote(folder)


def command(
    effective: Effective,
    home: Home,
    *,
    login_proxy: bool,
    port: int | None,
    host: str | None,
    login_data: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """What the command line asks for, checked; 1 when the person did not want to open a port."""
    asked = (("--port", port), ("--host", host), ("--login-data", login_data))
    if not login_proxy and (without := [name for name, value in asked if value is not None]):
        raise ConfigError(
            f"{', '.join(without)} without --login-proxy", "", "Add --login-proxy, or leave it out"
        )
    options = Options(
        login_proxy,
        PORT if port is None else port,
        addresses.parse(host) if host is not None else addresses.LOOPBACK,
        Path(login_data).expanduser().absolute() if login_data is not None else None,
    )
    opens = not addresses.is_loopback(options.host)
    if opens and not yes and not agreed(options.host, options.port):
        print("Nothing was opened.", file=sys.stderr)
        return 1
    return serve(effective, home, options, Lines(sys.stdout, as_json))


def opening(host: str, port: int) -> list[str]:
    """What opening the proxy at `host` means, in lines for a person who has to say yes to it."""
    everywhere = addresses.listening(host) == (addresses.EVERY,)
    where = "on every address of this machine" if everywhere else f"at {host}"
    return [
        f"This opens TCP port {port} of this machine, {where}, while the command runs.",
        "Whoever has an ORG_ID submits through it in that member's name, and its gas is paid from",
        "that member's account. ORG_IDs travel in clear text: let only people whom you trust reach",
        "the port, in a home or office network, through a VPN, or by a firewall rule. Safer is to",
        "leave it closed and let them come in by SSH:",
        f"  ssh -N -L {port}:localhost:{port} THIS_MACHINE",
    ]


def agreed(host: str, port: int) -> bool:
    """Ask on the terminal. WaggleError without one: then --yes has to say it."""
    print("\n".join(opening(host, port)), file=sys.stderr)
    if not sys.stdin.isatty():
        raise WaggleError(
            "Nobody can be asked", "standard input is no terminal", "Add --yes to agree"
        )
    print("Open it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
