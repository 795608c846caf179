"""What a coordinator asks, and how often: one batch a poll, remembered for the block; nothing that
an RPC says is believed when the contract cannot have said it. And who may only read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from eth_abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st

from core.chain import codec, reading
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.lookup import registered_to
from core.chain.readonly import ReadOnlyCoordinator
from core.chain.rpc import Rpc, RpcError, Unreachable
from core.chain.services import SwarmServices
from core.errors import RefusedError, TransientError
from core.schema import ChainSection
from tests.chain.faulty_rpc import FaultyRpc
from tests.chain.rpc_faults import BATCH

SETTINGS = ChainSection(call_timeout_s=5.0)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmServices]:
    services = SwarmServices(tmp_path_factory.mktemp("swarm"), 0, 60.0)
    services.start()
    services.clock.close()
    yield services
    services.close()


@pytest.fixture
def line(swarm: SwarmServices) -> Iterator[FaultyRpc]:
    with FaultyRpc(swarm.devnet.url, one_in=0) as made:
        yield made


@pytest.fixture
def node(swarm: SwarmServices, line: FaultyRpc, tmp_path: Path) -> Iterator[WalletCoordinator]:
    wallet = load_or_create(tmp_path / "account")
    made = WalletCoordinator(line.url, swarm.client.contract, wallet, SETTINGS)
    yield made
    made.close()


def test_a_poll_is_one_batch_and_the_rest_of_it_is_free(
    line: FaultyRpc, node: WalletCoordinator, swarm: SwarmServices
) -> None:
    before = line.calls.copy()
    node.round_and_stage()
    assert node.head() == swarm.evm.height()
    node.deadline()
    assert line.calls - before == {BATCH: 1}
    before = line.calls.copy()
    told = node.counters("QmNobody")
    assert set(told) == {
        "participation", "wins", "total_reward", "balance_wei", "round_cost_wei",
    }  # fmt: skip
    assert line.calls - before == {BATCH: 1}


def test_what_is_there_is_remembered_for_the_block_and_what_is_not_never(
    line: FaultyRpc, node: WalletCoordinator, swarm: SwarmServices
) -> None:
    peer = f"Qm{node.account}"
    assert node.owner_of(peer) is None
    node.register(peer)
    before = line.calls.copy()
    for _ in range(5):
        assert node.owner_of(peer) == node.account
    assert line.calls - before == {BATCH: 1}
    before = line.calls.copy()
    for _ in range(3):
        assert not node.has_reward(0, 0, peer)
    assert line.calls - before == {BATCH: 3}
    node.submit_reward(0, 0, 4, peer)
    assert node.has_reward(0, 0, peer)
    before = line.calls.copy()
    assert node.has_reward(0, 0, peer)
    assert line.calls == before
    swarm.client.send("updateStageAndRound")  # a new block: everything is asked again
    node.round_and_stage()
    before = line.calls.copy()
    assert node.has_reward(0, 0, peer)
    assert line.calls - before == {BATCH: 1}


def test_nothing_is_remembered_for_long(
    line: FaultyRpc, node: WalletCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = f"Qm{node.account}"
    node.register(peer)
    node.owner_of(peer)
    monkeypatch.setattr(reading, "FRESH_S", 0.0)
    before = line.calls.copy()
    node.owner_of(peer)
    node.head()
    assert line.calls - before == {BATCH: 2}


ODD_ANSWERS = ["0x", "0x01", "0x" + "ff" * 32, "0x" + "00" * 31 + "20" + "ff" * 32, "banana", 7,
               None, [], {}, "0x" + "00" * 70_000]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_ANSWERS, ids=lambda odd: str(odd)[:12])
def test_an_answer_that_the_contract_cannot_have_given_is_no_answer(
    line: FaultyRpc, node: WalletCoordinator, odd: Any
) -> None:
    line.lies["eth_call"] = lambda params, told: odd
    for read in (
        lambda: node.owner_of("QmX"),
        lambda: node.bootnodes(),
        lambda: node.votes(0, "QmX"),
    ):
        with pytest.raises((TransientError, RefusedError)) as caught:
            read()
        assert caught.value.why
        assert caught.value.next_step
    line.lies.clear()
    assert node.owner_of("QmX") is None, "and it mends itself"


def test_texts_that_lie_one_over_another_are_not_unfolded() -> None:
    """A list of 1,000 texts that are all the same 60 KB would become 60 MB."""
    blob = abi_encode(["string"], ["x" * 60_000])[32:]
    count = 1_000
    heads = (32 * count).to_bytes(32, "big") * count
    bomb = (32).to_bytes(32, "big") + count.to_bytes(32, "big") + heads + blob
    with pytest.raises(codec.Malformed):
        codec.decode("getBootnodes", bomb)


@given(st.binary(max_size=600))
def test_whatever_bytes_come_decoding_ends_in_a_value_or_in_words(data: bytes) -> None:
    for function in ("getBootnodes", "getEoa", "currentRound", "getVoterVotes"):
        with contextlib.suppress(codec.Malformed):
            codec.decode(function, data)


@given(st.lists(st.text(max_size=40), max_size=8))
def test_texts_come_back_as_they_went(texts: list[str]) -> None:
    assert codec.decode("getBootnodes", abi_encode(["string[]"], [texts])) == (tuple(texts),)


# --- batches ----------------------------------------------------------------------------------


class Odd:
    """An RPC in front of the devnet that has its own idea of batches."""

    def __init__(self, url: str, way: str) -> None:
        self.batches = 0
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text = json.dumps(odd.answer(url, body, way)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, url: str, body: Any, way: str) -> Any:
        if not isinstance(body, list):
            return requests.post(url, json=body, timeout=10).json()
        self.batches += 1
        if way == "none":
            error = {"code": -32600, "message": "batch requests are not supported"}
            return {"jsonrpc": "2.0", "id": None, "error": error}
        if way == "limited":
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": "slow down"}}
        told = requests.post(url, json=body, timeout=10).json()
        if way == "shuffled":
            return told[::-1]
        if way == "short":
            return told[:-1]
        if way == "doubled":
            return [{"jsonrpc": "2.0", "id": told[0]["id"], "result": "0x7"}, *told][1:] + [
                {"jsonrpc": "2.0", "id": each["id"], "result": "0x99"} for each in told
            ]
        if way == "empty":
            return []
        return [*told, 5, None, {"id": [1]}, {"id": "x", "result": 1}]  # padded

    def __enter__(self) -> Odd:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize("way", ["shuffled", "doubled", "padded", "none"])
def test_answers_of_a_batch_are_matched_by_their_ids(swarm: SwarmServices, way: str) -> None:
    with Odd(swarm.devnet.url, way) as odd:
        rpc = Rpc(odd.url, 5.0)
        for _ in range(2):
            found = rpc.batch([("eth_chainId", []), ("eth_nothing", []), ("eth_blockNumber", [])])
            assert found[0] == hex(swarm.evm.chain_id)
            assert isinstance(found[1], RpcError)
            assert found[1].trouble.kind == "no_method"
            assert int(found[2], 16) == swarm.evm.height()
        assert odd.batches == (1 if way == "none" else 2), "who takes no batches is asked once"
        rpc.close()


@pytest.mark.parametrize("way", ["short", "empty"])
def test_a_batch_that_leaves_a_question_open_is_no_answer(swarm: SwarmServices, way: str) -> None:
    with Odd(swarm.devnet.url, way) as odd, pytest.raises(Unreachable, match="unanswered"):
        Rpc(odd.url, 5.0).batch([("eth_chainId", []), ("eth_blockNumber", [])])


def test_a_limit_for_a_batch_counts_for_all_of_it(swarm: SwarmServices) -> None:
    with Odd(swarm.devnet.url, "limited") as odd:
        found = Rpc(odd.url, 5.0).batch([("eth_chainId", []), ("eth_blockNumber", [])])
        assert [each.trouble.kind for each in found] == ["limited", "limited"]
        with pytest.raises(TransientError, match="fewer calls"):
            ReadOnlyCoordinator(odd.url, swarm.client.contract, SETTINGS)


def test_a_revert_within_a_batch_is_told_beside_the_others(swarm: SwarmServices) -> None:
    rpc = Rpc(swarm.devnet.url, 5.0)
    refused = {
        "to": swarm.client.contract,
        "data": "0x" + codec.encode("updateStageAndRound").hex(),
    }
    first, second = rpc.batch([("eth_call", [refused, "latest"]), ("eth_chainId", [])])
    assert isinstance(first, RpcError)
    assert first.is_revert
    assert first.data
    assert int(second, 16) == swarm.evm.chain_id
    rpc.close()


# --- reading only -----------------------------------------------------------------------------


def test_who_only_reads_needs_no_account_and_sends_nothing(
    swarm: SwarmServices, node: WalletCoordinator, tmp_path: Path
) -> None:
    peer = f"Qm{node.account}"
    node.register(peer)
    number = swarm.client.read("currentRound")[0]
    node.submit_reward(number, 0, 9, peer)
    reader = ReadOnlyCoordinator(swarm.devnet.url, swarm.client.contract, SETTINGS)
    assert (reader.kind, reader.can_submit, reader.account) == ("read-only", False, "")
    assert reader.swarm == node.swarm
    assert reader.owner_of(peer) == node.account
    assert reader.has_reward(number, 0, peer)
    assert reader.counters(peer) == {
        "participation": 0, "wins": 0, "total_reward": 9, "balance_wei": 0, "round_cost_wei": 0,
    }  # fmt: skip
    height = swarm.evm.height()
    for submit in (
        lambda: reader.register("QmNew"),
        lambda: reader.submit_reward(0, 0, 1, peer),
        lambda: reader.submit_winners(0, [peer], peer),
    ):
        with pytest.raises(RefusedError, match="only reads") as caught:
            submit()
        assert caught.value.code == "ReadOnly"
        assert "chain.coordinator" in caught.value.next_step
    assert reader.receipt("0x" + "11" * 32) is None
    assert swarm.evm.height() == height
    reader.close()
    assert registered_to(swarm.devnet.url, swarm.client.contract, peer, 5.0) == node.account
    assert registered_to(swarm.devnet.url, swarm.client.contract, "QmNobody", 5.0) is None
    with pytest.raises(RefusedError, match="no contract"):
        registered_to(swarm.devnet.url, "0x" + "12" * 20, peer, 5.0)


def test_a_contract_that_is_something_else_is_told(swarm: SwarmServices, line: FaultyRpc) -> None:
    line.lies["eth_call"] = lambda params, told: "0x"
    with pytest.raises(RefusedError, match="no SwarmCoordinator") as caught:
        ReadOnlyCoordinator(line.url, swarm.client.contract, SETTINGS)
    assert caught.value.code == "NoContract"
