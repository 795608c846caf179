"""The chain outlives its process: whole blocks only, the same ones, and no trace of calls."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.chain.account import Wallet
from core.chain.chainclient import ChainClient
from core.chain.evm import Evm, Reverted
from core.chain.genesis import ETHER
from core.chain.intake import Rejected
from core.errors import StorageError
from core.home import REPO_ROOT

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


def transfer(evm: Evm, wallet: Wallet, **changes: object) -> bytes:
    sender = bytes.fromhex(wallet.address[2:])
    return wallet.sign(
        {
            "chainId": evm.chain_id,
            "nonce": evm.nonce(sender),
            "to": "0x" + "11" * 20,
            "value": 1,
            "gas": 21_000,
            "maxFeePerGas": 2 * evm.base_fee() + 1,
            "maxPriorityFeePerGas": 0,
            **changes,
        }
    )


def test_a_restart_continues_the_same_chain(tmp_path: Path) -> None:
    owner = Wallet(b"\x07" * 32, tmp_path)
    evm = Evm(tmp_path)
    client = ChainClient(evm, owner)
    client.send("registerPeer", PEER)
    hashes = [client.send("updateStageAndRound") for _ in range(3)]
    before = [evm.header(n).hash for n in range(evm.height() + 1)]
    logs = evm.logs(0, evm.height())
    root, balance = evm.header().state_root, evm.balance(bytes.fromhex(owner.address[2:]))
    evm.close()

    again = Evm(tmp_path)
    assert [again.header(n).hash for n in range(again.height() + 1)] == before
    assert again.logs(0, again.height()) == logs
    assert again.header().state_root == root
    assert again.balance(bytes.fromhex(owner.address[2:])) == balance
    for each in hashes:
        block, transaction, _ = again.find_transaction(each)
        assert transaction.hash == each
        assert again.receipts(block)[0].state_root == b"\x01"
    same = ChainClient(again, owner)
    assert same.address == client.address
    assert same.read("currentRound") == (3,)
    same.send("updateStageAndRound")
    assert same.read("currentRound") == (4,)
    assert again.header().parent_hash == before[-1]
    assert again.header().timestamp > again.header(again.height() - 1).timestamp
    again.close()


WRITER = """
import sys
from pathlib import Path
from core.chain.account import Wallet
from core.chain.chainclient import ChainClient
from core.chain.evm import Evm
folder = Path(sys.argv[1])
evm = Evm(folder)
client = ChainClient(evm, Wallet(b"\\x07" * 32, folder))
while True:
    client.send("updateStageAndRound")
    print(client.read("currentRound")[0], flush=True)
