"""Damaged files, a full disk, old history: told in a sentence, or mended; never half a block."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from core.chain.account import Wallet
from core.chain.chainclient import ChainClient
from core.chain.evm import Evm
from core.errors import StorageError
from tests.chain.test_evm_queue import Sender


def made(folder: Path, transactions: int = 8) -> Path:
    """A chain that was closed; its file."""
    evm = Evm(folder)
    sender = Sender(evm, folder)
    for nonce in range(transactions):
        sender.send(nonce)
    evm.close()
    return folder / "chain.db"


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[200 : len(data)] = b"\xa5" * (len(data) - 200)
    path.write_bytes(data)


def without_the_newest_state(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM kv WHERE state = (SELECT max(state) FROM kv)")
    db.close()


def without_the_newest_block(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM kv WHERE state = (SELECT min(state) FROM kv) AND length(key) = 32")
    db.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"not a database" * 1000),
        truncated,
        garbled,
        without_the_newest_state,
        without_the_newest_block,
    ],
)
def test_a_damaged_file_is_told_at_the_start(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(made(tmp_path))
    with pytest.raises(StorageError, match=r"chain\.db") as caught:
        Evm(tmp_path)
    assert "backup" in caught.value.next_step
    assert "\n" not in str(caught.value)


def test_an_empty_file_begins_a_chain(tmp_path: Path) -> None:
    (tmp_path / "chain.db").touch()
    evm = Evm(tmp_path)
    assert evm.height() == 0
    evm.close()


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "chain.db").mkdir()
    with pytest.raises(StorageError, match=r"chain\.db"):
        Evm(tmp_path)


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    evm = Evm(tmp_path)
    sender = Sender(evm, tmp_path)
    client = ChainClient(evm, Wallet(b"\x07" * 32, tmp_path))
    (pages,) = evm._store._db.execute("PRAGMA page_count").fetchone()
    evm._store._db.execute(f"PRAGMA max_page_count = {pages}")
    accepted = 0
    with pytest.raises(StorageError, match="full") as caught:  # noqa: PT012 - which one fails
        for number in range(1000):
            client.send("registerPeer", f"peer {number}")
            accepted += 1
    assert "Free disk space" in caught.value.next_step
    height, root = evm.height(), evm.header().state_root
    with pytest.raises(StorageError):
        sender.send(7, data="0x" + "ff" * 4000, gas=500_000)
    assert (evm.height(), evm.header().state_root) == (height, root)
    assert evm.call(client.address, bytes.fromhex("8a19c8bc"))
    evm._store._db.execute("PRAGMA max_page_count = 1000000")
    client.send("registerPeer", "one more")
    assert evm.height() == height + 1
    evm.close()
    evm = Evm(tmp_path)
    again = ChainClient(evm, Wallet(b"\x07" * 32, tmp_path))
    ((names,),) = again.read("getPeerId", [again._owner.address])
    assert list(names) == [*(f"peer {n}" for n in range(accepted)), "one more"]
    evm.close()


def test_old_history_goes_and_logs_stay(tmp_path: Path) -> None:
    evm = Evm(tmp_path)
    client = ChainClient(evm, Wallet(b"\x07" * 32, tmp_path))
    hashes = [client.send("updateStageAndRound") for _ in range(12)]
    height, logs = evm.height(), evm.logs(0, evm.height())
    old = evm.block(height - 8)
    assert evm.sweep(keep_blocks=4, keep_history=6) > 0
    evm.close()
    evm = Evm(tmp_path)
    assert evm.logs(0, height) == logs
    assert evm.block_hashes([old.number]) == {old.number: old.hash}
    with pytest.raises(LookupError, match="no longer kept"):
        evm.block(old.number)
    for ask, what in ((evm.find_transaction, hashes[0]), (evm.block_by_hash, old.hash)):
        with pytest.raises(LookupError):
            ask(what)
    for number in range(height - 5, height + 1):
        block = evm.block(number)
        assert len(evm.receipts(block)) == 1
        assert evm.find_transaction(block.transactions[0].hash)[0] == block
    again = ChainClient(evm, Wallet(b"\x07" * 32, tmp_path))
    again.send("updateStageAndRound")
    for _ in range(2):
        evm.sweep(keep_blocks=0, keep_history=0)
    again.send("updateStageAndRound")
    assert again.read("currentRound") == (14,)
    evm.close()
