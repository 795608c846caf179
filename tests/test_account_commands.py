"""`waggle account ...`: what a person types, sees and finds on the disk."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from core import cli
from core.account import accounts
from core.chain.account import KEYSTORE, PASSPHRASE, address_of, load_or_create
from core.home import Home, HomeLock

PHRASE = "test test test test test test test test test test test junk"
KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OWNERS = "four unrelated words"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an owner's passphrase costs is tested in tests/chain."""
    monkeypatch.setattr("core.chain.account.STRONG_N", 2**4)


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(f"{OWNERS}\nanother line\n")
    return str(path)


def run(capsys: pytest.CaptureFixture[str], home: Home, *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["account", *arguments, "--home", str(home.path)])
    out, err = capsys.readouterr()
    return status, out, err


def told(capsys: pytest.CaptureFixture[str], home: Home, *arguments: str) -> dict[str, Any]:
    status, out, err = run(capsys, home, *arguments, "--json")
    assert status == 0, err
    answer = json.loads(out)
    assert isinstance(answer, dict)
    return answer


def typed(monkeypatch: pytest.MonkeyPatch, text: str | bytes) -> None:
    """What standard input, which is no terminal, holds."""
    data = text.encode() if isinstance(text, str) else text
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_new_shows_no_phrase_where_nobody_reads_it(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, home, "new")
    assert status == 0
    address = address_of(home.account)
    assert str(address) in out
    assert "account export" in out
    assert not re.search(r"([a-z]{3,8} ){11}", out + err)
    assert load_or_create(home.account).address == address
    answer = told(capsys, home, "show")
    assert (answer["address"], answer["locked"], answer["copy"]) == (address, False, None)


def test_a_script_may_ask_for_the_phrase(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert "phrase" not in told(capsys, home, "new")
    assert run(capsys, home, "new", "--show-phrase", "--set-aside")[0] == 1
    answer = told(capsys, home, "new", "--show-phrase", "--set-aside")
    Account.enable_unaudited_hdwallet_features()
    assert Account.from_mnemonic(answer["phrase"]).address == answer["address"]
    assert "written down" in answer["copy"]["how"]
    kept = b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())
    assert answer["phrase"].encode() not in kept


