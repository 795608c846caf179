"""Taking over an account from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import eth_keyfile
import pytest

from core.chain import account, account_import
from core.errors import WaggleError

KEY = "0x" + "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


def test_a_key_replaces_the_account_and_the_old_one_is_kept(tmp_path: Path) -> None:
    before = account.load_or_create(tmp_path).address
    assert account_import.import_key(tmp_path, KEY).address == ADDRESS
    assert account.load_or_create(tmp_path).address == ADDRESS
    for name in (account.KEYSTORE, account.PASSPHRASE):
        (tmp_path / f"{name}.1").rename(tmp_path / name)
    assert account.load_or_create(tmp_path).address == before


def test_a_keystore_with_its_password(tmp_path: Path) -> None:
    made = eth_keyfile.create_keyfile_json(
        bytes.fromhex(KEY[2:]), b"open sesame", kdf="scrypt", iterations=2**12
    )
    source = tmp_path / "wallet.json"
    source.write_text(json.dumps(made))
    folder = tmp_path / "account"
    with pytest.raises(WaggleError, match="password does not open"):
        account_import.import_keystore(folder, source, "wrong")
    assert not (folder / account.KEYSTORE).exists()
    assert account_import.import_keystore(folder, source, "open sesame").address == ADDRESS


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 32, "00" * 32, "ff" * 32])
def test_what_is_no_key_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(WaggleError) as told:
        account_import.import_key(tmp_path, text)
    assert not text or text not in str(told.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff" * 9, b"{}", b"[" * 70_000])
def test_what_is_no_keystore_is_refused(tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "wallet.json"
    source.write_bytes(data)
    with pytest.raises(WaggleError):
        account_import.import_keystore(tmp_path / "account", source, "x")
