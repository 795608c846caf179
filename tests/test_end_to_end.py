"""The whole node, as a user runs it: real model, real DHT, real EVM, real processes."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
from pathlib import Path

import psutil
import pytest

from core.home import Home
from tests.conftest import wait_until
from tests.support_cli import (
    assert_ledger_is_on_chain,
    ledger,
    rows,
    start,
    waggle,
)

SMALL = ("--set", "game.groups=4", "--set", "game.generations=4")


def finished_rounds(home: Home) -> int:
    try:
        return len(rows(home, "select 1 from events where name = 'round_finished'"))
    except sqlite3.OperationalError:
        return 0  # the file or the table is not there yet


@pytest.mark.slow
def test_a_solo_swarm_trains_and_is_recorded(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    done = waggle(
        *("run", "--headless", "--profile", "solo", "--rounds", "3", "--json"),
        *("--home", str(home.path), *SMALL),
    )
    assert done.status == 0, done.err
    finished = done.named("round_finished")
    assert [event["round"] for event in finished] == [0, 1, 2]
    for event in finished:
        assert {"time", "reward_mean", "loss", "seconds"} <= set(event)
    assert done.named("checkpoint_saved")
    assert_ledger_is_on_chain(home, [home])

    status = waggle("status", "--json", "--home", str(home.path))
    told = json.loads(status.out)
    assert told, "status tells how the node was, from its journal"

    held_out = waggle(
        *("eval", "--json", "--home", str(home.path), "--tasks", "8", "--samples", "2")
    )
    assert held_out.status == 0, held_out.err
    figures = json.loads(held_out.out)
    assert figures["tasks"] == 8
    assert figures["checkpoint_round"] == 2
    assert 0 <= figures["pass_at_1"] <= 1
    assert 0 <= figures["greedy_pass_at_1"] <= 1


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_kill_9_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    luck = random.Random(11)
    arguments = ("run", "--headless", "--profile", "solo", "--json", "--home", str(home.path))
    for _ in range(3):
        before = finished_rounds(home)
        node = start(*arguments, *SMALL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: finished_rounds(home) > before, 90)  # noqa: B023 - used at once
            family = psutil.Process(node.pid).children(recursive=True)
            try:
                node.wait(luck.uniform(0.0, 2.0))
            except subprocess.TimeoutExpired:
                pass
        finally:
            os.kill(node.pid, signal.SIGKILL)
            node.wait(10)
        _gone, alive = psutil.wait_procs(family, timeout=15)
        assert not alive, f"orphans of a killed node: {alive}"
    last = waggle(*arguments, *SMALL, "--rounds", "3")
    assert last.status == 0, last.err
    assert len(last.named("round_finished")) == 3
    played = list(ledger(home))
    assert played == list(range(len(played))), "every round of the clock was trained, once"
    assert_ledger_is_on_chain(home, [home])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_trio_trains_on_one_anothers_rollouts(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    done = waggle(
        *("run", "--headless", "--profile", "trio", "--rounds", "6", "--json"),
        *("--home", str(home.path)),
        timeout_s=300,
    )
    assert done.status == 0, done.err
    homes = [home, home.node(2), home.node(3)]
    for each in homes:
        admitted = rows(each, "select 1 from events where name = 'group_admitted'")
        assert admitted, f"{each.path} trained on nobody else's rollouts"
    assert_ledger_is_on_chain(home, homes)
    assert len({rows(each, "select peer_id from ledger limit 1")[0] for each in homes}) == 3
