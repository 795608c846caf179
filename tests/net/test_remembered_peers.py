"""A restart when every bootnode is dead: the peers that the book remembers are found and used."""

from __future__ import annotations

from tests.conftest import wait_until
from tests.net.conftest import MakeNode, make_groups, together


def test_dead_bootnodes_do_not_keep_a_node_from_those_it_knows(make_node: MakeNode) -> None:
    bootnode = make_node(name="bootnode")
    friend = make_node(bootnode, name="friend")
    node = make_node(bootnode, name="node")
    for each in (friend, node):
        each.link.wait_up(20)
    swarm = [bootnode, friend, node]
    number = 1
    while friend.peer_id not in {record.peer_id for record in node.exchange.peers()}:
        assert number < 12, "they never met"
        together(swarm, number, want=2)
        number += 1
    (dead,) = bootnode.link.visible_maddrs()
    bootnode.close()
    node.close()

    again = make_node(name="node")
    assert again.peer_id == node.peer_id
    again.link.connect([dead])
    again.link.wait_up(20)
    wait_until(lambda: again.link.status.peers > 0, 20)
    number += 1
    together([friend, again], number, want=1)  # the friend may still wait for those who are gone
    number += 1
    friends, mine = together([friend, again], number, want=1)
    assert [(got.record.peer_id, got.error) for got in mine] == [(friend.peer_id, "")]
    assert [got.record.peer_id for got in friends if got.groups] == [again.peer_id]
    assert mine[0].groups[0].task == make_groups(number)[0].task
    outcomes = {told.maddr: told.outcome for told in again.link.status.bootnodes}
    assert outcomes[dead] == "failed"
