"""One node of `rewards.py`: `waggle run --headless`, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

from core.home import Home  # noqa: E402

QUICK = (
    "net.enabled=false",
    "model.threads=1",
    "game.groups=2",
    "game.generations=2",
    "sampling.max_new_tokens=8",
    "checkpoint.every_rounds=10",
)
"""Rounds of a tenth of a second: what is tried here is what happens between them."""
ORPHANS_S = 15.0


class Node:
    """Starts, kills and remembers: `trained` is what the node itself said it had finished."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.home = Home(folder / "home")
        self.home.create()
        self.trained: dict[int, int] = {}
        """round -> how many times the node said that it had finished it."""
        self.phase = "start"
        self.incidents: Counter[str] = Counter()
        self.orphans: list[str] = []
        self.starts = 0
        self._folder = folder
        self._settings = settings
        self._child: subprocess.Popen[str] | None = None

    def start(self) -> None:
        line = [sys.executable, "-m", "core.cli", "run", "--headless", "--json"]
        line += ["--profile", "join", "--home", str(self.home.path)]
        for setting in (*QUICK, *self._settings):
            line += ["--set", setting]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WAGGLE")}
        state = {"XDG_STATE_HOME": str(self._folder / "state"), "OMP_NUM_THREADS": "1"}
        with (self._folder / "stderr.log").open("a") as log:
            self._child = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env={**environment, "PYTHONPATH": str(ROOT), **state},
            )
        self.starts += 1
        self.phase = "start"
        threading.Thread(target=self._read, args=(self._child,), name="events", daemon=True).start()

    def _read(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        accounted: int | None = None
        """The round that is being written down; one that is only practised on is not."""
        for line in child.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # it was killed in the middle of a line
            if event["event"] == "round_finished" and accounted == event["round"]:
                self.trained[accounted] = self.trained.get(accounted, 0) + 1
                accounted = None
            elif event["event"] == "phase_changed":
                self.phase = event["phase"]
                if self.phase == "account":
                    accounted = event["round"]
            elif event["event"] == "incident":
                self.incidents[event["code"]] += 1

    def kill(self) -> str:
        """SIGKILL; the phase it was in. Notes which of its children did not end."""
        assert self._child is not None
        if self._child.poll() is not None:
            raise RuntimeError(f"the node ended by itself with status {self._child.returncode}")
        family = psutil.Process(self._child.pid).children(recursive=True)
        phase = self.phase
        os.kill(self._child.pid, signal.SIGKILL)
        self._child.wait(10)
        self._left(family)
        return phase

    def _left(self, family: list[psutil.Process]) -> None:
        _gone, alive = psutil.wait_procs(family, timeout=ORPHANS_S)
        for process in alive:
            self.orphans.append(" ".join(process.cmdline())[:160])

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self._child is not None
        family = psutil.Process(self._child.pid).children(recursive=True)
        self._child.terminate()
        status = self._child.wait(60)
        self._left(family)
        return status

    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def unsettled(self) -> int:
        """Rows of the outbox that are not credited."""
        with closing(sqlite3.connect(f"file:{self.home.db}?mode=ro", uri=True)) as tables:
            query = "SELECT COUNT(*) FROM outbox WHERE status != 'credited'"
            return int(tables.execute(query).fetchone()[0])

    def damage(self) -> str:
        """What SQLite finds wrong with the file; `ok` when nothing is."""
        with closing(sqlite3.connect(f"file:{self.home.db}?mode=ro", uri=True)) as tables:
            return str(tables.execute("PRAGMA integrity_check").fetchone()[0])