def test_an_account_is_never_overwritten(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_or_create(home.account).address
    for command in (("new",), ("import", "-")):
        typed(monkeypatch, KEY)
        status, _, err = run(capsys, home, *command)
        assert (status, first in err, "--set-aside" in err) == (1, True, True)
    typed(monkeypatch, KEY)
    assert told(capsys, home, "import", "-", "--set-aside")["address"] == ADDRESS
    typed(monkeypatch, KEY)
    assert told(capsys, home, "import", "-")["address"] == ADDRESS, "the same one is no other"
    for name in (KEYSTORE, PASSPHRASE):  # both under one number
        (home.account / f"{name}.1").replace(home.account / name)
    assert load_or_create(home.account).address == first
    (home.account / KEYSTORE).write_text("damaged")
    status, _, err = run(capsys, home, "new")
    assert (status, "cannot be used" in err) == (1, True)


def test_what_stands_beside_another_number_is_not_mixed(home: Home) -> None:
    """A locked account leaves no passphrase: the next pair must not take its number."""
    for number, passphrase in enumerate((OWNERS, None, None), 1):
        accounts.put(home, bytes([number]) * 32, passphrase=passphrase, aside=True)
    found = sorted(path.name for path in home.account.glob("*.[0-9]"))
    assert found == ["keystore.json.1", "keystore.json.2", "passphrase.2"]


@pytest.mark.parametrize("brought", [KEY, f"0x{KEY}\n", PHRASE, PHRASE.upper()])
def test_import_from_standard_input_and_from_a_file(
    home: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    brought: str,
) -> None:
    typed(monkeypatch, brought)
    answer = told(capsys, home, "import", "-")
    assert answer["address"] == ADDRESS
    assert bool(answer["copy"]) == (brought.lower() == PHRASE)
    file = tmp_path / "brought"
    file.write_text(brought)
    other = Home(tmp_path / "other")
    assert told(capsys, other, "import", str(file))["address"] == ADDRESS
    assert load_or_create(other.account).address == ADDRESS


def test_a_key_on_the_command_line_is_not_taken_nor_repeated(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([KEY], [PHRASE], PHRASE.split(), ["0x" + KEY]):
        status, out, err = run(capsys, home, "import", *arguments)
        assert (status, "command line" in err) == (1, True)
        assert arguments[-1] not in out + err
    assert address_of(home.account) is None


def test_export_and_import_carry_it_to_another_home(
    home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path, secret_file: str
) -> None:
    address = load_or_create(home.account).address
    file = tmp_path / "wallet.json"
    export = ("export", str(file), "--passphrase-file", secret_file)
    assert told(capsys, home, *export)["exported"] == str(file)
    assert file.stat().st_mode & 0o777 == 0o600
    written = file.read_text()
    assert json.loads(written)["crypto"]["kdfparams"]["n"] == 2**18
    assert Account.from_key(Account.decrypt(written, OWNERS)).address == address
    assert str(file) in told(capsys, home, "show")["copy"]["how"]
    status, _, err = run(capsys, home, *export)
    assert (status, "not replaced" in err) == (1, True)
    other = Home(tmp_path / "other")
    status, _, err = run(capsys, other, "import", str(file))
    assert (status, "--password-file" in err) == (1, True)
    wrong = tmp_path / "wrong"
    wrong.write_text("other words")
    status, _, err = run(capsys, other, "import", str(file), "--password-file", str(wrong))
    assert (status, "does not open" in err) == (1, True)
    answer = told(capsys, other, "import", str(file), "--password-file", secret_file)
    assert answer["address"] == address


def test_a_private_key_leaves_only_to_a_terminal_or_a_private_file(
    home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    accounts.put(home, bytes.fromhex(KEY))
    for options in ((), ("--json",)):
        status, out, err = run(capsys, home, "export", "--private-key", *options)
        assert (status, KEY in out + err) == (1, False)
    file = tmp_path / "key"
    status, out, err = run(capsys, home, "export", "--private-key", str(file))
    assert (status, KEY in out + err) == (0, False)
    assert file.read_text() == f"0x{KEY}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_passphrase_of_ones_own_and_back(
    home: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    secret_file: str,
) -> None:
    address = load_or_create(home.account).address
    assert told(capsys, home, "passphrase", "--passphrase-file", secret_file)["locked"]
    assert not (home.account / PASSPHRASE).exists()
    assert "asked for at the terminal" in told(capsys, home, "show")["opened_by"]
    status, _, err = run(capsys, home, "passphrase", "--random")
    assert (status, "none was given" in err, err.count("\n")) == (2, True, 1)
    monkeypatch.setenv("WAGGLE_PASSPHRASE", "wrong words altogether")
    status, _, err = run(capsys, home, "passphrase", "--random")
    assert (status, "WAGGLE_PASSPHRASE" in err, err.count("\n")) == (2, True, 1)
    assert "wrong words" not in err
    monkeypatch.setenv("WAGGLE_PASSPHRASE", OWNERS)
    other = tmp_path / "other"
    other.write_text("seven other words")
    assert told(capsys, home, "passphrase", "--passphrase-file", str(other))["locked"]
    named = ("--set", f"chain.passphrase_file={other}")
    assert str(other) in told(capsys, home, "show", *named)["opened_by"]
    assert not told(capsys, home, "passphrase", "--random", *named)["locked"]
    assert not told(capsys, home, "passphrase", "--random")["locked"], "no need to open it"
    assert load_or_create(home.account).address == address
    short = tmp_path / "short"
    short.write_text("short")
    status, _, err = run(capsys, home, "passphrase", "--passphrase-file", str(short))
    assert (status, "shorter" in err) == (1, True)


def test_new_with_a_passphrase_from_the_environment(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAGGLE_PASSPHRASE", OWNERS)
    assert not told(capsys, home, "new")["locked"], "only when it is asked for"
    assert told(capsys, home, "new", "--set-aside", "--passphrase")["locked"]
    assert Account.decrypt((home.account / KEYSTORE).read_text(), OWNERS)


def test_a_lost_passphrase_is_no_lost_account(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.put(home, bytes.fromhex(KEY), passphrase="forgotten for ever")
    typed(monkeypatch, PHRASE)
    assert not told(capsys, home, "import", "-")["locked"]
    assert load_or_create(home.account).address == ADDRESS


def test_a_running_node_keeps_its_account(
    home: Home, capsys: pytest.CaptureFixture[str], secret_file: str
) -> None:
    load_or_create(home.account)
    lock = HomeLock(home)
    lock.acquire()
    try:
        for command in (("new",), ("import", secret_file), ("passphrase", "--random")):
            status, _, err = run(capsys, home, *command)
            assert (status, "Stop the node first" in err) == (1, True)
        assert told(capsys, home, "show")
    finally:
        lock.release()


def test_show_tells_the_balance_or_why_not(
    home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from core.chain.services import SwarmServices

    assert run(capsys, home, "show")[0] == 1
    address = load_or_create(home.account).address
    status, out, _ = run(capsys, home, "show", "--balance")
    assert (status, "not known" in out) == (0, True)
    services = SwarmServices(tmp_path / "services", 0, 3600.0)
    services.start()
    try:
        where = ("--set", f"chain.rpc_url={services.devnet.url}")
        where += ("--set", f"chain.contract={services.client.contract}")
        services.evm.fund(bytes.fromhex(address[2:]))
        answer = told(capsys, home, "show", "--balance", *where)
        assert answer["balance_wei"] == services.evm.balance(bytes.fromhex(address[2:]))
        assert answer["balance_wei"] > 0
        assert "ether" in run(capsys, home, "show", "--balance", *where)[1]
    finally:
        services.close()
