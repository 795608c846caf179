"""What is out is on disk first: found again after a kill, shared by all homes of an account."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.chain import watching
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.inflight import InFlight
from core.chain.services import SwarmServices
from core.errors import RefusedError, TransientError
from core.home import REPO_ROOT
from tests.chain.faulty_rpc import FaultyRpc
from tests.chain.rpc_faults import SEND
from tests.chain.test_sending import SETTINGS, peer_of, rewards_on_chain, store_of
from tests.conftest import wait_until


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmServices]:
    services = SwarmServices(tmp_path_factory.mktemp("swarm"), 0, 60.0)
    services.start()
    services.clock.close()
    yield services
    services.close()


@pytest.fixture
def line(swarm: SwarmServices) -> Iterator[FaultyRpc]:
    with FaultyRpc(swarm.devnet.url, one_in=0, hang_s=20.0) as made:
        yield made


@pytest.fixture
def node(swarm: SwarmServices, line: FaultyRpc, tmp_path: Path) -> Iterator[WalletCoordinator]:
    wallet = load_or_create(tmp_path / "account")
    made = WalletCoordinator(line.url, swarm.client.contract, wallet, replace(SETTINGS))
    made.register(peer_of(made))
    yield made
    made.close()


# --- processes --------------------------------------------------------------------------------


def started(folder: Path, url: str, contract: str, *peers: str) -> subprocess.Popen[str]:
    script = str(Path(__file__).with_name("sender_process.py"))
    return subprocess.Popen(
        [sys.executable, script, str(folder), url, contract, *peers],
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("kind", ["late", "timeout"])
def test_a_process_killed_while_it_sends_leaves_one_transaction(
    swarm: SwarmServices, line: FaultyRpc, tmp_path: Path, kind: str
) -> None:
    """late: the chain took it and the process never heard. timeout: the chain never saw it."""
    folder = tmp_path / "account"
    wallet = load_or_create(folder)
    line.next(SEND, kind)
    process = started(folder, line.url, swarm.client.contract, f"Qm{wallet.address}")
    wait_until(lambda: line.faults[SEND, kind], 30)
    if kind == "late":
        wait_until(lambda: line.accepted, 10)
    process.kill()
    process.wait(10)
    node = WalletCoordinator(line.url, swarm.client.contract, wallet, SETTINGS)
    (row,) = store_of(node).since(0)
    receipt = node.register(f"Qm{wallet.address}")
    assert receipt.tx_hash == row.tx_hash, "the very same transaction"
    assert swarm.evm.nonce(bytes.fromhex(wallet.address[2:])) == 1
    assert line.accepted == [row.tx_hash]
    node.close()


def test_two_processes_of_two_homes_interleave_without_losing_a_nonce(
    swarm: SwarmServices, tmp_path: Path
) -> None:
    """One key in two homes, a process each, and this one's threads as a third."""
    first = load_or_create(tmp_path / "one" / "account")
    other = tmp_path / "two" / "account"
    other.mkdir(parents=True)
    for file in (tmp_path / "one" / "account").iterdir():
        if file.is_file():
            (other / file.name).write_bytes(file.read_bytes())
    names = {n: [f"Qm{n}{i}{first.address}" for i in range(4)] for n in ("a", "b", "c")}
    url, contract = swarm.devnet.url, swarm.client.contract
    running = [
        started(tmp_path / "one" / "account", url, contract, *names["a"]),
        started(other, url, contract, *names["b"]),
    ]
    node = WalletCoordinator(url, contract, first, SETTINGS)
    threads = [threading.Thread(target=node.register, args=(name,)) for name in names["c"]]
    for each in threads:
        each.start()
    said = [each.communicate(timeout=60)[0] for each in running]
    for each in threads:
        each.join(60)
    hashes = [line.split()[1] for text in said for line in text.splitlines() if "done" in line]
    assert len(set(hashes)) == 8
    everyone = [name for each in names.values() for name in each]
    assert {node.owner_of(name) for name in everyone} == {first.address}
    assert swarm.evm.nonce(bytes.fromhex(first.address[2:])) == 12
    node.close()


# --- the file ---------------------------------------------------------------------------------


def test_a_damaged_file_is_set_aside_and_nothing_is_lost(
    swarm: SwarmServices, node: WalletCoordinator
) -> None:
    node.submit_reward(0, 0, 5, peer_of(node))
    path = store_of(node)._path
    path.write_bytes(b"no database " * 1000)
    again = WalletCoordinator(swarm.devnet.url, node.contract, node._sender._wallet, SETTINGS)
    with pytest.raises(RefusedError) as caught:
        again.submit_reward(0, 0, 5, peer_of(node))
    assert caught.value.code == "RewardAlreadySubmitted"
    assert path.with_name(path.name + ".1").exists()
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert rewards_on_chain(swarm, peer_of(node)) == [5]
    again.close()


def test_what_was_sent_on_a_chain_that_began_anew_is_forgotten(
    node: WalletCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rpc = node.rpc
    folder = node._sender._wallet.state_dir
    assert len(store_of(node).since(0)) == 1
    assert len(InFlight(folder, rpc.chain_id, rpc.first_block).since(0)) == 1
    assert len(InFlight(folder, rpc.chain_id, "").since(0)) == 1
    assert InFlight(folder, rpc.chain_id, "0x" + "99" * 32).since(0) == []


def test_old_transactions_are_forgotten(node: WalletCoordinator) -> None:
    store = store_of(node)
    (row,) = store.since(0)
    store.mined(row.tx_hash, 10)
    assert store.since(0)
    store.add(replace(row, tx_hash="0x77", nonce=row.nonce + 1))
    store.mined("0x77", 10 + 257)
    assert [each.tx_hash for each in store.since(0)] == ["0x77"]


def test_closing_ends_a_wait(
    line: FaultyRpc, node: WalletCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "GONE_POLLS", 10**6)
    line.lies["eth_getTransactionReceipt"] = lambda params, told: None
    caught: list[TransientError] = []

    def send() -> None:
        try:
            node.submit_reward(0, 0, 5, peer_of(node))
        except TransientError as error:
            caught.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    wait_until(lambda: len(line.accepted) == 2)
    node.close()
    thread.join(5)
    assert not thread.is_alive()
    assert "the node stops" in caught[0].why or "looked for again" in caught[0].next_step
