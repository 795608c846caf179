"""The coordinator client against a real chain over HTTP, and against endpoints that misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.rpc import Rpc
from core.chain.services import SwarmServices
from core.errors import ConfigError, RefusedError, TransientError
from core.schema import ChainSection
from tests.chain.faulty_rpc import FaultyRpc

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
OTHER = "QmOther"
Connect = Callable[..., WalletCoordinator]


def test_a_whole_round(swarm: SwarmServices, connect: Connect) -> None:
    node = connect()
    assert node.owner_of(PEER) is None
    node.register(PEER)
    assert node.owner_of(PEER) == node.account
    assert node.round_and_stage() == (0, 0)
    assert not node.has_reward(0, 0, PEER)
    tx_hash = node.submit_reward(0, 0, 5, PEER).tx_hash
    assert tx_hash.startswith("0x")
    assert len(tx_hash) == 66
    assert node.has_reward(0, 0, PEER)
    assert not node.has_voted(0, PEER)
    node.submit_winners(0, [PEER, OTHER], PEER)
    assert node.has_voted(0, PEER)
    assert node.votes(0, PEER) == [PEER, OTHER]
    assert node.round_rewards(0, 0, [node.account]) == [5]
    counted = node.counters(PEER)
    assert (counted["participation"], counted["wins"], counted["total_reward"]) == (1, 1, 5)
    assert counted["balance_wei"] > 0
    assert node.bootnodes() == []
    assert node.deadline() is None or node.deadline() > time.time() - 60  # type: ignore[operator]


def test_what_the_contract_refuses_is_final_named_and_free(
    swarm: SwarmServices, connect: Connect
) -> None:
    node, other = connect("one"), connect("two")
    node.register(PEER)
    swarm.clock.close()
    height = swarm.evm.height()
    refusals = {
        "PeerIdAlreadyRegistered": lambda: other.register(PEER),
        "InvalidRoundNumber": lambda: node.submit_reward(99, 0, 1, PEER),
        "InvalidVoterPeerId": lambda: other.submit_reward(0, 0, 1, PEER),
        "InvalidVote": lambda: node.submit_winners(0, [PEER, PEER], PEER),
        "Reverted": lambda: node.register("x" * 500),
    }
    for code, attempt in refusals.items():
        with pytest.raises(RefusedError) as caught:
            attempt()
        assert caught.value.code == code
        assert caught.value.next_step
    assert swarm.evm.height() == height


def test_a_wrong_chain_or_address_is_explained(swarm: SwarmServices, tmp_path: Path) -> None:
    wallet = load_or_create(tmp_path / "a")
    url, contract = swarm.devnet.url, swarm.client.contract
    with pytest.raises(RefusedError, match=r"this swarm's is 5") as caught:
        WalletCoordinator(url, contract, wallet, ChainSection(chain_id=5))
    assert caught.value.code == "WrongChain"
    with pytest.raises(RefusedError, match="no contract") as caught:
        WalletCoordinator(url, "0x" + "12" * 20, wallet)
    assert caught.value.code == "NoContract"
    with pytest.raises(ConfigError):
        WalletCoordinator(url, "banana", wallet)
    for bad in ("banana", "ftp://x", "http://"):
        with pytest.raises(ConfigError, match="rpc_url"):
            WalletCoordinator(bad, contract, wallet)


def test_a_fee_beyond_the_bound_and_an_empty_account(swarm: SwarmServices, tmp_path: Path) -> None:
    wallet = load_or_create(tmp_path / "a")
    url, contract = swarm.devnet.url, swarm.client.contract
    cheap = WalletCoordinator(url, contract, wallet, ChainSection(max_fee_gwei=1e-9 / 2))
    with pytest.raises(TransientError, match="max_fee_gwei"):
        cheap.register(PEER)
    with FaultyRpc(url, one_in=0) as line:
        poor = WalletCoordinator(line.url, contract, wallet)
        line.lies["web3_clientVersion"] = lambda params, told: "another chain, without a faucet"
        with pytest.raises(TransientError, match=f"{wallet.address} cannot pay") as caught:
            poor.register(PEER)
        assert "balance on chain" in caught.value.why
        assert "0 ether" in caught.value.why
        assert "lasts for about 100 rounds" in caught.value.next_step
        line.lies.clear()
        poor.register(PEER)
        assert poor.counters(PEER)["balance_wei"] > poor.counters(PEER)["round_cost_wei"] > 0
        poor.close()


@contextmanager
def endpoint(reply: bytes, drip_s: float = 0.0) -> Iterator[str]:
    """A TCP server that answers every connection with `reply`, slowly if asked."""
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    step = 1 if drip_s else len(reply) or 1
                    for start in range(0, len(reply), step):
                        connection.sendall(reply[start : start + step])
                        if stop.wait(drip_s):
                            return
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    stop.set()
    server.shutdown(socket.SHUT_RDWR)  # wakes the accept
    server.close()
    thread.join(5.0)


def http_reply(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_an_endpoint_that_drips_or_hides_does_not_hold_us() -> None:
    with endpoint(http_reply(b'{"result": "0x1"}' + b" " * 500), drip_s=0.05) as url:
        rpc = Rpc(url, 0.5)
        before = time.monotonic()
        with pytest.raises(TransientError):
            rpc.call("eth_chainId")
        assert time.monotonic() - before < 5
    with pytest.raises(TransientError):
        rpc.call("eth_chainId")


def test_not_even_the_head_of_an_answer_may_drip() -> None:
    with endpoint(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 500, drip_s=0.05) as url:
        rpc = Rpc(url, 0.5)
        before = time.monotonic()
        with pytest.raises(TransientError, match="did not answer within"):
            rpc.call("eth_chainId")
        assert time.monotonic() - before < 2
        rpc.close()


def test_this_machine_is_reached_without_the_proxy(
    swarm: SwarmServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert Rpc(swarm.devnet.url, 5.0).quantity("eth_chainId") == swarm.evm.chain_id


def test_keys_in_rpc_addresses_are_not_told() -> None:
    rpc = Rpc("http://user:secret@127.0.0.1:9/v2/KEY?token=T", 0.5)
    with pytest.raises(TransientError) as caught:
        rpc.call("eth_chainId")
    for secret in ("secret", "KEY", "token"):
        assert secret not in str(caught.value)
