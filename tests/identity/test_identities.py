"""The identity of a home through the commands: made, taken over, backed up, restored, checked."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from core import cli
from core.chain import account
from core.chain.coordinator import WalletCoordinator
from core.chain.host import ServicesHost
from core.errors import WaggleError
from core.home import Home, HomeLock
from core.identity import identities
from core.net import identity

SECRET = "four unrelated words"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[identity.Identity]:
    """Two keys, made once: making one takes a while."""
    folder = tmp_path_factory.mktemp("keys")
    return [identity.load_or_create(folder / f"{n}.pem") for n in (1, 2)]


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text(SECRET + "\n")
    return str(path)


def run(capsys: pytest.CaptureFixture[str], home: Home, *arguments: str) -> tuple[int, str, str]:
    status = cli.main([*arguments, "--home", str(home.path)])
    told = capsys.readouterr()
    return status, told.out, told.err


def told(capsys: pytest.CaptureFixture[str], home: Home, *arguments: str) -> dict[str, Any]:
    """The JSON of a command that went well."""
    status, out, err = run(capsys, home, *arguments, "--json")
    assert status == 0, err
    return dict(json.loads(out))


def checks(data: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["level"], each["detail"]) for each in data["checks"]}


def test_made_once_and_set_aside_only_when_asked(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    first = told(capsys, home, "identity", "new")["peer_id"]
    status, _, err = run(capsys, home, "identity", "new")
    assert status == 1
    assert "--set-aside" in err
    assert identity.load(home.identity).peer_id == first
    second = told(capsys, home, "identity", "new", "--set-aside")["peer_id"]
    assert second != first
    assert identity.load(home.identity.with_name("swarm.pem.1")).peer_id == first
    assert told(capsys, home, "identity", "show")["peer_id"] == second


def test_the_originals_file_is_taken_as_it_is(
    home: Home, keys: list[identity.Identity], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.pem"
    theirs.write_bytes(keys[0].path.read_bytes())
    theirs.chmod(0o444)
    for _ in range(2):  # the same one again is no conflict
        made = told(capsys, home, "identity", "import", str(theirs))
        assert made["peer_id"] == keys[0].peer_id
    assert home.identity.read_bytes() == theirs.read_bytes()
    assert stat.S_IMODE(home.identity.stat().st_mode) == 0o600
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o444, "the source is left alone"
    status, _, err = run(capsys, home, "identity", "import", str(keys[1].path))
    assert status == 1
    assert keys[0].peer_id in err


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", "PEM text (rsa private key)"),
        (b"\x08\x01\x12\x20" + bytes(32), "Ed25519"),
        (b"\x08\x02\x12\x20" + bytes(32), "secp256k1"),
        (b"ssh-rsa AAAA ada@machine\n", "SSH key"),
        (b'{"format": "waggle identity backup"}', "waggle identity restore"),
        (b"", "empty"),
        (b"\x08\x00\x12\xff\x09short", "shorter than it says"),
        (b"x" * 100_000, "too large"),
    ],
)
def test_what_is_no_key_is_explained(
    home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "given.pem"
    path.write_bytes(data)
    status, _, err = run(capsys, home, "identity", "import", str(path))
    assert status == 1
    assert words in err
    assert path.read_bytes() == data
    assert not home.identity.exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_explained(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "given.pem"
    path.write_bytes(b"key")
    path.chmod(0)
    with pytest.raises(WaggleError, match="chmod u\\+r"):
        identities.take_over(home, path)


def test_a_backup_moves_the_identity_to_another_machine(
    home: Home,
    keys: list[identity.Identity],
    secret_file: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    identities.take_over(home, keys[0].path)
    assert told(capsys, home, "identity", "show")["backup"] is None
    file = str(tmp_path / "mine.backup")
    status, out, err = run(
        capsys, home, "identity", "backup", file, "--passphrase-file", secret_file
    )
    assert status == 0, err
    assert "account" in out, "it says what is not in it"
    assert SECRET not in out + err
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    assert told(capsys, home, "identity", "show")["backup"]["path"] == file

    options = ("identity", "verify", "--backup", file)
    found = checks(told(capsys, home, *options, "--passphrase-file", secret_file))
    assert found["backup"][0] == "ok"
    assert found["backup file"] == ("ok", f"{file} opens and holds this very key")
    assert found["coordinator"][0] == "hint"
    assert checks(told(capsys, home, *options))["backup file"][0] == "hint", "nobody to ask"

    other = Home(tmp_path / "other machine")
    arguments = ("identity", "restore", file, "--passphrase-file", secret_file)
    assert told(capsys, other, *arguments)["peer_id"] == keys[0].peer_id
    assert other.identity.read_bytes() == home.identity.read_bytes()
    assert told(capsys, other, "identity", "show")["backup"]["path"] == file

    taken = Home(tmp_path / "taken")
    identities.take_over(taken, keys[1].path)
    status, _, err = run(capsys, taken, *arguments)
    assert status == 1
    assert keys[1].peer_id in err
    assert told(capsys, taken, *arguments, "--set-aside")["peer_id"] == keys[0].peer_id
    assert identity.load(taken.identity.with_name("swarm.pem.1")).peer_id == keys[1].peer_id


def test_backups_that_do_not_fit_are_told(
    home: Home,
    keys: list[identity.Identity],
    secret_file: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    identities.take_over(home, keys[0].path)
    file = tmp_path / "mine.backup"
    monkeypatch.setenv("WAGGLE_BACKUP_PASSPHRASE", SECRET)
    assert run(capsys, home, "identity", "backup", str(file))[0] == 0
    wrong = tmp_path / "wrong"
    wrong.write_text("another long passphrase\n")
    other = Home(tmp_path / "other")
    status, _, err = run(
        capsys, other, "identity", "restore", str(file), "--passphrase-file", str(wrong)
    )
    assert (status, "passphrase does not open" in err) == (1, True)
    assert not other.identity.exists()

    identities.take_over(other, keys[1].path)
    status, out, _ = run(capsys, other, "identity", "verify", "--backup", str(file))
    assert (status, "holds another identity" in out) == (1, True)
    status, _, err = run(capsys, other, "identity", "backup", str(file))
    assert (status, "not replaced" in err) == (1, True)
    assert run(capsys, home, "identity", "backup", str(file))[0] == 0, "its own is renewed"

    file.write_bytes(file.read_bytes()[:-200])
    status, _, err = run(capsys, Home(tmp_path / "third"), "identity", "restore", str(file))
    assert (status, "cut off" in err) == (1, True)


def test_without_a_terminal_nobody_is_asked(
    home: Home, keys: list[identity.Identity], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    identities.take_over(home, keys[0].path)
    status, _, err = run(capsys, home, "identity", "backup", str(tmp_path / "file"))
    assert status == 1
    assert "--passphrase-file" in err
    assert not (tmp_path / "file").exists()


def test_a_running_node_keeps_its_identity(home: Home, keys: list[identity.Identity]) -> None:
    identities.take_over(home, keys[0].path)
    lock = HomeLock(home)
    lock.acquire()
    try:
        with pytest.raises(WaggleError, match="Stop the node first"):
            identities.take_over(home, keys[1].path, aside=True)
    finally:
        lock.release()


def test_an_open_key_is_closed(home: Home, keys: list[identity.Identity]) -> None:
    identities.take_over(home, keys[0].path)
    home.identity.chmod(0o644)
    assert cli.main(["identity", "verify", "--home", str(home.path)]) == 0
    assert stat.S_IMODE(home.identity.stat().st_mode) == 0o600


def test_whose_the_coordinator_says_it_is(
    home: Home,
    keys: list[identity.Identity],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    identities.take_over(home, keys[0].path)
    hosted = ServicesHost(
        home.services,
        home.logs / "services.log",
        port=0,
        round_timeout_s=600.0,
        emit=lambda event: None,
    )
    try:
        hosted.start()
        where = hosted.wait(threading.Event())
        assert (
            "not registered yet"
            in checks(told(capsys, home, "identity", "verify"))["coordinator"][1]
        )
        other = account.load_or_create(tmp_path / "other account")
        coordinator = WalletCoordinator(where.rpc_url, where.contract, other)
        coordinator.register(keys[0].peer_id)
        coordinator.close()
        found = checks(told(capsys, home, "identity", "verify"))["coordinator"]
        assert found[0] == "hint"
        assert other.address in found[1]
        mine = account.load_or_create(home.account)
        status, out, _ = run(capsys, home, "identity", "verify")
        assert status == 1
        assert other.address in out
        assert mine.address in out
        for name in (account.KEYSTORE, account.PASSPHRASE):
            (home.account / name).write_bytes((tmp_path / "other account" / name).read_bytes())
        found = checks(told(capsys, home, "identity", "verify"))["coordinator"]
        assert found == ("ok", f"registered to {other.address}, the account of this home")
    finally:
        hosted.stop()
    assert checks(told(capsys, home, "identity", "verify"))["coordinator"][0] == "hint"
