from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account

from core.chain.account import KEYSTORE, PASSPHRASE, address_of, load_or_create
from core.errors import StorageError


def test_a_restart_finds_the_same_account_and_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "account"
    assert address_of(folder) is None
    made = load_or_create(folder)
    assert load_or_create(folder).address == made.address == address_of(folder)
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


@pytest.mark.parametrize(
    "text",
    [
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
    ],
)
def test_a_damaged_keystore_is_told_and_never_replaced(tmp_path: Path, text: str) -> None:
    load_or_create(tmp_path)
    (tmp_path / KEYSTORE).write_text(text)
    with pytest.raises(StorageError, match=KEYSTORE) as caught:
        load_or_create(tmp_path)
    assert caught.value.next_step
    assert (tmp_path / KEYSTORE).read_text() == text
    with pytest.raises(StorageError):
        address_of(tmp_path)


def test_a_wrong_or_missing_passphrase_is_told(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    (tmp_path / PASSPHRASE).write_text("another")
    with pytest.raises(StorageError, match="does not open"):
        load_or_create(tmp_path)
    (tmp_path / PASSPHRASE).unlink()
    with pytest.raises(StorageError, match=PASSPHRASE):
        load_or_create(tmp_path)


def test_a_crash_between_the_two_files_leaves_a_usable_folder(tmp_path: Path) -> None:
    (tmp_path / PASSPHRASE).write_text("left over")
    assert load_or_create(tmp_path).address == load_or_create(tmp_path).address


def test_many_makers_at_once_make_one_account(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: load_or_create(tmp_path).address, range(6)))
    assert set(made) == {load_or_create(tmp_path).address}
