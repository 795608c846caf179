"""Which entries of a bootnode list are handed on, and which of my addresses are told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.net import records
from core.swarm import bootnodes

ME, OTHER = "Qm" + "a" * 44, "Qm" + "b" * 44
GOOD = st.builds(
    lambda host, port, peer: f"/ip4/{host}/tcp/{port}/p2p/{peer}",
    st.ip_addresses(v=4),
    st.integers(1, 65_535),
    st.sampled_from([ME, OTHER, "Qm" + "c" * 44]),
)
ODD = st.text(max_size=300) | st.binary(max_size=20) | st.none() | st.integers()
NAUGHTY = st.sampled_from(
    [
        "/ip4/10.0.0.1/tcp/1",
        "/p2p/" + OTHER,
        f"/ip4/10.0.0.1/tcp/1/p2p/{OTHER}\x1b[2J",
        f"/ip4/10.0.0.1/tcp/1/p2p/{OTHER} ",
        "/ip4/10.0.0.1" + "/x" * 200 + f"/p2p/{OTHER}",
        "/ip4/10.0.0.1/tcp/1/p2p/Qm0OIl",
    ]
)


@given(st.lists(GOOD | ODD | NAUGHTY, max_size=150))
def test_only_bounded_multiaddrs_of_others_are_handed_on(listed: list[object]) -> None:
    found = bootnodes.usable(listed, ME)
    assert len(found) == len(set(found)) <= bootnodes.MAX_USED
    assert [m for m in found if m in listed] == found
    for maddr in found:
        assert records.is_peer_maddr(maddr)
        assert not maddr.endswith(ME)


@given(st.lists(GOOD, min_size=1, max_size=bootnodes.MAX_USED))
def test_every_good_entry_is_handed_on_in_order(listed: list[str]) -> None:
    others = [m for m in dict.fromkeys(listed) if not m.endswith(ME)]
    assert bootnodes.usable(listed, ME) == others


def test_loopback_is_told_only_when_there_is_nothing_else() -> None:
    inside = [f"/ip4/127.0.0.1/tcp/4/p2p/{ME}", f"/ip6/::1/tcp/4/p2p/{ME}"]
    outside = [f"/ip4/192.168.1.7/tcp/4/p2p/{ME}", f"/dns4/host.example/tcp/4/p2p/{ME}"]
    assert bootnodes.own([*inside, *outside]) == outside
    assert bootnodes.own(inside) == inside
    assert bootnodes.own([]) == []
    assert len(bootnodes.own([f"/ip4/10.0.0.{n}/tcp/4/p2p/{ME}" for n in range(9)])) == 4
