"""Raw attacks on a node: all refused, and the round goes on as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from core.home import REPO_ROOT
from tests.conftest import wait_until
from tests.net.conftest import make_groups


def test_malformed_values_are_refused_and_harm_nobody(make_node, tmp_path):
    victim = make_node()
    honest = make_node(victim)
    wait_until(lambda: victim.link.status.peers == honest.link.status.peers == 1, 20)
    sidecar = victim.link.pid
    victim.exchange.publish(7, 0, make_groups(7))
    honest.exchange.publish(7, 0, make_groups(7, index=20))
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.net.hostile", str(tmp_path)),
            *(victim.link.visible_maddrs()[0], "7"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=REPO_ROOT,
    ) as hostile:
        threading.Timer(60, hostile.kill).start()
        assert hostile.stdout is not None
        lines = [line.strip() for line in iter(hostile.stdout.readline, "ready\n") if line]
        assert all(" False" in line or " refused" in line for line in lines[:20]), lines
        assert lines[20:23] == ["stream True"] * 3
        asked = [line.rpartition(" refused")[0] or line for line in lines[23:]]
        assert asked == [
            *("stranger's record False", "other swarm False", "broken signature False"),
            *("from the future False", "expired False", "noise", "nested", "endless"),
            *("good one True", "rolled back False"),
        ]
        # it has a good record of this round, never gives out what that promises, and lies of others
        victim.exchange.publish(8, 0, make_groups(8))
        honest.exchange.publish(8, 0, make_groups(8, index=20))
        for round in (7, 8):
            for node, other in ((victim, honest), (honest, victim)):
                began = time.monotonic()
                gathered = [g for g in node.gather(round, want=1, timeout_s=30) if g.groups]
                assert time.monotonic() - began < 4
                assert [g.record.peer_id for g in gathered] == [other.peer_id]
                assert len(gathered[0].groups) == 3
    assert victim.link.pid == sidecar
    assert victim.link.status.status == "up"
