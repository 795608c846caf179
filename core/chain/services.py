"""The services of a swarm hosted here: devnet, coordinator contract, round clock. One process.

`python -m core.chain.services --folder F --port 0 --round-timeout 120`. Starting it again on the
same folder continues the same chain, contract and round. Readiness: `services.json` in the
folder, and one JSON line on standard output; a failure to start is a JSON line `{"error": ...}`.
It ends when its standard input closes, or on SIGTERM.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core import children
from core.addresses import LOOPBACK
from core.chain.host import Services, read_services
from core.errors import StorageError, WaggleError
from core.home import atomic_write, storage_errors

SWEEP_LOOK_S = 30.0
SWEEP_AFTER_BLOCKS = 5000
SWITCH_S = 0.0005
"""How long a thread that computes may keep the interpreter from one that has something to answer:
a tenth of Python's default, since one call of a stranger may compute for a second."""
STACK_BYTES = 16 * 2**20
"""Of each thread, touched only as far as it is used: contracts may call one another 1024 deep."""
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
"""With the time: the console puts the lines of all processes in one order."""
LOCK_PATIENCE_S = 10.0
"""The process of a killed parent may need a moment to notice and let go of the folder."""


class SwarmServices:
    """The services in this process: also usable without a process of their own (tests)."""

    def __init__(
        self,
        folder: Path,
        port: int,
        round_timeout_s: float,
        public: str = LOOPBACK,
        manager: Path | None = None,
        calls_per_s: float = 0.0,
    ) -> None:
        """public: where others reach the devnet. manager: the account folder of the node that
        hosts, which may publish bootnodes. calls_per_s: of each other address; 0 is no limit.
        StorageError, or WaggleError when the port is taken."""
        from core.chain.account import load_or_create
        from core.chain.chainclient import ChainClient
        from core.chain.clock import Clock
        from core.chain.devnet import Devnet
        from core.chain.evm import Evm
        from core.chain.limits import Limits
        from core.chain.rpcmethods import RpcMethods

        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = _lock(folder)
        self.failed: Exception | None = None
        self.ended = threading.Event()
        self._closing = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, name="sweep", daemon=True)
        with ExitStack() as undo:
            undo.callback(os.close, self._lock)
            self.evm = Evm(folder)
            undo.callback(self.evm.close)
            self.client = ChainClient(self.evm, load_or_create(folder / "owner"))
            if manager is not None:
                self._let_publish(manager)
            self.clock = Clock(self.evm, self.client, round_timeout_s, self._on_error)
            clock = {"waggle_clock": lambda params: self.clock.shown()}
            methods = RpcMethods(self.evm, clock, Limits(calls_per_s))
            self.devnet = _listening(Devnet, methods, port, public, read_services(folder))
            undo.pop_all()

    def _let_publish(self, manager: Path) -> None:
        """Give the node's account the role of a bootnode manager, once. Before the clock starts:
        both send with the owner's nonce."""
        from core.chain.account import address_of, load_or_create

        account = address_of(manager) or load_or_create(manager).address
        (role,) = self.client.read("BOOTNODE_MANAGER_ROLE")
        if not self.client.read("hasRole", role, account)[0]:
            self.client.send("grantRole", role, account)

    def start(self) -> Services:
        """Serve, then announce in `services.json`."""
        self.devnet.start()
        self.clock.start()
        self._sweeper.start()
        found = Services(
            self.devnet.url,
            self.client.contract,
            self.evm.chain_id,
            os.getpid(),
            self.devnet.public_url,
        )
        text = json.dumps(asdict(found)).encode()
        atomic_write(self._folder / "services.json", text)
        return found

    def close(self) -> None:
        self._closing.set()
        self.clock.close()
        self.devnet.close()
        self.evm.closing.set()
        if self._sweeper.ident is not None:
            self._sweeper.join(10.0)
        self.evm.close()
        os.close(self._lock)

    def _sweep(self) -> None:
        """Thread `sweep`: keep the chain's file from growing with every transaction for ever."""
        while not self._closing.wait(SWEEP_LOOK_S):
            if self.evm.unswept() < SWEEP_AFTER_BLOCKS:
                continue
            try:
                self.evm.sweep()
            except StorageError as error:
                logging.warning("%s", error)  # costs disk space only; the next look tries again

    def _on_error(self, error: Exception) -> None:
        self.failed = error
        self.ended.set()


def _listening(make: Any, methods: Any, port: int, public: str, before: Services | None) -> Any:
    """The devnet on `port`; for port 0 on the one used before, where it is still free."""
    if port == 0 and before is not None:
        last = before.rpc_url.rpartition(":")[2]
        if last.isdigit() and 0 < int(last) < 65_536:
            try:
                return make(methods, int(last), public)
            except WaggleError:
                pass  # taken by now: any other will do, services.json tells which
    return make(methods, port, public)


def _lock(folder: Path) -> int:
    path = folder / "lock"
    with storage_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                os.close(handle)
                raise StorageError(
                    f"Another process serves the swarm in {folder}",
                    "one services process per folder",
                    "End the other one first",
                ) from error
            time.sleep(0.05)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m core.chain.services")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--round-timeout", type=float, default=120.0)
    parser.add_argument("--public", default=LOOPBACK)
    parser.add_argument("--manager", type=Path)
    parser.add_argument("--calls-per-s", type=float, default=0.0)
    arguments = parser.parse_args(argv)
    sys.setswitchinterval(SWITCH_S)
    threading.stack_size(STACK_BYTES)
    out = os.fdopen(children.claim_stdout(), "w", buffering=1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=LOG_FORMAT)
    try:
        services = SwarmServices(
            arguments.folder,
            arguments.port,
            arguments.round_timeout,
            arguments.public,
            arguments.manager,
            arguments.calls_per_s,
        )
        found = services.start()
    except WaggleError as error:
        print(json.dumps({"error": str(error)}), file=out)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: services.ended.set())
    # Every block is on disk when it is accepted: ending abruptly loses nothing.
    children.exit_with_parent()
    print(json.dumps({"ready": asdict(found)}), file=out)
    services.ended.wait()
    services.close()
    if services.failed is not None:
        logging.error("the clock stopped", exc_info=services.failed)
        print(json.dumps({"error": f"the round clock stopped: {services.failed}"}), file=out)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
