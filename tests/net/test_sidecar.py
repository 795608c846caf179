"""The sidecar under violence: killed, orphaned, its daemon dead, its port taken."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import psutil

from core.net.daemon import _prefix
from tests.conftest import wait_until
from tests.net.conftest import together

LAUNCHER = """
import sys, time
from pathlib import Path
from core.net.identity import load_or_create
from core.net.link import LinkOptions, NetLink
folder = Path(sys.argv[1])
identity = load_or_create(folder / "swarm.pem")
link = NetLink(LinkOptions(identity.path, "test", folder / "net.log"))
link.start()
link.wait_up(20)
print(link.pid, flush=True)
time.sleep(600)
"""


def daemon_of(sidecar_pid: int) -> psutil.Process:
    return wait_until(
        lambda: next(
            (p for p in psutil.Process(sidecar_pid).children() if p.name() == "p2pd"), None
        ),
        10,
    )


def gone(*processes: psutil.Process) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_a_killed_sidecar_comes_back_with_its_identity(make_node):
    first = make_node()
    second = make_node(first)
    wait_until(lambda: first.link.status.peers == second.link.status.peers == 1, 20)
    addresses = second.link.visible_maddrs()
    old, daemon = second.link.pid, daemon_of(second.link.pid)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: gone(daemon), 5)
    wait_until(lambda: second.link.status.restarts == 1 and second.link.status.status == "up", 20)
    assert second.link.pid != old
    assert second.link.visible_maddrs() == addresses
    assert addresses[0].endswith(second.peer_id)
    assert "down" in [s.status for s in second.history]
    wait_until(lambda: len(together([first, second], 3)[0]) == 1, 20)


def test_a_killed_daemon_comes_back_with_its_identity(make_node):
    first = make_node()
    second = make_node(first)
    wait_until(lambda: first.link.status.peers == second.link.status.peers == 1, 20)
    wait_until(lambda: len(together([first, second], 1)[0]) == 1, 20)
    addresses = [n.link.visible_maddrs() for n in (first, second)]
    for node in (second, first):  # the one that joined, then the one that others joined through
        sidecar = node.link.pid
        daemon = daemon_of(sidecar)
        daemon.kill()
        wait_until(lambda node=node: node.history[-1].status == "degraded", 5)
        wait_until(lambda node=node: node.link.status.status == "up", 10)
        assert node.link.pid == sidecar
        assert daemon_of(sidecar).pid != daemon.pid
    assert addresses == [n.link.visible_maddrs() for n in (first, second)]
    wait_until(lambda: len(together([first, second], 4)[0]) == 1, 30)


def test_no_orphans_when_the_node_is_killed(tmp_path):
    node = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert node.stdout is not None
        sidecar = psutil.Process(int(node.stdout.readline()))
        daemon = daemon_of(sidecar.pid)
    finally:
        node.kill()
        node.wait()
    wait_until(lambda: gone(sidecar, daemon), 10)


def test_nothing_is_left_behind(make_node, tmp_path):
    import tempfile
    from pathlib import Path

    node = make_node()
    node.link.wait_up(20)
    folder = Path(daemon_of(node.link.pid).cmdline()[1].removeprefix("-listen=/unix")).parent
    assert folder.name.startswith(_prefix())
    os.kill(node.link.pid, signal.SIGKILL)  # leaves its folder; the next one sweeps it
    wait_until(lambda: node.link.status.restarts == 1 and node.link.status.status == "up", 20)
    assert not folder.exists()
    last = Path(daemon_of(node.link.pid).cmdline()[1].removeprefix("-listen=/unix")).parent
    node.close()
    assert not last.exists()
    assert last.parent == Path(tempfile.gettempdir())


def test_a_taken_port_is_told_and_taken_once_free(make_node):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        node = make_node(listen=f"/ip4/127.0.0.1/tcp/{port}")
        wait_until(lambda: node.link.status.status == "down", 20)
        assert str(port) in node.link.status.detail
    wait_until(lambda: node.link.status.status == "up", 20)
    assert f"/tcp/{port}/" in node.link.visible_maddrs()[0]


def test_dead_bootnodes_are_told_and_never_fatal(make_node):
    first = make_node()
    first.link.wait_up(20)
    dead = "/ip4/127.0.0.1/tcp/9/p2p/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
    node = make_node()
    node.link.wait_up(20)
    node.link.connect([dead, "/not/a/bootnode", "nonsense"])
    told = wait_until(lambda: [b for b in node.link.status.bootnodes if b.tries >= 2], 20)[0]
    assert (told.maddr, told.outcome, told.why) == (dead, "failed", "connection refused")
    assert 0 < told.next_at - time.time() <= 8
    invalid = [b for b in node.link.status.bootnodes if b.outcome == "invalid"]
    assert [b.maddr for b in invalid] == ["/not/a/bootnode", "nonsense"]
    assert node.link.status.status == "up"
    node.link.connect(first.link.visible_maddrs())
    wait_until(lambda: node.link.status.peers == 1, 20)


def test_the_log_stays_quiet(make_node):
    first = make_node()
    second = make_node(first)
    wait_until(lambda: second.link.status.peers == 1, 20)
    together([first, second], 1)
    first.close()
    second.close()
    assert (first.folder / "net.log").read_text() == ""


def test_bootnodes_told_while_it_starts_are_not_forgotten_and_hostile_ones_are_bounded(make_node):
    first = make_node()
    addresses = first.link.visible_maddrs()
    node = make_node()
    node.link.connect(["/x" * 5_000, *(f"/ip4/10.0.0.1/tcp/{n}" for n in range(5_000)), *addresses])
    node.link.connect(addresses)  # beyond the bound: whoever lists thousands leaves no room
    node.link.wait_up(20)
    assert node.link.status.restarts == 0
    another = make_node()
    another.link.connect(addresses)
    wait_until(lambda: another.link.status.peers == 1, 20)
