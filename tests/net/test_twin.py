"""One key on two machines: the node that published something else is told."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from core.net.exchange import StreamExchange
from tests.conftest import wait_until
from tests.net.conftest import MakeNode, make_groups


def test_a_node_notices_that_another_one_has_its_key(make_node: MakeNode, tmp_path: Path) -> None:
    bystander = make_node(name="bystander")
    first = make_node(bystander, name="first")
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "first" / "swarm.pem", tmp_path / "copy" / "swarm.pem")
    first.link.wait_up(20)
    wait_until(lambda: bystander.link.status.peers > 0, 20)
    first.exchange.publish(1, 0, make_groups(1))
    bystander.exchange.publish(1, 0, make_groups(1, index=50))
    first.exchange.publish(1, 0, make_groups(1, index=20))  # a round tried again is no twin
    first.gather(1, want=1)
    restarted = StreamExchange(first.link, first.identity, "test", on_twin=first.twins.append)
    restarted.gather(1, 0, want=1, timeout_s=5.0, stop=threading.Event())
    assert first.twins == [], "nor is what an earlier run of this node published"
    copy = make_node(bystander, name="copy")
    copy.link.wait_up(20)
    wait_until(lambda: copy.link.status.peers > 0, 20)
    number = 2
    deadline = time.monotonic() + 40
    while not first.twins and not copy.twins and time.monotonic() < deadline:
        for index, node in enumerate((first, bystander, copy)):
            node.exchange.publish(number, 0, make_groups(number, index=100 * index))
        for node in (first, bystander, copy):
            node.gather(number, want=1, timeout_s=3.0)
        number += 1
    assert first.twins or copy.twins
    assert bystander.twins == []
    assert all(record.peer_id == first.peer_id for record in (*first.twins, *copy.twins))
