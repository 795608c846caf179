"""What the devnet answers, method by method, and what its document says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from core.chain import chainreader
from core.chain.account import Wallet
from core.chain.chainclient import ChainClient
from core.chain.evm import Evm
from core.chain.rpcmethods import RpcMethods
from core.chain.rpcparams import RpcFault
from core.chain.services import SwarmServices
from core.home import REPO_ROOT

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
LOOP = "0x5b600056"
Ask = Callable[..., Any]


@pytest.fixture
def client(evm: Evm, tmp_path: Path) -> ChainClient:
    made = ChainClient(evm, Wallet(b"\x07" * 32, tmp_path))
    made.send("registerPeer", PEER)
    return made


@pytest.fixture
def ask(evm: Evm, client: ChainClient) -> Ask:
    methods = RpcMethods(evm)
    return lambda method, *params: methods.answer(method, list(params))


def refused(ask: Ask, method: str, *params: Any) -> RpcFault:
    with pytest.raises(RpcFault) as caught:
        ask(method, *params)
    return caught.value


def test_the_document_lists_every_method(swarm: SwarmServices) -> None:
    text = (REPO_ROOT / "docs" / "devnet.md").read_text()
    section = text.split("## Methods")[1].split("### Errors")[0]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert listed == sorted(listed)
    assert listed == RpcMethods(swarm.evm, {"waggle_clock": lambda params: None}).names()


def test_the_document_names_every_error_code() -> None:
    source = "".join(
        path.read_text() for path in (REPO_ROOT / "core" / "chain").glob("rpc[bmpl]*.py")
    )
    used = {int(code) for code in re.findall(r"RpcFault\(\s*(-?\d+)", source)}
    text = (REPO_ROOT / "docs" / "devnet.md").read_text()
    assert used == {int(code) for code in re.findall(r"^\| (-?\d+) \|", text, re.MULTILINE)}


def test_blocks_and_what_is_in_them(ask: Ask, evm: Evm) -> None:
    head = ask("eth_blockNumber")
    block = ask("eth_getBlockByNumber", head, True)
    by_hash = ask("eth_getBlockByHash", block["hash"], False)
    (transaction,) = block["transactions"]
    assert by_hash["transactions"] == [transaction["hash"]]
    assert ask("eth_getTransactionByHash", transaction["hash"]) == transaction
    assert ask("eth_getTransactionByBlockNumberAndIndex", "latest", "0x0") == transaction
    assert ask("eth_getTransactionByBlockHashAndIndex", block["hash"], "0x0") == transaction
    assert ask("eth_getTransactionByBlockNumberAndIndex", "latest", "0x1") is None
    assert ask("eth_getBlockTransactionCountByNumber", head) == "0x1"
    assert ask("eth_getBlockTransactionCountByHash", block["hash"]) == "0x1"
    receipt = ask("eth_getTransactionReceipt", transaction["hash"])
    assert ask("eth_getBlockReceipts", head) == [receipt]
    assert receipt["logs"] == ask("eth_getLogs", {"fromBlock": head})
    assert receipt["blockHash"] == block["hash"]
    assert transaction["accessList"] == []
    assert block["extraData"] == "0x"
    assert ask("eth_getBlockByNumber", hex(evm.height() + 1), False) is None
    assert ask("eth_getBlockReceipts", hex(evm.height() + 1)) is None
    assert ask("eth_getBlockTransactionCountByNumber", "earliest") == "0x0"
    assert refused(ask, "eth_getBalance", "0x" + "11" * 20, "0xffff").code == -32001


def test_fees_and_small_questions(ask: Ask, evm: Evm) -> None:
    told = ask("eth_feeHistory", "0x2", "latest", [10, 90])
    assert told["oldestBlock"] == hex(evm.height() - 1)
    assert len(told["baseFeePerGas"]) == 3
    assert told["baseFeePerGas"][1] == ask("eth_gasPrice")
    assert int(told["baseFeePerGas"][2], 16) <= int(told["baseFeePerGas"][1], 16)
    assert told["reward"] == [["0x0", "0x0"]] * 2
    assert "reward" not in ask("eth_feeHistory", "0x1", "latest", [])
    assert ask("eth_syncing") is False
    assert ask("net_listening") is True
    assert ask("net_version") == str(int(ask("eth_chainId"), 16))
    assert ask("web3_sha3", "0x") == Web3.to_hex(Web3.keccak(b""))
    assert "does not exist" in str(refused(ask, "eth_getProof"))
    assert "state overrides" in str(refused(ask, "eth_call", {"data": "0x"}, "latest", {"a": {}}))


def test_a_contracts_own_words_reach_the_client(ask: Ask) -> None:
    def returning(data: bytes) -> str:
        """Code whose run reverts with `data`, of up to 100 bytes."""
        words = b"".join(
            b"\x7f" + data[i : i + 32].ljust(32, b"\0") + bytes([0x60, i, 0x52])
            for i in range(0, len(data), 32)
        )
        return "0x" + (words + bytes([0x60, len(data), 0x60, 0, 0xFD])).hex()

    sentence = bytes.fromhex("08c379a0") + b"".join(
        [(32).to_bytes(32, "big"), (4).to_bytes(32, "big"), b"nope".ljust(32, b"\0")]
    )
    fault = refused(ask, "eth_call", {"data": returning(sentence)})
    assert (fault.code, str(fault)) == (3, "execution reverted: nope")
    assert fault.data == "0x" + sentence.hex()
    panic = bytes.fromhex("4e487b71") + (17).to_bytes(32, "big")
    assert str(refused(ask, "eth_call", {"data": returning(panic)})).endswith("panic code 0x11")
    garbled = bytes.fromhex("08c379a0") + b"\xff" * 64
    assert str(refused(ask, "eth_call", {"data": returning(garbled)})) == "execution reverted"


def test_a_call_ends_in_time(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.chain.rpcmethods.LOCAL_CALL_S", 0.05)
    fault = refused(ask, "eth_call", {"data": LOOP})
    assert (fault.code, str(fault)) == (-32000, "execution aborted (timeout)")
    assert str(refused(ask, "eth_estimateGas", {"data": LOOP})) == "execution aborted (timeout)"
    fault = refused(ask, "eth_call", {"data": LOOP, "gas": "0x5000"})
    assert (fault.code, str(fault)) == (-32000, "out of gas")


def emitter(evm: Evm, wallet: Wallet) -> Callable[[], bytes]:
    """Deploys a contract; each call of what is returned mines a transaction with 500 logs."""
    sender = bytes.fromhex(wallet.address[2:])
    evm.fund(sender)

    def send(**more: Any) -> bytes:
        plain = {"chainId": evm.chain_id, "nonce": evm.nonce(sender), "value": 0, "gas": 3_000_000}
        fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
        return evm.submit(wallet.sign({**plain, **fees, **more}))

    code = bytes.fromhex("6101f45b6000600060" + "00a16001900380600357" + "00")
    made = send(
        data="0x" + (bytes([0x60, len(code)]) + bytes.fromhex("80600b6000396000f3") + code).hex()
    )
    contract = RpcMethods(evm).answer("eth_getTransactionReceipt", ["0x" + made.hex()])
    address = bytes.fromhex(contract["contractAddress"][2:])
    return lambda: send(to=address)


def test_too_many_logs_are_paged_through_as_the_error_says(
    evm: Evm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainreader, "LOGS_DEADLINE_S", 60.0)  # how many, not how long
    emit = emitter(evm, Wallet(b"\x09" * 32, tmp_path))
    for _ in range(21):
        emit()
    methods = RpcMethods(evm)
    head = evm.height()
    everything = {"fromBlock": "0x0", "toBlock": "latest"}
    fault = refused(
        lambda *params: methods.answer(params[0], list(params[1:])), "eth_getLogs", everything
    )
    assert fault.code == -32005
    fits = fault.data["to"]
    assert str(fault) == (
        f"query returned more than 10000 results. Try with this block range [0x0, {fits}]"
    )
    assert fault.data["from"] == "0x0"
    first = methods.answer("eth_getLogs", [{"fromBlock": "0x0", "toBlock": fits}])
    rest = methods.answer("eth_getLogs", [{"fromBlock": hex(int(fits, 16) + 1)}])
    assert (len(first), len(rest)) == (10_000, 500)
    found = {(each["blockNumber"], each["logIndex"]) for each in first + rest}
    assert len(found) == 21 * 500
    assert max(int(block, 16) for block, _ in found) == head


def test_logs_by_topic_and_range(ask: Ask, client: ChainClient, evm: Evm) -> None:
    client.send("updateStageAndRound")
    where = {"fromBlock": "0x0", "address": client.contract}
    (log,) = ask("eth_getLogs", {**where, "topics": [topic("PeerRegistered(address,string)")]})
    assert log["transactionHash"]
    assert ask("eth_getLogs", {"blockHash": log["blockHash"]}) == [log]
    assert ask("eth_getLogs", {**where, "topics": ["0x" + "00" * 32]}) == []
    several = [[topic("PeerRegistered(address,string)"), topic("RoundAdvanced(uint256)")]]
    assert len(ask("eth_getLogs", {**where, "topics": several})) == 2
    assert ask("eth_getLogs", {"fromBlock": hex(evm.height() + 5)}) == []
    fault = refused(ask, "eth_getLogs", {"fromBlock": "0x3", "toBlock": "0x1"})
    assert str(fault) == "invalid block range params"
    assert "max topics" in str(refused(ask, "eth_getLogs", {"topics": [None] * 5}))


def topic(event: str) -> str:
    return Web3.to_hex(Web3.keccak(text=event))


def test_a_filter_tells_each_thing_once(ask: Ask, client: ChainClient) -> None:
    following = hex(int(ask("eth_blockNumber"), 16) + 1)
    logs = ask("eth_newFilter", {"address": client.contract, "fromBlock": following})
    blocks = ask("eth_newBlockFilter")
    assert ask("eth_getFilterChanges", logs) == ask("eth_getFilterChanges", blocks) == []
    client.send("updateStageAndRound")
    told = ask("eth_getFilterChanges", logs)
    assert {each["blockNumber"] for each in told} == {ask("eth_blockNumber")}
    assert ask("eth_getFilterChanges", logs) == []
    newest = ask("eth_getBlockByNumber", "latest", False)["hash"]
    assert ask("eth_getFilterChanges", blocks) == [newest]
    assert ask("eth_getFilterLogs", logs) == told
    assert ask("eth_uninstallFilter", logs) is True
    assert ask("eth_uninstallFilter", logs) is False
    assert str(refused(ask, "eth_getFilterChanges", logs)) == "filter not found"
    for _ in range(31):
        ask("eth_newBlockFilter")
    assert refused(ask, "eth_newBlockFilter").code == -32005
