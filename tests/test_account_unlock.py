"""Where an owner's passphrase comes from, who is given it, and what the doctor says of it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from core import children, config, doctor
from core.account import accounts, unlock
from core.chain.account import PASSPHRASE, load_or_create
from core.home import Home
from core.siblings import Siblings
from core.supervisor import supervise

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
    path.chmod(0o600)
    return str(path)


def sources(home: Home, *sets: str) -> unlock.Unlocked:
    return unlock.unlock(config.load("solo", home, env={}, sets=sets), home)


def test_the_first_place_that_has_a_passphrase_counts(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret_file: str
) -> None:
    accounts.put(home, bytes.fromhex(KEY), passphrase=OWNERS)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "waggle-passphrase").write_text(OWNERS)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    found = sources(home)
    assert found.wallet is not None
    assert found.wallet_of(home) is found.wallet
    assert found.wallet.address == ADDRESS
    monkeypatch.setenv("WAGGLE_PASSPHRASE", "not the one")
    with pytest.raises(config.ConfigError, match="WAGGLE_PASSPHRASE"):
        sources(home)
    monkeypatch.setenv("WAGGLE_PASSPHRASE", "not the one")
    assert sources(home, f"chain.passphrase_file={secret_file}").passphrase == OWNERS
    assert "WAGGLE_PASSPHRASE" not in os.environ
    assert OWNERS not in repr(found)
    (credentials / "waggle-passphrase").write_text("not the one")
    with pytest.raises(config.ConfigError, match="which systemd names"):
        sources(home)
    for content in (b"", b"\n", b"\xff\xfe", b"x" * 9000, None):
        broken = tmp_path / "broken"
        broken.unlink(missing_ok=True)
        if content is not None:
            broken.write_bytes(content)
        with pytest.raises(config.ConfigError, match="broken") as caught:
            sources(home, f"chain.passphrase_file={broken}")
        assert "xxxx" not in str(caught.value)


def test_nothing_is_asked_for_where_nothing_is_locked_or_signed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAGGLE_PASSPHRASE", OWNERS)
    assert sources(home) == unlock.Unlocked(None, OWNERS), "further homes may be locked"
    assert "WAGGLE_PASSPHRASE" not in os.environ
    assert sources(home) == unlock.Unlocked()
    accounts.put(home, bytes.fromhex(KEY), passphrase=OWNERS)
    for setting in (
        "chain.enabled=false",
        "chain.coordinator=login",
        "chain.coordinator=read-only",
    ):
        assert sources(home, setting) == unlock.Unlocked()


def test_an_account_that_came_meanwhile_is_opened_anew(home: Home, secret_file: str) -> None:
    accounts.put(home, bytes.fromhex(KEY), passphrase=OWNERS)
    found = sources(home, f"chain.passphrase_file={secret_file}")
    accounts.put(home, b"\x11" * 32, aside=True)
    assert found.wallet_of(home) is None


def test_no_child_inherits_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where nobody has taken it out of the environment."""
    for variable in ("WAGGLE_PASSPHRASE", "WAGGLE_BACKUP_PASSPHRASE"):
        monkeypatch.setenv(variable, OWNERS)
    look = "import os; print([v for v in os.environ if 'PASSPHRASE' in v])"
    for given, seen in (({}, b"[]"), ({"WAGGLE_PASSPHRASE": "x"}, b"['WAGGLE_PASSPHRASE']")):
        child = children.spawn("timeit", ["-n1", "-r1", look], log=tmp_path / "log", env=given)
        out, _ = child.communicate(timeout=30)
        assert out.splitlines()[0] == seen


def test_further_nodes_are_given_it_when_they_are_locked(home: Home) -> None:
    siblings = Siblings(home, "solo", lambda event: None, OWNERS)
    load_or_create(home.node(2).account)
    accounts.put(home.node(3), bytes.fromhex(KEY), passphrase=OWNERS)
    assert siblings._secrets(home.node(2)) == {}
    assert siblings._secrets(home.node(3)) == {"WAGGLE_PASSPHRASE": OWNERS}
    assert siblings._secrets(home.node(4)) == {}, "it has no account yet"
    assert Siblings(home, "solo", lambda event: None)._secrets(home.node(3)) == {}


def test_a_supervisor_opens_it_once_and_hands_it_to_every_restart(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret_file: str
) -> None:
    accounts.put(home, bytes.fromhex(KEY), passphrase=OWNERS)
    monkeypatch.setenv("WAGGLE_PASSPHRASE", OWNERS)
    secrets = unlock.unlock_children(config.load("solo", home, env={}), home)
    assert "WAGGLE_PASSPHRASE" not in os.environ
    seen = tmp_path / "seen"
    node = (
        "import os, sys; out = open(sys.argv[1], 'a'); "
        "out.write(os.environ['WAGGLE_PASSPHRASE'] + '\\n'); "
        "sys.exit(1 if os.environ['WAGGLE_RESTARTS'] == '0' else 0)"
    )
    assert supervise([sys.executable, "-c", node, str(seen)], 0.1, secrets) == 0
    assert seen.read_text().splitlines() == [OWNERS, OWNERS]
    named = config.load("solo", home, env={}, sets=[f"chain.passphrase_file={secret_file}"])
    assert unlock.unlock_children(named, home) == {}, "a node reads the file itself"


def checks(home: Home, *sets: str) -> dict[str, doctor.Check]:
    effective = config.load("solo", home, env={}, sets=sets)
    found: dict[str, doctor.Check] = {}
    for check in doctor._CHECKS["account"](home, effective):
        assert check.ok or check.next_step
        found[check.name] = check
    return found


def test_the_doctor_looks_at_the_account(
    home: Home, secret_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(checks(home)) == ["account"]
    address = load_or_create(home.account).address
    found = checks(home)
    assert all(check.ok for check in found.values())
    assert address in found["account"].detail
    assert "account export" in found["account copy"].detail
    accounts.note_kept(home, address, "exported to a stick")
    assert "to a stick" in checks(home)["account copy"].detail
    monkeypatch.setattr(time, "time", lambda: 2e9 + 4e8)
    assert "still there" in checks(home)["account copy"].detail
    (home.account / PASSPHRASE).chmod(0o644)
    assert "others can read" in checks(home)["account file"].detail
    (home.account / PASSPHRASE).write_text("another")
    assert not checks(home)["account"].ok


def test_the_doctor_tries_a_passphrase_that_is_given(
    home: Home, secret_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.put(home, bytes.fromhex(KEY), passphrase=OWNERS)
    assert "without a keyboard" in checks(home)["account"].detail
    monkeypatch.setenv("WAGGLE_PASSPHRASE", "not the one")
    assert not checks(home)["account"].ok
    named = f"chain.passphrase_file={secret_file}"
    assert checks(home, named)["account"].ok
    Path(secret_file).chmod(0o644)
    assert "others can read that file" in checks(home, named)["account"].detail
    Path(secret_file).unlink()
    assert not checks(home, named)["account"].ok
