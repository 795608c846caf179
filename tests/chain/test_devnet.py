"""The devnet as an Ethereum client sees it, and under bytes that no client would send."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
import requests
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError

from core.chain.contract import artifact
from core.chain.coordinator import WalletCoordinator
from core.chain.devnet import Devnet
from core.chain.evm import Evm
from core.chain.genesis import FAUCET_KEY
from core.chain.intake import Rejected
from core.chain.rpcbody import MAX_BATCH, MAX_BODY_BYTES, answer
from core.chain.rpcmethods import RpcMethods
from core.chain.services import SwarmServices
from core.chain.webserver import MAX_CONNECTIONS
from core.errors import WaggleError

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
Connect = Callable[..., WalletCoordinator]


@pytest.fixture
def web3(swarm: SwarmServices) -> Web3:
    session = requests.Session()
    session.trust_env = False
    return Web3(HTTPProvider(swarm.devnet.url, session=session))


def post(swarm: SwarmServices, body: bytes, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", swarm.devnet.port, timeout=10)
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def test_web3_can_do_all_that_a_node_needs(
    swarm: SwarmServices, web3: Web3, connect: Connect
) -> None:
    node = connect()
    tx_hash = node.register(PEER).tx_hash
    node.submit_reward(0, 0, -3, PEER)
    assert web3.eth.chain_id == int(web3.net.version) == node.chain_id
    contract: Any = web3.eth.contract(
        address=web3.to_checksum_address(swarm.client.contract), abi=artifact()["abi"]
    )
    assert contract.functions.getTotalRewards([PEER]).call() == [-3]
    receipt = web3.eth.get_transaction_receipt(tx_hash)  # type: ignore[arg-type]
    assert receipt["status"] == 1
    assert receipt["to"] == web3.to_checksum_address(swarm.client.contract)
    (event,) = contract.events.PeerRegistered().process_receipt(receipt)
    assert event["args"]["peerId"] == PEER
    found = web3.eth.get_transaction(tx_hash)  # type: ignore[arg-type]
    assert found["from"] == node.account
    assert found["type"] == 2
    block = web3.eth.get_block(receipt["blockNumber"], full_transactions=True)
    assert block["hash"] == receipt["blockHash"]
    assert block["transactions"][0]["hash"].hex() == tx_hash[2:]  # type: ignore[index]
    assert web3.eth.get_block(block["hash"])["number"] == block["number"]
    assert web3.eth.get_block("earliest")["number"] == 0
    (log,) = contract.events.RewardSubmitted().get_logs(from_block=0)
    assert log["args"]["reward"] == -3
    assert web3.eth.get_code(contract.address)
    assert web3.eth.get_balance(contract.address) == 0
    assert web3.eth.fee_history(4, "latest", [50])["baseFeePerGas"]
    assert web3.eth.max_priority_fee == 0
    assert web3.eth.gas_price > 0


def test_web3_fills_in_a_transaction_by_itself(swarm: SwarmServices, web3: Web3) -> None:
    account = web3.eth.account.create()
    web3.provider.make_request("waggle_fund", [account.address])  # type: ignore[arg-type]
    contract: Any = web3.eth.contract(
        address=web3.to_checksum_address(swarm.client.contract), abi=artifact()["abi"]
    )
    built = contract.functions.registerPeer(PEER).build_transaction({"from": account.address})
    raw = account.sign_transaction({**built, "nonce": 0}).raw_transaction
    receipt = web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(raw))
    assert receipt["status"] == 1
    assert built["gas"] < 2 * receipt["gasUsed"]


def test_custom_errors_and_batches(swarm: SwarmServices, web3: Web3) -> None:
    contract: Any = web3.eth.contract(
        address=web3.to_checksum_address(swarm.client.contract), abi=artifact()["abi"]
    )
    with pytest.raises(ContractCustomError) as caught:
        contract.functions.updateStageAndRound().call()
    assert caught.value.data == Web3.to_hex(Web3.keccak(text="OnlyStageManager()")[:4])
    with web3.batch_requests() as batch:
        batch.add(web3.eth.get_block("latest"))
        batch.add(contract.functions.currentRound())
        block, number = batch.execute()
    assert number == 0
    assert block["number"] == web3.eth.block_number


def test_bytes_that_no_client_sends(swarm: SwarmServices) -> None:
    status, body = post(swarm, b"nonsense")
    assert (status, json.loads(body)["error"]["code"]) == (200, -32700)
    status, body = post(swarm, b"[" * 100_000)
    assert json.loads(body)["error"]["code"] in (-32700, -32600)
    status, body = post(swarm, json.dumps([{}] * (MAX_BATCH + 1)).encode())
    assert json.loads(body)["error"]["code"] == -32600
    status, _ = post(swarm, b"{}", Origin="http://evil.example")
    assert status == 403
    status, _ = post(swarm, b"{}", Host="evil.example:80")
    assert status == 403
    with socket.create_connection(("127.0.0.1", swarm.devnet.port), timeout=10) as raw:
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
        raw.sendall(head.encode())
        assert b" 413 " in raw.recv(4096)
    status, body = post(swarm, b'{"id": 1, "method": "eth_chainId", "params": []}')
    assert json.loads(body)["result"] == hex(swarm.evm.chain_id)


def test_a_taken_port_is_one_clear_error(swarm: SwarmServices) -> None:
    with pytest.raises(WaggleError, match=f"127.0.0.1:{swarm.devnet.port}") as caught:
        Devnet(RpcMethods(swarm.evm), swarm.devnet.port)
    assert "devnet_port" in caught.value.next_step


def status(url: str, **headers: str) -> int:
    """Of a request to `url`; another Host header than the address, if one is given."""
    session = requests.Session()
    session.trust_env = False
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    return session.post(url, json=body, headers=headers, timeout=10).status_code


def test_it_is_opened_at_one_more_address_and_no_other(methods: Any) -> None:
    devnet = Devnet(methods, public="127.0.0.2")
    devnet.start()
    try:
        assert devnet.public_url == f"http://127.0.0.2:{devnet.port}"
        assert status(devnet.url) == status(devnet.public_url) == 200
        assert status(devnet.public_url, Host="rebound.example") == 403
        with pytest.raises(requests.ConnectionError):
            status(f"http://127.0.0.3:{devnet.port}")
        with pytest.raises(WaggleError, match="cannot listen"):
            Devnet(methods, devnet.port, public="127.0.0.2")
    finally:
        devnet.close()


def test_a_name_is_served_on_every_address(methods: Any) -> None:
    devnet = Devnet(methods, public="swarm.example")
    devnet.start()
    try:
        assert status(f"http://127.0.0.3:{devnet.port}", Host=f"swarm.example:{devnet.port}") == 200
        assert status(f"http://127.0.0.3:{devnet.port}") == 403
        assert status(devnet.url) == 200
    finally:
        devnet.close()


def test_strangers_cannot_use_up_the_nodes_own_connections(methods: Any) -> None:
    devnet = Devnet(methods, public="127.0.0.2")
    devnet.start()
    held = []
    try:
        for _ in range(MAX_CONNECTIONS + 20):
            held.append(socket.create_connection(("127.0.0.2", devnet.port), timeout=5))
        assert status(devnet.url) == 200
    finally:
        for each in held:
            each.close()
        devnet.close()


def test_nobody_but_the_faucet_spends_its_ether(swarm: SwarmServices) -> None:
    thief = Account.from_key(FAUCET_KEY)
    taken = thief.sign_transaction(
        {
            "chainId": swarm.evm.chain_id,
            "nonce": swarm.evm.nonce(bytes.fromhex(thief.address[2:])),
            "to": "0x" + "11" * 20,
            "value": 10**24,
            "gas": 21_000,
            "maxFeePerGas": 2 * swarm.evm.base_fee() + 1,
            "maxPriorityFeePerGas": 0,
        }
    )
    with pytest.raises(Rejected, match="waggle_fund only"):
        swarm.evm.submit(bytes(taken.raw_transaction))
    assert swarm.evm.fund(bytes.fromhex("22" * 20))


@pytest.fixture(scope="module")
def methods(tmp_path_factory: pytest.TempPathFactory) -> Any:
    evm = Evm(tmp_path_factory.mktemp("evm"))
    yield RpcMethods(evm)
    evm.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=70),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["to", "from", "data", "value", "topics", "address", "fromBlock"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
PLAUSIBLE = st.sampled_from(
    ["latest", "earliest", "0x0", "0x5", "0x" + "11" * 20, "0x" + "22" * 32, "0x", "0x02c0"]
)


@settings(max_examples=400, deadline=None)
@given(which=st.integers(0, 200), params=st.lists(JSON | PLAUSIBLE, max_size=4))
def test_every_request_gets_a_json_rpc_answer(methods: Any, which: int, params: Any) -> None:
    names = [*methods.names(), "nothing"]
    method = names[which % len(names)]
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    told = json.loads(answer(methods, body.encode()).body)
    assert told["id"] == 7
    assert ("result" in told) != ("error" in told)
    assert told.get("error", {}).get("code") != -32603
