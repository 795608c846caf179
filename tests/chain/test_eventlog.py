"""Reading the coordinator's events from the real devnet, and from RPCs that give little at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from core.chain import eventlog
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.eventlog import EventLog
from core.chain.rpc import Rpc
from core.chain.services import SwarmServices
from core.errors import RefusedError, TransientError
from core.protocols import ChainEvent
from core.swarm.leaderboard import EVENTS


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletCoordinator]:
    """A coordinator whose contract has 12 rewards and 12 votes of two peers."""
    folder = tmp_path_factory.mktemp("busy")
    swarm = SwarmServices(folder / "services", 0, 60.0)
    swarm.start()
    swarm.clock.close()
    peers = {
        name: WalletCoordinator(
            swarm.devnet.url, swarm.client.contract, load_or_create(folder / name)
        )
        for name in ("QmAlice", "QmBob")
    }
    for peer, coordinator in peers.items():
        coordinator.register(peer)
    for number in range(6):
        for peer, coordinator in peers.items():
            coordinator.submit_reward(number, 0, number + 1, peer)
            coordinator.submit_winners(number, ["QmAlice"], peer)
        swarm.client.send("updateStageAndRound")
    yield peers["QmAlice"]
    for coordinator in peers.values():
        coordinator.close()
    swarm.close()


def read_all(log: EventLog, first: int = 0) -> list[ChainEvent]:
    found, head = [], log.head()
    while first <= head:
        events, done = log.read(first, head, EVENTS, time.monotonic() + 20)
        found += events
        first = done + 1
    return found


class Narrow:
    """A proxy in front of a devnet that answers `eth_getLogs` for few blocks only."""

    def __init__(self, url: str) -> None:
        self.most = 10**9
        self.asked: list[int] = []
        self.spoil: Callable[[list[Any]], Any] = lambda logs: logs
        narrow = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = narrow.answer(url, body)
                text = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def answer(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        if body["method"] == "eth_getLogs":
            query = body["params"][0]
            blocks = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
            self.asked.append(blocks)
            if blocks > self.most:
                error = {"code": -32005, "message": "query returned more than 10 results"}
                return {"jsonrpc": "2.0", "id": body["id"], "error": error}
        told: dict[str, Any] = requests.post(url, json=body, timeout=10).json()
        if body["method"] == "eth_getLogs":
            told["result"] = self.spoil(told["result"])
        return told

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def narrow(busy: WalletCoordinator) -> Iterator[Narrow]:
    proxy = Narrow(busy.rpc.shown)
    yield proxy
    proxy.close()


def test_all_events_come_in_the_order_of_the_chain(busy: WalletCoordinator) -> None:
    found = read_all(busy.log)
    assert [(e.block, e.position) for e in found] == sorted((e.block, e.position) for e in found)
    rewards = [e.fields for e in found if e.name == "RewardSubmitted"]
    assert [(r["peerId"], r["roundNumber"], r["reward"]) for r in rewards[:3]] == [
        ("QmAlice", 0, 1),
        ("QmBob", 0, 1),
        ("QmAlice", 1, 2),
    ]
    votes = [e.fields for e in found if e.name == "WinnerSubmitted"]
    assert len(votes) == 12
    assert list(votes[-1]["winners"]) == ["QmAlice"]
    totals = [e.fields for e in found if e.name == "CumulativeRewardsUpdated"]
    assert totals[-1]["totalRewards"] == busy.counters("QmBob")["total_reward"] == 21
    middle = found[len(found) // 2].block
    assert read_all(busy.log, middle) == [e for e in found if e.block >= middle]


def test_a_refused_query_is_asked_again_over_fewer_blocks(
    busy: WalletCoordinator, narrow: Narrow
) -> None:
    narrow.most = 3
    log = EventLog(Rpc(narrow.url, 10.0), busy.contract)
    assert read_all(log) == read_all(busy.log)
    assert max(narrow.asked[8:]) <= 2 * 3, "it does not go back to asking for all of them"
    narrow.most = 10**9
    narrow.asked.clear()
    assert read_all(log) == read_all(busy.log)
    assert len(narrow.asked) < 8, "once the limit is gone the span grows again"


def test_a_chain_that_refuses_a_single_block_is_told(
    busy: WalletCoordinator, narrow: Narrow
) -> None:
    narrow.most = 0
    with pytest.raises(RefusedError, match="does not tell the coordinator's events"):
        read_all(EventLog(Rpc(narrow.url, 10.0), busy.contract))
    assert narrow.asked[-1] == 1


def test_one_reading_is_bounded_in_time_and_events(
    busy: WalletCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(busy.rpc, busy.contract, span=2)
    _, done = log.read(0, log.head(), EVENTS, deadline=0.0)
    assert done == 1, "one query, then the deadline"
    monkeypatch.setattr(eventlog, "MAX_EVENTS", 5)
    log.span = 4
    found, done = log.read(0, log.head(), EVENTS, time.monotonic() + 20)
    assert 5 <= len(found) <= 16
    assert done < log.head()


def test_an_answer_that_makes_no_sense_is_no_event(busy: WalletCoordinator, narrow: Narrow) -> None:
    log = EventLog(Rpc(narrow.url, 10.0), busy.contract)
    other = {"topics": ["0x" + "00" * 32], "data": "0x", "blockNumber": "0x1", "logIndex": "0x0"}
    for spoilt in ([None, 3, "x", [], {}], [{"topics": [], "data": "0x"}], [other]):
        narrow.spoil = lambda logs, s=spoilt: s  # type: ignore[misc]
        assert read_all(log) == []
    for spoilt in ("no", None, 7, {}):  # type: ignore[assignment]
        narrow.spoil = lambda logs, s=spoilt: s  # type: ignore[misc]
        with pytest.raises(TransientError, match="is not a list"):
            read_all(log)


def test_a_log_with_one_field_spoilt_costs_only_itself(
    busy: WalletCoordinator, narrow: Narrow
) -> None:
    good = read_all(busy.log)
    log = EventLog(Rpc(narrow.url, 10.0), busy.contract)
    for key, value in {
        "data": "0x00",
        "blockNumber": "0x" + "f" * 15,
        "logIndex": None,
        "topics": ["0x12"],
        "removed": True,
    }.items():
        narrow.spoil = lambda logs, k=key, v=value: [{**logs[0], k: v}, *logs[1:]]  # type: ignore[misc]
        assert read_all(log) == good[1:], key


def test_a_long_chain_is_read_from_where_the_contract_begins(busy: WalletCoordinator) -> None:
    head = busy.log.head()
    assert busy.log.first_block(head) == 0
    first = busy.log.first_block(head, long_chain=1)
    assert 0 < first <= min(event.block for event in read_all(busy.log))
    assert read_all(busy.log, first) == read_all(busy.log)
    elsewhere = EventLog(busy.rpc, "0x" + "11" * 20)
    assert elsewhere.first_block(head, long_chain=1) == head


def test_what_is_read_back_is_what_a_block_says(busy: WalletCoordinator) -> None:
    log = busy.log
    assert log.hash_of(1).startswith("0x")
    assert log.hash_of(1) != log.hash_of(2)
    assert log.hash_of(10**6) == ""
