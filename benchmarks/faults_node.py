"""One node of `faults.py` as a running process: its rounds, its children, its clock."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent

BOOTNODE = """
import sys, time
from pathlib import Path
from core.net.identity import load_or_create
from core.net.link import LinkOptions, NetLink
folder, port, swarm = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
folder.mkdir(exist_ok=True)
identity = load_or_create(folder / "swarm.pem")
link = NetLink(
    LinkOptions(identity.path, swarm, folder / "net.log", listen=f"/ip4/0.0.0.0/tcp/{port}")
)
link.start()
print(next(m for m in link.visible_maddrs() if "/127." not in m), flush=True)
time.sleep(1e6)
"""
_CLOCK = """
import time
_true = time.time


def _read():
    with open({path!r}) as file:
        return float(file.read() or 0)


time.time = lambda: _true() + _read()
"""


class Clock:
    """A wall clock that can be set, of every Python process that gets its `environment`."""

    def __init__(self, folder: Path) -> None:
        (folder / "clock").mkdir(parents=True)
        self._file = folder / "clock" / "offset"
        self.set(0.0)
        (folder / "clock" / "sitecustomize.py").write_text(_CLOCK.format(path=str(self._file)))
        self.environment = {"PYTHONPATH": f"{folder / 'clock'}:{ROOT}"}

    def set(self, offset_s: float) -> None:
        fresh = self._file.with_name("fresh")
        fresh.write_text(str(offset_s))
        fresh.replace(self._file)


@dataclass(frozen=True)
class Round:
    """began, at: when it began and was finished, by a clock that never jumps.

    peers: contributions it had.
    """

    began: float
    at: float
    number: int
    peers: int
    seconds: float


class Running:
    """`waggle run --headless --json` as a child; a thread reads its events."""

    def __init__(self, line: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.rounds: list[Round] = []
        self._incidents: Counter[str] = Counter()
        self._log = (folder / "stderr.log").open("w")
        self._child = subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
        threading.Thread(target=self._read, name="events", daemon=True).start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            event = json.loads(line)
            if event["event"] == "round_finished":
                now = time.monotonic()
                began = now - event["seconds"] - event["wait_s"]
                got = event["peers"]
                self.rounds.append(Round(began, now, event["round"], got, event["seconds"]))
            elif event["event"] == "incident":
                self._incidents[event["code"]] += 1

    def sidecar(self) -> int:
        """Its process id; waits for one."""
        return self._find("core.net.sidecar")

    def daemon(self) -> int:
        return self._find("p2pd")

    def _find(self, part: str) -> int:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for process in psutil.Process(self._child.pid).children(recursive=True):
                try:
                    if any(word.endswith(part) for word in process.cmdline()):
                        return process.pid
                except psutil.Error:
                    continue
            time.sleep(0.1)
        raise TimeoutError(f"there is no {part}")

    def longest_gap(self, since: float, until: float) -> float:
        """Seconds without a finished round, the longest in that time."""
        times = [r.at for r in self.rounds]
        before = max((t for t in times if t <= since), default=since)
        moments = [before, *(t for t in times if since < t <= until), until]
        return max(b - a for a, b in pairwise(moments))

    def lonely(self, since: float, until: float) -> int:
        """Rounds in that time with nobody else in them."""
        return sum(since < r.at <= until and not r.peers for r in self.rounds)

    def seconds(self) -> list[float]:
        return [r.seconds for r in self.rounds] or [0.0]

    def incidents(self) -> dict[str, int]:
        return dict(self._incidents)

    def stop(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(40)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()
