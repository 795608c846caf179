"""Further nodes on this machine: headless children, each with a home, identity and account.

They join the swarm that this node hosts: the devnet's address, the contract and this node's
multiaddr are handed to them on the command line. They end with their parent. A child that dies is
started again, with backoff, and goes on from its own home.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core import children, events
from core.errors import WaggleError
from core.home import Home
from core.passphrase import ACCOUNT

MAX_BACKOFF_S = 60.0


class Siblings:
    """Owns one watching thread per child. `start` and `stop` are called once each."""

    def __init__(
        self,
        home: Home,
        profile: str,
        emit: Callable[[events.Event], None],
        passphrase: str = "",
    ) -> None:
        """passphrase: given to the children whose account is locked, and to no other."""
        self._home = home
        self._passphrase = passphrase
        self._profile = profile
        self._emit = emit
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._ready: dict[int, threading.Event] = {}

    def start(self, count: int, settings: Callable[[], Mapping[str, Any]], seed: int) -> None:
        """Start nodes 2 .. count+1 and return at once.

        settings: what is set over the profile; asked in the children's threads, may take its time
        and may raise WaggleError.
        """
        for number in range(2, count + 2):
            self._ready[number] = threading.Event()
            thread = threading.Thread(
                target=self._watch,
                args=(number, settings, seed + number - 1),
                name=f"node-{number}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def wait(self, stop: threading.Event, timeout_s: float) -> bool:
        """Wait until every child has its model loaded; False at the deadline or on `stop`."""
        deadline = time.monotonic() + timeout_s
        for ready in self._ready.values():
            while not ready.wait(0.1):
                if stop.is_set() or time.monotonic() > deadline:
                    return False
        return True

    def stop(self) -> None:
        """Close the children's standard input, which tells them to end, and wait for them."""
        self._stop.set()
        for child in list(self._running.values()):
            if child.stdin is not None:
                child.stdin.close()
        for child in list(self._running.values()):
            children.stop(child, grace_s=8.0)
        for thread in self._threads:
            thread.join(10.0)

    def _arguments(self, number: int, settings: Mapping[str, Any]) -> list[str]:
        arguments = ["run", "--headless", "--child", "--json", "--profile", self._profile]
        arguments += ["--home", str(self._home.node(number).path)]
        for key, value in settings.items():
            text = value if isinstance(value, str) else json.dumps(value)
            arguments += ["--set", f"{key}={text}"]
        return arguments

    def _watch(self, number: int, settings: Callable[[], Mapping[str, Any]], seed: int) -> None:
        backoff = 1.0
        home = self._home.node(number)
        while not self._stop.is_set():
            started = time.monotonic()
            self._tell(number, "starting")
            try:
                arguments = self._arguments(number, {**settings(), "training.seed": seed})
                child = children.spawn(
                    "core.cli", arguments, log=self._log(home), env=self._secrets(home)
                )
                self._running[number] = child
                if self._stop.is_set() and child.stdin is not None:
                    child.stdin.close()
                self._listen(number, child)
                why = f"ended with status {child.wait()}"
                del self._running[number]
            except WaggleError as error:
                why = str(error)
            if self._stop.is_set():
                return
            self._tell(number, "down", f"{why}; starting it again")
            backoff = 1.0 if time.monotonic() - started > 60 else min(MAX_BACKOFF_S, backoff * 2)
            self._stop.wait(backoff)

    def _secrets(self, home: Home) -> dict[str, str]:
        from core.chain.account import is_locked

        locked = bool(self._passphrase) and is_locked(home.account)
        return {ACCOUNT: self._passphrase} if locked else {}

    def _listen(self, number: int, child: subprocess.Popen[bytes]) -> None:
        """Read the child's events until it ends; the rest of them stays in its own journal."""
        assert child.stdout is not None
        for line in child.stdout:
            if b'"model_loaded"' in line[:40]:
                self._tell(number, "up", f"process {child.pid}")
                self._ready[number].set()

    @staticmethod
    def _log(home: Home) -> Path:
        return home.logs / "stderr.log"

    def _tell(self, number: int, status: str, detail: str = "") -> None:
        self._emit(events.ServiceChanged(service=f"node-{number}", status=status, detail=detail))