"""


def test_kill_leaves_whole_blocks_and_every_accepted_transaction(tmp_path: Path) -> None:
    seen = 0
    for run in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=REPO_ROOT,
            env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
        )
        assert child.stdout is not None
        for _ in range(3 + 4 * run):
            seen = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        seen = max([seen, *(int(line) for line in child.stdout.read().split())])
        child.wait(10)
    evm = Evm(tmp_path)
    client = ChainClient(evm, Wallet(b"\x07" * 32, tmp_path))
    assert client.read("currentRound")[0] in (seen, seen + 1)
    rounds = [entry.block for entry in evm.logs(0, evm.height(), [client.address])]
    assert rounds == sorted(rounds)
    client.send("updateStageAndRound")
    evm.close()


def test_what_a_node_would_refuse_is_refused_and_changes_nothing(evm: Evm, tmp_path: Path) -> None:
    wallet = Wallet(b"\x09" * 32, tmp_path)
    with pytest.raises(Rejected, match="insufficient funds"):
        evm.submit(transfer(evm, wallet))
    evm.fund(bytes.fromhex(wallet.address[2:]))
    height, root = evm.height(), evm.header().state_root
    with pytest.raises(Rejected, match="chain id"):
        evm.submit(transfer(evm, wallet, chainId=1))
    with pytest.raises(Rejected, match=r"insufficient funds for gas \* price \+ value: balance"):
        evm.submit(transfer(evm, wallet, value=10**6 * ETHER))
    with pytest.raises(Rejected, match="intrinsic gas too low: gas 20000, minimum needed 21000"):
        evm.submit(transfer(evm, wallet, gas=20_000))
    with pytest.raises(Rejected, match="gas limit too high"):
        evm.submit(transfer(evm, wallet, gas=10**9))
    with pytest.raises(Rejected, match="max fee per gas less than block base fee"):
        evm.submit(transfer(evm, wallet, maxFeePerGas=0))
    with pytest.raises(Rejected, match="max priority fee per gas higher than max fee per gas"):
        evm.submit(transfer(evm, wallet, maxPriorityFeePerGas=10**18))
    for junk in (b"", b"\x00", b"\xc0", b"\x02", b"\x03\x01", b"\x02\xc0", os.urandom(200)):
        with pytest.raises(Rejected):
            evm.submit(junk)
    assert (evm.height(), evm.header().state_root) == (height, root)
    raw = transfer(evm, wallet)
    evm.submit(raw)
    with pytest.raises(Rejected, match="nonce too low: next nonce 1, tx nonce 0"):
        evm.submit(raw)
    assert evm.balance(b"\x11" * 20) == 1


def test_a_call_leaves_no_trace_and_a_revert_gives_its_bytes(evm: Evm, tmp_path: Path) -> None:
    client = ChainClient(evm, Wallet(b"\x07" * 32, tmp_path))
    root = evm.header().state_root
    assert client.read("updateStageAndRound") == (1, 0)
    assert client.read("currentRound") == (0,)
    assert evm.header().state_root == root
    with pytest.raises(Reverted) as caught:
        evm.call(client.address, bytes.fromhex("e28b0586"), b"\x01" * 20)
    assert len(caught.value.data) == 4


def test_growth_wakes_a_waiter_and_the_faucet_gives_once(evm: Evm) -> None:
    height = evm.height()
    assert evm.wait_growth(height, 0.01) == height
    assert evm.fund(b"\x22" * 20) is not None
    assert evm.wait_growth(height, 5.0) == height + 1
    assert evm.fund(b"\x22" * 20) is None


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "chain.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageError, match=r"chain\.db"):
        Evm(tmp_path)


def state_rows(evm: Evm) -> int:
    with evm._views.one() as view:
        return len(view.reader.state_keys(evm.height()))


def test_a_sweep_drops_superseded_state_and_nothing_else(tmp_path: Path) -> None:
    owner = Wallet(b"\x07" * 32, tmp_path)
    evm = Evm(tmp_path)
    client = ChainClient(evm, owner)
    for number in range(12):
        client.send("registerPeer", f"{PEER}-{number}")
        client.send("updateStageAndRound")
    height, old = evm.height(), 5
    receipts = [evm.receipts(evm.block(n)) for n in range(1, height + 1)]
    assert evm.balance(client.address, old) == 0
    assert evm.unswept() == height
    before = state_rows(evm)
    dropped = evm.sweep(keep_blocks=3)
    assert 0 < dropped < before
    assert state_rows(evm) == before - dropped
    assert evm.unswept() == 3
    assert evm.sweep(keep_blocks=3) == 0
    for number in range(height - 3, height + 1):
        assert evm.call(client.address, bytes.fromhex("8a19c8bc"), number=number)
    with pytest.raises(LookupError, match="not kept"):
        evm.balance(client.address, old)
    evm.close()

    again = Evm(tmp_path)
    assert [again.receipts(again.block(n)) for n in range(1, height + 1)] == receipts
    same = ChainClient(again, owner)
    names = [f"{PEER}-{n}" for n in range(12)]
    assert same.read("getEoa", names) == ((owner.address.lower(),) * 12,)
    same.send("registerPeer", "one more")
    assert again.sweep(keep_blocks=0) > 0
    same.send("updateStageAndRound")
    assert same.read("currentRound") == (13,)
    assert same.read("getPeerId", [owner.address]) == (((*names, "one more"),),)
    again.close()
