"""Raw attacks on a node's DHT: all refused, and the round goes on as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys

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
    out = subprocess.run(
        [
            *(sys.executable, "-m", "tests.net.hostile", str(tmp_path)),
            *(victim.link.visible_maddrs()[0], "7"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPO_ROOT,
    )
    lines = out.stdout.splitlines()
    assert len(lines) == 23, out.stderr[-2000:]
    assert all(" False" in line or " refused" in line for line in lines[:20]), lines
    assert lines[20:] == ["stream True"] * 3
    for node, other in ((victim, honest), (honest, victim)):
        (got,) = node.gather(7)
        assert got.record.peer_id == other.peer_id
        assert len(got.groups) == 3
    assert victim.link.pid == sidecar
    assert victim.link.status.status == "up"
