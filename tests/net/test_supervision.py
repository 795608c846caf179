"""The promises of the supervision: noticed within a second, back within ten, bounded in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from core.errors import TransientError
from core.net import messages, pipes, records
from core.net.daemon import HUNG_S, DaemonOptions, SocketFolder, start
from core.net.identity import load_or_create
from core.net.weight import resident_mib
from tests.conftest import wait_until
from tests.net.conftest import make_groups, together
from tests.net.test_sidecar import daemon_of, gone

FLOOD = """
import asyncio, sys
from core.net import lean
lean.install()
from hivemind.p2p.p2p_daemon import P2P
from hivemind.p2p.p2p_daemon_bindings.datastructures import PeerID
from core.net import asking

async def main(maddr):
    p2p = await P2P.create(initial_peers=[maddr], nat_port_map=False, check_if_identity_free=False)
    victim = PeerID.from_base58(maddr.rpartition("/p2p/")[2])
    ask = p2p._client.call_unary_handler
    while True:
        large = (ask(victim, asking.PROTOCOL, bytes(4_000_000)) for _ in range(40))
        await asyncio.wait_for(asyncio.gather(*large, return_exceptions=True), 60)

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
def pair(make_node):
    """Two nodes that know each other, and a record of the first for the second to fetch."""
    first = make_node()
    second = make_node(first)
    wait_until(lambda: first.link.status.peers == second.link.status.peers == 1, 20)
    return first, second


def test_a_killed_daemon_is_noticed_in_a_second_and_back_in_ten(pair):
    first, second = pair
    first.exchange.publish(1, 0, make_groups(1))
    ask = messages.ReadDirectory(1, 0, 0)
    found = wait_until(lambda: second.link.call(ask, 5).records, 20)
    record = next(r for r in found if records.decode(r).peer_id == first.peer_id)
    os.kill(first.link.pid, signal.SIGSTOP)  # its p2pd takes the request, nobody answers it
    try:
        pending = second.link.submit(messages.Fetch(record, 10**6, 30.0))
        daemon_of(second.link.pid).kill()
        with pytest.raises(TransientError, match="cannot do this now"):
            pending.result(1.0)
        wait_until(lambda: second.link.status.told.daemon_restarts == 1, 1.0)
        wait_until(lambda: second.link.status.status == "up", 10)
    finally:
        os.kill(first.link.pid, signal.SIGCONT)
    assert second.link.status.told.last_restart == "the libp2p daemon ended with status -9"


def test_a_killed_sidecar_is_noticed_in_a_second_and_back_in_ten(pair):
    _, second = pair
    asks = [second.link.submit(messages.ReadDirectory(1, 0, 0)) for _ in range(20)]
    os.kill(second.link.pid, signal.SIGKILL)
    wait_until(lambda: second.link.status.status == "down", 1.0)
    assert all(future.done() for future in asks)
    wait_until(lambda: second.link.status.status == "up", 10)
    assert "ended" in second.link.status.why


@pytest.mark.slow
def test_what_hangs_is_replaced(pair):
    """A sidecar of one node and the daemon of the other, both at once, to wait only once."""
    first, second = pair
    sidecar, daemon = first.link.pid, daemon_of(second.link.pid)
    began = time.monotonic()
    os.kill(sidecar, signal.SIGSTOP)
    daemon.suspend()
    wait_until(lambda: first.link.status.status == "down", pipes.SILENCE_S + 2)
    assert "no sign of life" in first.link.status.why
    wait_until(lambda: second.link.status.told.daemon_restarts, HUNG_S + 2)
    assert second.link.status.told.last_restart == "the libp2p daemon no longer answers"
    wait_until(lambda: first.link.status.status == second.link.status.status == "up", 10)
    assert time.monotonic() - began < max(HUNG_S, pipes.SILENCE_S) + 10
    assert first.link.pid != sidecar
    assert gone(daemon)
    wait_until(lambda: len(together([first, second], 4)[0]) == 1, 30)


def test_a_flood_costs_a_daemon_and_never_the_machine(make_node, tmp_path):
    node = make_node(max_memory_mib=96)
    maddr = node.link.visible_maddrs()[0]
    flood = subprocess.Popen([sys.executable, "-c", FLOOD, maddr], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: node.link.status.told.daemon_restarts, 30)
    finally:
        flood.kill()
        flood.wait()
    # the watch says so, or the kernel where the flood is faster than the watch looks
    assert "the 96 of net.max_memory_mib" in node.link.status.told.last_restart
    wait_until(lambda: node.link.status.status == "up", 10)
    assert node.link.visible_maddrs()[0] == maddr
    assert 0 < resident_mib(daemon_of(node.link.pid).pid) < 96
    assert node.link.status.restarts == 0


async def test_a_daemon_that_the_kernel_gives_too_little_says_so(tmp_path):
    identity = load_or_create(tmp_path / "swarm.pem").path
    folder = SocketFolder()
    options = DaemonOptions(identity, ("/ip4/127.0.0.1/tcp/0",), max_memory_mib=20)
    try:
        with pytest.raises(TransientError, match="2 times the 20 of net"):
            await start(folder, options)
    finally:
        folder.remove()
