"""Runs the program as a user would: its command line, in processes of its own, on loopback."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.services import SwarmServices
from core.home import REPO_ROOT, Home


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard output of `--json`: every line is one event, or this raises."""
        return [json.loads(line) for line in self.out.splitlines()]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


def environment(**more: str) -> dict[str, str]:
    """This process's, without settings of a Waggle that the tester may run himself."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("WAGGLE")}
    return {**plain, "PYTHONPATH": str(REPO_ROOT), "OMP_NUM_THREADS": "1", **more}


def start(*arguments: str, **popen: Any) -> subprocess.Popen[str]:
    """The command in the background, its output captured."""
    return subprocess.Popen(
        [sys.executable, "-m", "core.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=popen.pop("stdout", subprocess.PIPE),
        stderr=popen.pop("stderr", subprocess.PIPE),
        text=True,
        env=environment(**popen.pop("env", {})),
        cwd=popen.pop("cwd", "/"),
        **popen,
    )


def waggle(*arguments: str, timeout_s: float = 150, **popen: Any) -> Outcome:
    """Run the command to its end."""
    process = start(*arguments, **popen)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Outcome(process.returncode, out, err)


def rows(home: Home, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{home.db}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


VOTED = "select round from ledger where winners != '[]'"
"""Rounds in which somebody won, as seen here."""


def ledger(home: Home) -> dict[int, int]:
    """round -> reward as this node recorded it; AssertionError when a round is there twice."""
    found = rows(home, "select round, reward from ledger order by round")
    assert len({number for number, _ in found}) == len(found), "a round is recorded twice"
    return dict(found)


def peer_id(home: Home) -> str:
    from core.net.identity import load

    return load(home.identity).peer_id


def on_chain(host: Home, homes: Sequence[Home]) -> Mapping[Path, dict[str, Any]]:
    """What the chain of `host`, started again from its files, says of each node."""
    services = SwarmServices(host.services, 0, 3600.0)
    found = services.start()
    try:
        told = {}
        for home in homes:
            coordinator = WalletCoordinator(
                found.rpc_url, found.contract, load_or_create(home.account)
            )
            me = peer_id(home)
            last, _ = coordinator.round_and_stage()
            told[home.path] = {
                "owner": coordinator.owner_of(me),
                "account": coordinator.account,
                "rewarded": [r for r in range(last + 1) if coordinator.has_reward(r, 0, me)],
                "voted": [r for r in range(last + 1) if coordinator.has_voted(r, me)],
                **coordinator.counters(me),
            }
            coordinator.close()
        return told
    finally:
        services.close()


def assert_ledger_is_on_chain(host: Home, homes: Sequence[Home]) -> None:
    """Every recorded round is rewarded and voted for exactly once, with the recorded value."""
    told = on_chain(host, homes)
    for home in homes:
        mine, chain = ledger(home), told[home.path]
        assert chain["owner"] == chain["account"]
        assert chain["rewarded"] == list(mine)
        voted = [n for (n,) in rows(home, f"{VOTED} order by round")]
        assert chain["voted"] == voted
        assert chain["total_reward"] == sum(mine.values())
        assert chain["participation"] == len(voted)
