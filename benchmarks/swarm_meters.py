"""Meters of the swarm benchmark: bytes on loopback, CPU time and memory of processes, time of acts.

`into_a_namespace` starts a script over in a network namespace of its own, where the loopback device
carries what the script starts and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

ACT_S = 240.0
IN_NAMESPACE = "WAGGLE_BENCHMARK_NAMESPACE"


def sent_bytes() -> int:
    """All that went over loopback so far; every packet counts once."""
    for device in Path("/proc/self/net/dev").read_text().splitlines():
        name, _, counters = device.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[8])
    raise OSError("there is no loopback device here")


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (p.cpu_times() for p in processes))


def memory_mib(processes: Sequence[psutil.Process]) -> dict[str, float]:
    """Mean RSS, and PSS, which shares out pages that several processes have in common."""
    infos = [p.memory_full_info() for p in processes]
    return {
        "rss_mib": sum(i.rss for i in infos) / len(infos) / 2**20,
        "pss_mib": sum(i.pss for i in infos) / len(infos) / 2**20,
    }


@dataclass
class Meter:
    """Time of each act, and what was used between `start` and `stop`."""

    processes: Sequence[psutil.Process]
    bytes: int = 0
    cpu: float = 0.0
    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began, sent, cpu = time.monotonic(), sent_bytes(), cpu_s(self.processes)
        yield
        self.seconds += time.monotonic() - began
        self.bytes += sent_bytes() - sent
        self.cpu += cpu_s(self.processes) - cpu


def side_by_side(pool: ThreadPoolExecutor, acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Results of all acts, in their order; the pool's size is how many run at a time."""

    def timed(act: Callable[[], Any]) -> tuple[float, Any]:
        began = time.monotonic()
        result = act()
        return time.monotonic() - began, result

    return [f.result(ACT_S) for f in [pool.submit(timed, act) for act in acts]]


def figures(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"median": median(ordered), "p95": ordered[int(0.95 * (len(ordered) - 1))]}


def wait_until(true: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the swarm did not come together within {timeout_s:g} s")
        time.sleep(0.05)


def into_a_namespace() -> None:
    """Start over in a network namespace of its own, where that is possible."""
    if os.environ.get(IN_NAMESPACE) or shutil.which("unshare") is None:
        return
    inside = 'ip link set lo up 2>/dev/null || ifconfig lo up; exec "$@"'
    for flags in ("-n", "-rn"):
        command = ["unshare", flags, "sh", "-c", inside, "sh"]
        if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            os.environ[IN_NAMESPACE] = "1"
            os.execvp("unshare", [*command, sys.executable, *sys.argv])
    print("no network namespace here: other traffic on loopback is counted, too", file=sys.stderr)
