"""`waggle doctor net`: can this machine take part in the swarm, and if not, what stands in the way.

Without a running node it starts a short-lived sidecar, with an identity of its own, where the node
would listen: it knocks at the bootnodes and at peers met before, has itself dialled back, compares
clocks and looks round the local network. Beside a running node it tells what that node last found.
At most TIMEOUT_S long.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from core.config import Effective
from core.doctor import Check, listen_ports, print_checks
from core.errors import TransientError
from core.home import Home, HomeLock
from core.net import telling
from core.net.link import NetLink
from core.net.listening import Address, beyond_loopback, parse
from core.net.messages import Bootnode, Status
from core.net.options import LinkOptions, NetStatus
from core.schema import NetSection

UP_TIMEOUT_S = 20.0
LOOK_TIMEOUT_S = 12.0
TIMEOUT_S = UP_TIMEOUT_S + LOOK_TIMEOUT_S + 5.0
ENOUGH_TRIES = 2


def report(load: Callable[[], Effective], home: Home, as_json: bool) -> int:
    """Print all checks; 0 when each is ok, else 1."""
    effective = load()
    net = effective.config.net
    if not net.enabled:
        found = [Check("net", True, "off: net.enabled is false, this node trains alone")]
    elif HomeLock(home).held_by_other():
        found = list(beside(home, net))
    else:
        found = list(alone(home, effective))
    if as_json:
        print(json.dumps({"checks": [asdict(check) for check in found]}))
    else:
        print_checks(found)
    return 0 if all(check.ok for check in found) else 1


def beside(home: Home, net: NetSection) -> Iterator[Check]:
    """What the node that runs on this home found last."""
    from core.reports import ago, read

    told = read(home)[0].net
    if told is None:
        yield Check("net", False, "the node has not said how its network is", "Wait a moment")
        return
    said = f"the running node said {ago(told.time)}: {told.status}"
    yield Check("net", told.status == "up", said)
    status = Status(
        status=told.status,
        maddrs=tuple(told.maddrs),
        peers=told.peers,
        bootnodes=tuple(Bootnode(**row) for row in told.bootnodes),
        reach=told.reach,
        relays=told.relays,
        skew_s=told.skew_s,
        skew_peers=told.skew_peers,
        lan=told.lan,
        note=told.note,
    )
    yield from judge(status, net, told.reach_words)


def alone(home: Home, effective: Effective) -> Iterator[Check]:
    """With a sidecar of its own, ended again."""
    from core.net.identity import load_or_create
    from core.net.peers import PeerBook

    net = effective.config.net
    lan = net.lan_discovery and beyond_loopback(parse(net.listen))
    known = PeerBook(home.path / "peers.json").contacts
    yield from listen_ports(net.listen)
    with tempfile.TemporaryDirectory(prefix="waggle-doctor-") as folder:
        link = NetLink(
            LinkOptions(
                identity=load_or_create(Path(folder) / "swarm.pem").path,
                swarm=effective.config.swarm.name,
                log=Path(folder) / "net.log",
                listen=net.listen,
                announce=tuple(net.announce),
                bootnodes=tuple(net.bootnodes),
                client_mode=net.client_mode,
                nat_port_map=net.nat_port_map,
                relay="off",  # whether this node can be dialled is the question here
                lan_discovery=lan,
                max_memory_mib=net.max_memory_mib,
            ),
            contacts=known,
        )
        began = time.monotonic()
        link.start()
        try:
            link.wait_up(UP_TIMEOUT_S)
            took = time.monotonic() - began
            somewhere = bool(net.bootnodes or known() or lan)
            told = look(link, LOOK_TIMEOUT_S if somewhere else 0.0).told
        except TransientError as error:
            step = "See whether another program or a security policy stops hivemind's p2pd"
            yield Check("p2pd", False, error.why or error.what, step)
            return
        finally:
            link.close()
    yield Check("p2pd", True, f"the libp2p daemon starts here, in {took:.1f} s with the sidecar")
    yield from judge(told, net, telling.reach(told))


def look(link: NetLink, timeout_s: float) -> NetStatus:
    """The status once everything is known that can be, or when the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        told = link.status.told
        tried = all(
            b.outcome in ("connected", "invalid") or b.tries >= ENOUGH_TRIES for b in told.bootnodes
        )
        if tried and told.bootnodes and (not told.peers or told.reach != "unknown"):
            break
        time.sleep(0.1)
    return link.status


# --- checks -----------------------------------------------------------------------------------


def judge(told: Status, net: NetSection, reach_words: str) -> Iterator[Check]:
    """Everything that a status says, check by check."""
    yield from _bootnodes(told)
    yield _peers(told)
    yield _nat(told, net, reach_words)
    what, step = telling.skew(told)
    if told.skew_peers:
        near = f"within {abs(told.skew_s):.1f} s of {told.skew_peers} other node(s)"
        yield Check("clock", not what, what or near, step)
    else:
        yield Check("clock", True, "nobody was there to compare it with")
    yield _lan(told, net)


def _bootnodes(told: Status) -> Iterator[Check]:
    for bootnode in told.bootnodes:
        ok = bootnode.outcome == "connected"
        yield Check("bootnode", ok, telling.bootnode(bootnode), "" if ok else _step(bootnode))
    if not told.bootnodes:
        yield Check("bootnode", True, "none is configured")


def _step(bootnode: Bootnode) -> str:
    if bootnode.outcome == "invalid":
        return "Write it like /ip4/203.0.113.7/tcp/38331/p2p/Qm..."
    if bootnode.why == "another peer answers there":
        return "Its address is right and its peer id is not: ask for the current bootnode"
    return "Ask whoever runs it whether it is up; a firewall on the way may refuse its port"


def _peers(told: Status) -> Check:
    if told.peers:
        return Check("peers", True, f"{told.peers} other node(s) answer")
    reached = any(b.outcome == "connected" for b in told.bootnodes)
    ok = not told.bootnodes or reached
    step = "" if ok else "Training goes on alone meanwhile; give another one with --bootnode"
    return Check("peers", ok, "no other node answers", step)


def _nat(told: Status, net: NetSection, words: str) -> Check:
    if net.client_mode:
        return Check("nat", True, "client mode: this node only dials out")
    wanted = parse(net.listen)
    if not beyond_loopback(wanted):
        return Check("nat", True, "this node listens on this machine only")
    if told.reach == "unreachable":
        return Check("nat", False, words, _open(told, net, wanted))
    return Check("nat", True, words)


def _open(told: Status, net: NetSection, wanted: tuple[Address, ...]) -> str:
    """Which port of which protocol to open, in one sentence."""
    named = [a for a in wanted if a.port]
    if named:
        which = " and ".join(f"{a.transport.upper()} {a.port}" for a in named)
        step = f"Open {which} in the firewall and forward it from the router to this machine"
    else:
        step = (
            "Choose a fixed port, as with --set net.listen=/ip4/0.0.0.0/tcp/38331, open it in the "
            "firewall and forward it from the router to this machine"
        )
    relay = {"off": "; net.relay is off: turn it on to be reached without"}.get(
        net.relay, "; until then other nodes relay to this one"
    )
    return step + relay


def _lan(told: Status, net: NetSection) -> Check:
    if not net.lan_discovery or not beyond_loopback(parse(net.listen)):
        return Check("lan", True, "discovery on the local network is off")
    return Check("lan", True, f"{told.lan} node(s) of this swarm found on the local network")
