"""Login data as the original leaves it: found by itself, and its key never leaves its file."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from core.chain import login_data
from core.config import load
from core.errors import ConfigError, StorageError
from core.home import Home
from core.listings import configuration

ORG = "b2f0c6de-0b3c-4c1e-9a39-1f1f4dd1c2aa"
ACCOUNT = "0x" + "ab" * 20
KEY = "0x" + "5e" * 32


def leave(folder: Path, org_id: str = ORG, activated: bool = True) -> Path:
    """Files like those of modal-login (app/db.ts)."""
    folder.mkdir(parents=True)
    user = {"orgId": org_id, "address": "0x" + "11" * 20, "userId": "u-1", "email": "me@x.org"}
    (folder / "userData.json").write_text(json.dumps({org_id: user}, indent=2))
    first = {"publicKey": ACCOUNT, "privateKey": KEY, "createdAt": "2025-06-01T00:00:00.000Z"}
    second = {**first, "deferredActionDigest": "0x1", "accountAddress": ACCOUNT, "initCode": "0x"}
    keys = [{**first, "activated": False}]
    if activated:
        keys.append({**second, "activated": True})
    (folder / "userApiKey.json").write_text(json.dumps({org_id: keys}, indent=2))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("ORG_ID", raising=False)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.mark.parametrize(
    "place", ["cwd/modal-login/temp-data", "cwd/temp-data", "user/rl-swarm/modal-login/temp-data"]
)
def test_it_is_found_where_the_login_leaves_it(tmp_path: Path, place: str) -> None:
    folder = leave(tmp_path / place)
    found = login_data.find()
    assert (found.org_id, found.account, found.activated) == (ORG, ACCOUNT, True)
    assert found.source == str(folder / "userData.json")
    assert ORG not in repr(found)
    assert KEY[2:] not in repr(found) + json.dumps(vars(found))


def test_a_setting_goes_first_then_the_environment_then_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = leave(tmp_path / "other")
    assert login_data.find("", str(folder)).account == ACCOUNT
    assert login_data.find("", str(folder / "userData.json")).account == ACCOUNT
    monkeypatch.setenv("ORG_ID", "from-outside")
    assert login_data.find("", str(folder)).org_id == "from-outside"
    assert login_data.find("", str(folder)).account == "", "it is another login's account"
    assert login_data.find(ORG, str(folder)).source == "chain.org_id"
    assert login_data.find(ORG, str(folder)).account == ACCOUNT


def test_a_sign_in_that_was_left_is_seen(tmp_path: Path) -> None:
    folder = leave(tmp_path / "half", activated=False)
    found = login_data.find("", str(folder))
    assert (found.activated, found.account) == (False, "")


def test_what_is_missing_or_damaged_is_told_without_a_word_of_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no ORG_ID is known") as caught:
        login_data.find()
    assert str(Path("rl-swarm", "modal-login", "temp-data")) in str(caught.value)
    folder = leave(tmp_path / "bad")
    for text in (f'{{"{KEY}', "[" * 10_000, f'["{KEY}"]', KEY * 10_000):
        (folder / "userApiKey.json").write_text(text)
        with pytest.raises(StorageError, match="is not login data") as bad:
            login_data.find("", str(folder))
        assert KEY[2:10] not in str(bad.value)
        assert bad.value.__context__ is None, "a decoder's error holds the whole text"
    (folder / "userApiKey.json").write_text("{}")
    (folder / "userData.json").write_text(json.dumps({"two\nlines": {}}))
    with pytest.raises(ConfigError, match="cannot be used"):
        login_data.find("", str(folder))


def test_what_we_write_is_what_the_start_script_reads(tmp_path: Path) -> None:
    folder = tmp_path / "modal-login" / "temp-data"
    assert login_data.write(folder, ORG, ACCOUNT)
    assert not login_data.write(folder, ORG, ACCOUNT)
    found = login_data.find("", str(folder))
    assert (found.org_id, found.account, found.activated) == (ORG, ACCOUNT, True)
    if shutil.which("awk") is None:
        pytest.skip("there is no awk here")
    # The line of run_rl_swarm.sh that sets ORG_ID.
    program = 'BEGIN { FS = "\\"" } !/^[ \\t]*[{}]/ { print $(NF - 1); exit }'
    read = subprocess.run(
        ["awk", program, str(folder / "userData.json")],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert read.stdout == ORG + "\n"


def test_the_data_of_another_login_is_never_replaced(tmp_path: Path) -> None:
    folder = leave(tmp_path / "theirs", org_id="theirs")
    before = (folder / "userApiKey.json").read_bytes()
    with pytest.raises(ConfigError, match="another login"):
        login_data.write(folder, ORG, ACCOUNT)
    (folder / "userData.json").unlink()
    with pytest.raises(ConfigError, match="another login"):
        login_data.write(folder, ORG, ACCOUNT)
    assert (folder / "userApiKey.json").read_bytes() == before


@pytest.mark.parametrize("as_json", [True, False])
def test_config_show_hides_the_org_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    effective = load("solo", Home(tmp_path), sets=[f"chain.org_id={ORG}"])
    assert configuration(effective, as_json) == 0
    told = capsys.readouterr().out
    assert "org_id" in told
    assert ORG not in told
