"""`waggle doctor net`, and the news that a node tells of its network."""

from __future__ import annotations

import json
import time

import pytest

from core import config, doctor, doctor_net, events
from core.home import Home
from core.net import telling
from core.net.link import NetStatus
from core.net.messages import Bootnode, Status
from core.net_news import NetNews
from tests.conftest import wait_until
from tests.test_journal import written

DEAD = "/ip4/127.0.0.1/tcp/9/p2p/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"


def effective(home: Home, **net: object) -> config.Effective:
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in net.items()}
    sets = [f"net.{key}={text}" for key, text in texts.items()]
    sets += ["swarm.name=test", "chain.enabled=false"]
    return config.load("join", home, sets=sets, env={})


def test_it_knocks_is_dialled_back_and_names_what_is_dead(home: Home, make_node, capsys):
    boot = make_node()
    bootnodes = [boot.link.visible_maddrs()[0], DEAD]
    given = effective(home, listen="/ip4/0.0.0.0/tcp/0", bootnodes=bootnodes, lan_discovery=False)
    assert doctor_net.report(lambda: given, home, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)["checks"]
    by_name = {check["name"]: check for check in told}
    good, bad = (check for check in told if check["name"] == "bootnode")
    assert good["ok"]
    assert "answered in" in good["detail"]
    assert not bad["ok"]
    assert bad["detail"].endswith("not reached: connection refused")
    assert bad["next_step"]
    assert by_name["nat"]["detail"] == "1 node dialled this node at 127.0.0.1"
    assert "within 0." in by_name["clock"]["detail"]
    assert by_name["peers"]["ok"]
    wait_until(lambda: boot.link.status.peers == 0, 30)  # nobody is left behind in its table


def test_alone_on_this_machine_it_is_quick_and_well(home: Home, capsys):
    given = effective(home, listen="/ip4/127.0.0.1/tcp/0", bootnodes=[])
    began = time.monotonic()
    assert doctor_net.report(lambda: given, home, as_json=False) == 0
    assert time.monotonic() - began < 10
    assert "this machine only" in capsys.readouterr().out


def test_what_to_open_is_told(home: Home):
    behind = Status("up", peers=2, reach="unreachable", reach_by=2, reach_why="no answer", relays=1)
    listen = "/ip4/0.0.0.0/tcp/4001,/ip4/0.0.0.0/udp/4002/quic-v1"
    net = effective(home, listen=listen, bootnodes=[]).config.net
    nat = next(c for c in doctor_net.judge(behind, net, telling.reach(behind)) if c.name == "nat")
    assert not nat.ok
    assert nat.detail == "2 nodes could not dial this node: no answer; 1 node will relay to it"
    assert nat.next_step.startswith("Open TCP 4001 and UDP 4002 in the firewall and forward")
    net = effective(home, bootnodes=[]).config.net
    nat = next(c for c in doctor_net.judge(behind, net, "") if c.name == "nat")
    assert "Choose a fixed port" in nat.next_step


def test_beside_a_running_node_its_own_word_counts(home: Home):
    refused = Bootnode(DEAD, "failed", "connection refused", 3, time.time() + 8)
    told: list[events.Event] = [
        events.NodeStarted(
            version="1",
            pid=1,
            profile="join",
            home="",
            peer_id="Qm",
            name="n",
            model="m",
            swarm="s",
        )
    ]
    NetNews(told.append).tell(
        NetStatus(Status("up", bootnodes=(refused,), skew_s=61.0, skew_peers=3))
    )
    written(home.db, told)
    net = effective(home, bootnodes=[DEAD]).config.net
    by_name = {check.name: check for check in doctor_net.beside(home, net)}
    assert by_name["net"].ok
    assert "connection refused" in by_name["bootnode"].detail
    assert "61 s ahead of 3 other nodes" in by_name["clock"].detail


def test_a_lonely_node_says_why_and_not_on_every_beat():
    told: list[events.Event] = []
    news = NetNews(told.append)
    for tries in range(1, 30):
        refused = Bootnode(DEAD, "failed", "connection refused", tries, time.time() + 8)
        news.tell(NetStatus(Status("up", bootnodes=(refused,))))
    lines = [e for e in told if isinstance(e, events.ServiceChanged)]
    assert [line.status for line in lines] == ["degraded"]
    assert lines[0].detail.startswith(
        "alone: bootnode /ip4/127.0.0.1/tcp/9 not reached: connection refused; tried once, next in "
    )
    assert len([e for e in told if isinstance(e, events.NetChanged)]) == 1
    news.tell(NetStatus(Status("up", peers=1)))
    assert told[-2] == events.ServiceChanged(
        service="net", status="up", detail="connected to 1 other node", time=told[-2].time
    )


def test_restarts_relays_ports_and_clocks_are_incidents():
    told: list[events.Event] = []
    news = NetNews(told.append)
    news.tell(NetStatus(Status("up")))
    news.tell(NetStatus(Status("degraded", daemon_restarts=1, last_restart="it took 600 MiB")))
    news.tell(NetStatus(Status("down"), restarts=1, why="no sign of life for 10 s"))
    news.tell(
        NetStatus(
            Status("up", relays=2, reach="unreachable", note="taken", skew_s=9.0, skew_peers=2),
            restarts=1,
        )
    )
    incidents = [e for e in told if isinstance(e, events.Incident)]
    assert [e.code for e in incidents] == [
        *("net_restarted", "net_restarted", "net_relayed", "clock_skew", "port_taken")
    ]
    assert [e.why for e in incidents[:2]] == ["it took 600 MiB", "no sign of life for 10 s"]
    assert all(e.next_step for e in incidents)


def test_the_short_doctor_points_to_the_long_one(home: Home):
    checks = {check.name: check for check in doctor.doctor(home, effective(home, bootnodes=[]))}
    assert "doctor net" in checks["network"].detail


@pytest.mark.parametrize("maddr", [DEAD, "nonsense", ""])
def test_every_outcome_of_a_bootnode_has_words(maddr: str):
    for outcome in ("waiting", "connected", "failed", "invalid"):
        words = telling.bootnode(Bootnode(maddr, outcome, "why", 2, 5.0, 1.0), now=0.0)
        assert words.startswith("bootnode ")
