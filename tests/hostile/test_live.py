"""A small real swarm under attack; `benchmarks/hostile.py` is the whole one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from core.home import REPO_ROOT


@pytest.mark.slow
def test_a_swarm_with_hostile_nodes_trains_on_honest_groups_only() -> None:
    run = subprocess.run(
        [
            *(sys.executable, str(REPO_ROOT / "benchmarks" / "hostile.py")),
            *("--honest", "3", "--hostile", "2", "--rounds", "34"),
        ],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr[-3000:]
    result = json.loads(run.stdout.splitlines()[-1])
    # memory is warm only after hundreds of rounds; here it must merely not run away
    assert set(result["broken"]) <= {"memory grew"}, run.stdout[-3000:]
    assert all(row["growth"] < 0.2 for row in result["memory"].values())
    assert result["items_not_seen"] == []
    assert result["hostile_groups_trained"] == 0
    assert result["honest_groups_trained"] >= 34 * 3
