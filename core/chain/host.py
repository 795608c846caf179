"""The parent's side of the services process: start it, wait for it, bring it back when it dies.

The services process (devnet and round clock) is announced by `services.json`, written by it
whole or not at all, and valid only while the process named in it is the one started here.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core import children, events
from core.addresses import LOOPBACK
from core.errors import TransientError, WaggleError

START_TIMEOUT_S = 60.0
MAX_BACKOFF_S = 30.0


@dataclass(frozen=True)
class Services:
    """Where the swarm hosted here can be reached."""

    rpc_url: str
    contract: str
    chain_id: int
    pid: int
    public_url: str = ""
    """The same devnet as others reach it; on this machine only, unless it was opened."""


class ServicesHost:
    """Owns the services process. Thread `services` watches it; `stop` ends both."""

    def __init__(
        self,
        folder: Path,
        log: Path,
        *,
        port: int,
        round_timeout_s: float,
        public: str = LOOPBACK,
        manager: Path | None = None,
        calls_per_s: float = 0.0,
        emit: Callable[[events.Event], None],
    ) -> None:
        """manager: account folder of the node that may publish bootnodes; none when left out.
        calls_per_s: what the devnet answers each other address; 0 is no limit."""
        self._folder = folder
        self._log = log
        self._arguments = [
            *("--folder", str(folder)),
            *("--port", str(port)),
            *("--round-timeout", str(round_timeout_s)),
            *("--public", public),
            *("--calls-per-s", str(calls_per_s)),
            *(("--manager", str(manager)) if manager is not None else ()),
        ]
        self._emit = emit
        self._child: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._error: WaggleError | None = None
        self._thread = threading.Thread(target=self._watch, name="services", daemon=True)
        self.current: Services | None = None
        self.restarts = 0

    def start(self) -> None:
        """Return at once; `wait` tells when the services are up."""
        self._thread.start()

    def wait(self, stop: threading.Event, timeout_s: float = START_TIMEOUT_S) -> Services:
        """The addresses, once known. TransientError at the deadline, or what the process said."""
        deadline = time.monotonic() + timeout_s
        while not self._ready.wait(0.05):
            if self._error is not None:
                raise self._error
            if stop.is_set() or time.monotonic() > deadline:
                raise TransientError(
                    "The devnet did not come up",
                    f"no answer within {timeout_s:.0f} s",
                    f"Look at {self._log}, then start again",
                )
        assert self.current is not None
        return self.current

    def stop(self) -> None:
        self._stop.set()
        if self._child is not None:
            children.stop(self._child)
        self._thread.join(10.0)

    def _watch(self) -> None:
        backoff = 0.5
        while not self._stop.is_set():
            self._tell("starting")
            child = self._child = children.spawn(
                "core.chain.services", self._arguments, log=self._log
            )
            up_since = time.monotonic()
            if self._await_ready(child):
                self._tell("up", self.current.rpc_url if self.current else "")
                child.wait()
            self._ready.clear()
            if self._stop.is_set():
                children.stop(child)
                return
            said = self._last_word(child)
            self._tell("down", said)
            if self.restarts == 0 and self.current is None:
                self._error = WaggleError(
                    "The swarm's services (devnet and clock) cannot start",
                    said or f"they ended with status {child.returncode}",
                    f"Look at {self._log}",
                )
                return
            self.restarts += 1
            backoff = 0.5 if time.monotonic() - up_since > 60 else min(MAX_BACKOFF_S, backoff * 2)
            self._stop.wait(backoff)

    def _await_ready(self, child: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and not self._stop.is_set():
            found = read_services(self._folder)
            if found is not None and found.pid == child.pid:
                self.current = found
                self._ready.set()
                return True
            if child.poll() is not None:
                return False
            self._stop.wait(0.03)
        return False

    def _last_word(self, child: subprocess.Popen[bytes]) -> str:
        """What the process said on its standard output before it ended, if it was a reason."""
        if child.poll() is None:
            children.stop(child)
            return f"not ready after {START_TIMEOUT_S:.0f} s"
        text = child.stdout.read(4096).decode("utf-8", "replace") if child.stdout else ""
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return str(json.loads(lines[-1])["error"])
        except (IndexError, KeyError, TypeError, ValueError):
            return ""

    def _tell(self, status: str, detail: str = "") -> None:
        self._emit(events.ServiceChanged(service="services", status=status, detail=detail))


def read_services(folder: Path) -> Services | None:
    """What `services.json` says, or None when there is none or it is not whole."""
    try:
        data = json.loads((folder / "services.json").read_text())
        return Services(
            str(data["rpc_url"]),
            str(data["contract"]),
            int(data["chain_id"]),
            int(data["pid"]),
            str(data.get("public_url", "")),
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None


def is_running(services: Services) -> bool:
    """Whether the process that announced itself is still there."""
    import psutil

    try:
        return "core.chain.services" in psutil.Process(services.pid).cmdline()
    except psutil.Error:
        return False
