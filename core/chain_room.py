"""The chain as the worker needs it: services (when this node hosts), coordinator, clock, outbox.

Starts in parallel with the model. A coordinator out of reach is not an error here: the clock says
so each time it is read, the outbox keeps what is due, and both mend themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core import events
from core.errors import ConfigError, RefusedError, TransientError, WaggleError
from core.home import Home
from core.incidents import incident
from core.schema import Config
from core.swarm.bootnodes import Bootnodes
from core.swarm.chain_watch import ChainWatch

if TYPE_CHECKING:
    from core.chain.account import Wallet
    from core.chain.coordinator import WalletCoordinator
    from core.chain.login import LoginCoordinator
    from core.chain.readonly import ReadOnlyCoordinator

    AnyCoordinator = WalletCoordinator | LoginCoordinator | ReadOnlyCoordinator

FLUSH_S = 5.0


class ChainRoom:
    """Owns the services process and the outbox of one node."""

    def __init__(
        self,
        config: Config,
        home: Home,
        peer_id: str,
        emit: Callable[[events.Event], None],
        wallet: Wallet | None = None,
    ) -> None:
        """wallet: the account of a home whose owner locked it; None is opened when it is needed."""
        from core.chain.host import ServicesHost
        from core.chain.outbox import Outbox
        from core.chain.policy import policy_of

        self._config = config
        self._home = home
        self._emit = emit
        self._wallet = wallet
        self._coordinator: AnyCoordinator | None = None
        self._connected_to = ("", "")
        self._connecting = threading.Lock()
        self._closing = threading.Event()
        self._status = ""
        self._services: ServicesHost | None = None
        if config.swarm.host and not config.chain.rpc_url:
            self._services = ServicesHost(
                home.services,
                home.logs / "services.log",
                port=config.chain.devnet_port,
                round_timeout_s=config.swarm.round_timeout_s,
                public=config.chain.devnet_host,
                manager=home.account,
                calls_per_s=config.chain.devnet_calls_per_s,
                emit=emit,
            )
        elif not (config.chain.rpc_url and config.chain.contract):
            raise ConfigError(
                "No coordinator is configured",
                "chain.rpc_url or chain.contract is empty and this node does not host a swarm",
                "Set both (waggle config show tells where), or use the profile solo",
            )
        if config.chain.coordinator == "login":
            from core.chain import login_data

            # Now, while a person looks: a login that is missing does not mend itself.
            login_data.find(config.chain.org_id, config.chain.login_data)
        self.ledger = Outbox(
            *(home.db, self.coordinator, emit, peer_id),
            policy=policy_of(config.chain),
            # The devnet here has one writer and keeps what it accepts: nothing is taken back.
            confirmations=1 if self._services is not None else config.chain.confirmations,
        )
        self._peer_id = peer_id
        self._watch = ChainWatch(self.coordinator, home.leaderboard, peer_id, emit)

    def start(self) -> None:
        """Return at once."""
        self._tell("starting")
        if self._services is not None:
            self._services.start()
        self._watch.start()

    def share_bootnodes(
        self, learn: Callable[[Sequence[str]], None], addresses: Callable[[], Sequence[str]]
    ) -> None:
        """Hand the coordinator's bootnodes to `learn`; when the swarm is hosted here, list mine."""
        hosts = self._services is not None
        self._watch.bootnodes = Bootnodes(
            self._peer_id, learn, addresses, self._emit, publishes=hosts
        )

    def address(self, stop: threading.Event) -> tuple[str, str]:
        """(RPC URL, contract address), once known."""
        if self._services is None:
            return self._config.chain.rpc_url, self._config.chain.contract
        services = self._services.wait(stop)
        return services.rpc_url, services.contract

    def coordinator(self) -> AnyCoordinator:
        """The coordinator, connected on first use and again when the devnet came back elsewhere.

        TransientError while it is out of reach.
        """
        with self._connecting:
            where = self.address(self._closing)
            if self._coordinator is None or where != self._connected_to:
                self._coordinator, self._connected_to = self._connect(*where), where
                self._tell("up", self._coordinator.account)
            return self._coordinator

    def _connect(self, rpc_url: str, contract: str) -> AnyCoordinator:
        """By chain.coordinator, which says who submits."""
        if self._coordinator is not None:
            self._coordinator.close()
            self._coordinator = None
        settings = self._config.chain
        if settings.coordinator == "read-only":
            from core.chain.readonly import ReadOnlyCoordinator

            return ReadOnlyCoordinator(rpc_url, contract, settings, tell=self._left_out)
        if settings.coordinator == "login":
            from core.chain import login, login_data

            found = login_data.find(settings.org_id, settings.login_data)
            return login.LoginCoordinator(
                rpc_url, contract, found, self._peer_id, settings, self._left_out
            )
        from core.chain.account import load_or_create
        from core.chain.coordinator import WalletCoordinator

        wallet = self._wallet or load_or_create(self._home.account)
        return WalletCoordinator(rpc_url, contract, wallet, settings, self._left_out)

    def _left_out(self, error: WaggleError) -> None:
        """An RPC of several that is not used, and why: no call fails because of it."""
        self._emit(incident(getattr(error, "code", "") or "rpc_left_out", error))

    # --- core.parts.Clock ---------------------------------------------------------------------

    def read(self) -> tuple[int, int]:
        try:
            now = self.coordinator().round_and_stage()
        except TransientError as error:
            self._tell("down", error.what)
            raise
        except RefusedError as error:
            # Another chain, or no coordinator there: no use to a round, and it may mend itself.
            self._tell("down", error.what)
            raise TransientError(error.what, error.why, error.next_step) from error
        self._tell("up")
        return now

    def deadline(self) -> float | None:
        """None, too, while the chain is out of reach; `read` is what tells that."""
        if self._coordinator is None:
            return None
        try:
            return self._coordinator.deadline()
        except (TransientError, RefusedError):
            return None

    def _tell(self, status: str, detail: str = "") -> None:
        if status != self._status:
            self._status = status
            self._emit(events.ServiceChanged(service="chain", status=status, detail=detail))

    def close(self) -> None:
        # What the last round earned should be on the chain when the command returns; what cannot
        # be sent in time stays in the outbox for the next start.
        if self._status == "up":
            self.ledger.flush(FLUSH_S)
            self._watch.close(last_look=True)
        self._closing.set()
        self._watch.close(last_look=False)
        self.ledger.close()
        if self._coordinator is not None:
            self._coordinator.close()
        if self._services is not None:
            self._services.stop()


class LocalClock:
    """The clock of a node without a coordinator: a round ends when it is trained."""

    def __init__(self, first: int) -> None:
        self._round = first

    def read(self) -> tuple[int, int]:
        self._round += 1
        return self._round, 0

    def deadline(self) -> float | None:
        return None
