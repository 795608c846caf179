from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account

from core.chain import account_files
from core.chain.account import (
    KEYSTORE,
    PASSPHRASE,
    Wallet,
    address_of,
    creating,
    is_locked,
    load_or_create,
    unlock,
    write,
)
from core.errors import ConfigError, StorageError

KEY = b"\x11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
OWNERS = "four unrelated words"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of an owner's passphrase has a test of its own; everywhere else it only costs."""
    monkeypatch.setattr("core.chain.account.STRONG_N", 2**4)


def lock(folder: Path, passphrase: str | None = OWNERS) -> None:
    with creating(folder):
        write(folder, KEY, passphrase)


def test_a_restart_finds_the_same_account_and_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "account"
    assert address_of(folder) is None
    assert not is_locked(folder)
    made = load_or_create(folder)
    assert load_or_create(folder).address == made.address == address_of(folder)
    assert not is_locked(folder)
    for name in (KEYSTORE, PASSPHRASE):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_other_wallets_can_open_it_and_no_key_is_shown(tmp_path: Path) -> None:
    wallet = load_or_create(tmp_path)
    keystore = (tmp_path / KEYSTORE).read_text()
    key = Account.decrypt(keystore, (tmp_path / PASSPHRASE).read_text())
    assert Account.from_key(key).address == wallet.address
    assert json.loads(keystore)["version"] == 3
    assert bytes(key).hex() not in keystore + repr(wallet) + str(vars(wallet))


DAMAGES = [
    "",
    "{",
    "[]",
    "{}",
    '{"version": 3, "crypto": {}}',
    '{"version": 3, "address": "zz", "crypto": {"kdfparams": {"n": 2, "r": 8, "p": 1}}}',
    '{"version": 9, "crypto": {"kdfparams": {"n": 2, "r": 8}}}',
    '{"version": 3, "crypto": {"kdf": "scrypt", "kdfparams": {"n": 1099511627776, "r": 8}}}',
    "\ufffd" * 100_000,
    "[" * 5000,
]


@pytest.mark.parametrize("text", DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_keystore_is_told_and_never_replaced(tmp_path: Path, text: str) -> None:
    load_or_create(tmp_path)
    (tmp_path / KEYSTORE).write_text(text)
    for use in (load_or_create, address_of, is_locked, lambda folder: unlock(folder, OWNERS)):
        with pytest.raises(StorageError, match=KEYSTORE) as caught:
            use(tmp_path)
        assert caught.value.next_step
    assert (tmp_path / KEYSTORE).read_text() == text


def test_a_passphrase_that_does_not_belong_to_the_keystore_is_told(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    (tmp_path / PASSPHRASE).write_text("another")
    with pytest.raises(StorageError, match="does not open"):
        load_or_create(tmp_path)
    (tmp_path / PASSPHRASE).write_bytes(b"\xff\xfe")
    with pytest.raises(StorageError, match="not text"):
        load_or_create(tmp_path)


def test_a_lost_passphrase_file_is_told_as_that(tmp_path: Path) -> None:
    wallet = load_or_create(tmp_path)
    passphrase = (tmp_path / PASSPHRASE).read_text()
    (tmp_path / PASSPHRASE).unlink()
    assert is_locked(tmp_path)
    with pytest.raises(ConfigError, match="no file passphrase beside"):
        load_or_create(tmp_path)
    assert unlock(tmp_path, passphrase).address == wallet.address


def test_an_account_that_its_owner_locked(tmp_path: Path, quick: None) -> None:
    lock(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if "lock" not in path.name] == [KEYSTORE]
    assert is_locked(tmp_path)
    assert address_of(tmp_path) == ADDRESS
    with pytest.raises(ConfigError, match="owner's passphrase"):
        load_or_create(tmp_path)
    with pytest.raises(account_files.WrongPassphrase):
        unlock(tmp_path, OWNERS + " ")
    assert unlock(tmp_path, OWNERS).address == ADDRESS
    assert Account.decrypt((tmp_path / KEYSTORE).read_text(), OWNERS) == KEY


def test_locking_anew_in_every_direction(tmp_path: Path, quick: None) -> None:
    lock(tmp_path, None)
    assert load_or_create(tmp_path).address == ADDRESS
    lock(tmp_path)
    assert not (tmp_path / PASSPHRASE).exists()
    lock(tmp_path, "other words than these")
    assert unlock(tmp_path, "other words than these").address == ADDRESS
    lock(tmp_path, None)
    assert load_or_create(tmp_path).address == ADDRESS


@pytest.mark.parametrize("passphrase", [None, OWNERS])
def test_a_crash_between_the_two_files_loses_no_account(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, passphrase: str | None
) -> None:
    """From the one kind of lock to the other, ended after the first file: the account opens."""
    lock(tmp_path, OWNERS if passphrase is None else None)

    class Crash(Exception):
        pass

    def crash(*arguments: object) -> None:
        raise Crash

    if passphrase is None:
        monkeypatch.setattr("core.chain.account.encrypt", crash)
    else:
        monkeypatch.setattr("core.chain.account.storage_errors", crash)
    with pytest.raises(Crash):
        lock(tmp_path, passphrase)
    monkeypatch.undo()
    assert (tmp_path / PASSPHRASE).exists()
    assert is_locked(tmp_path)
    assert unlock(tmp_path, OWNERS).address == ADDRESS


def test_a_crash_while_the_first_account_is_made_leaves_a_usable_folder(tmp_path: Path) -> None:
    (tmp_path / PASSPHRASE).write_text("left over")
    assert load_or_create(tmp_path).address == load_or_create(tmp_path).address


def test_an_owners_passphrase_costs_what_geth_takes(tmp_path: Path) -> None:
    lock(tmp_path)
    params = json.loads((tmp_path / KEYSTORE).read_text())["crypto"]["kdfparams"]
    assert (params["n"], params["r"], params["p"]) == (262_144, 8, 1)


def test_many_makers_at_once_make_one_account(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: load_or_create(tmp_path).address, range(6)))
    assert set(made) == {load_or_create(tmp_path).address}


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, b"\x11" * 31, b""])
def test_what_is_no_key_makes_no_wallet(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(ValueError, match="private key"):
        Wallet(key, tmp_path)
