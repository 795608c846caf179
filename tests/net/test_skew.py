"""Clocks that are wrong: told from those that are right, named, and no reason to stay away."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.home import REPO_ROOT
from core.net import skew, telling
from core.net.messages import Status
from core.net.skew import Clocks, Skew
from tests.conftest import wait_until
from tests.net.conftest import make_groups

SKEWED_CLOCK = """
import os, time
_true = time.time
time.time = lambda: _true() + float(os.environ["SKEW_S"])
"""
NODE = """
import json, sys, threading, time
from pathlib import Path
from core.net.exchange import StreamExchange
from core.net.identity import load_or_create
from core.net.link import LinkOptions, NetLink
from tests.net.conftest import make_groups
folder = Path(sys.argv[1])
identity = load_or_create(folder / "swarm.pem")
link = NetLink(LinkOptions(identity.path, "test", folder / "net.log", bootnodes=(sys.argv[2],)))
link.start()
link.wait_up(30)
exchange = StreamExchange(link, identity, "test")
for line in sys.stdin:
    exchange.publish(int(line), 0, make_groups(int(line), index=70))
    got = exchange.gather(int(line), 0, want=0, timeout_s=3.0, stop=threading.Event())
    told = link.status.told
    answer = {"good": sum(not g.error for g in got), "errors": [g.error for g in got if g.error]}
    print(json.dumps(answer | {"skew_s": told.skew_s, "peers": told.skew_peers}), flush=True)
link.close()
"""


def test_the_median_of_many_stands_against_a_few_liars():
    clocks = Clocks()
    for n in range(5):
        clocks.heard(f"honest-{n}", 1_000.0 + n / 10, 1_061.0, 1_061.2, now=5.0)
    for n in range(4):
        clocks.heard(f"liar-{n}", 9e9, 1_061.0, 1_061.2, now=5.0)
    found = clocks.skew(6.0)
    assert found.peers == 9
    assert 60 < found.offset_s < 62
    what, next_step = skew.sentence(found)
    assert what == "this machine's clock is 61 s ahead of 9 other nodes"
    assert "ntp" in next_step


def test_small_old_and_doubtful_answers_name_nobody():
    clocks = Clocks()
    clocks.heard("slow", 0.0, 1_000.0, 1_100.0, now=0.0)  # a round trip of 100 s proves nothing
    assert clocks.skew(1.0) == Skew()
    clocks.heard("near", 1_000.0, 1_002.0, 1_002.1, now=0.0)
    assert not clocks.skew(1.0).named
    clocks.heard("near", 1_000.0, 1_902.0, 1_902.1, now=0.0)
    assert clocks.skew(1.0).named
    assert clocks.skew(skew.FRESH_S + 1) == Skew()
    assert telling.skew(Status("up", skew_s=-30.0, skew_peers=1))[0].startswith(
        "this machine's clock is 30 s behind 1 other node, or"
    )


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-2e12, max_value=2e12)),
    st.floats(-100, 100),
)
def test_nothing_that_peers_say_breaks_the_verdict(times, trip):
    clocks = Clocks()
    for n, theirs in enumerate(times):
        clocks.heard(str(n), theirs, 1_000.0, 1_000.0 + trip, now=0.0)
    found = clocks.skew(0.0)
    assert found.peers <= skew.MAX_PEERS
    assert found.offset_s == found.offset_s


@pytest.fixture
def skewed(tmp_path: Path, make_node) -> Iterator[tuple[object, subprocess.Popen[str]]]:
    """An honest node, and another whose process and sidecar live 61 s in the future."""
    honest = make_node()
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(SKEWED_CLOCK)
    folder = tmp_path / "skewed"
    folder.mkdir()
    path = f"{tmp_path / 'clock'}:{REPO_ROOT}"
    node = subprocess.Popen(
        [sys.executable, "-c", NODE, str(folder), honest.link.visible_maddrs()[0]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "SKEW_S": "61"},
    )
    yield honest, node
    assert node.stdin is not None
    node.stdin.close()
    assert node.wait(20) == 0


def test_a_node_whose_clock_is_a_minute_ahead_takes_part_and_is_told(skewed):
    honest, node = skewed
    rounds = iter(range(1, 500))

    def play() -> tuple[dict, list]:
        number = next(rounds)
        honest.exchange.publish(number, 0, make_groups(number))
        node.stdin.write(f"{number}\n")
        node.stdin.flush()
        got = honest.gather(number, timeout_s=3.0)
        return json.loads(node.stdout.readline()), got

    def done() -> bool:
        theirs, got = play()
        good = theirs["good"] == 1 and [g.error for g in got] == [""]
        return good and theirs["peers"] == 1 and bool(honest.link.status.told.skew_peers)

    wait_until(done, 40)
    theirs, _ = play()
    assert 59 < theirs["skew_s"] < 63
    assert -63 < honest.link.status.told.skew_s < -59
    assert "behind 1 other node" in telling.connection(honest.link.status.told, 0)[1]
