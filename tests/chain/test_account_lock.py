"""One sender for each account: threads, processes and homes of one user."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.chain.account import Wallet, load_or_create
from core.errors import TransientError
from core.home import REPO_ROOT
from core.userfolder import user_folder

HOLD = """
import sys
from pathlib import Path
from core.chain.account import load_or_create
with load_or_create(Path(sys.argv[1])).nonce_lock(5.0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "account"


def refused(wallet: Wallet) -> TransientError:
    """How it refuses, within its deadline, while somebody else sends."""
    before = time.monotonic()
    with pytest.raises(TransientError) as caught, wallet.nonce_lock(0.05):
        pass
    assert time.monotonic() - before < 2.0
    return caught.value


def test_one_thread_at_a_time(folder: Path) -> None:
    wallet = load_or_create(folder)
    inside = threading.Event()
    leave = threading.Event()

    def hold() -> None:
        with wallet.nonce_lock(1.0):
            inside.set()
            leave.wait(5.0)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(5.0)
    refused(wallet)
    refused(load_or_create(folder))  # another wallet of the same account in this process
    leave.set()
    holder.join(5.0)
    with wallet.nonce_lock(1.0):
        pass


def test_one_process_at_a_time_whichever_home_the_key_lies_in(folder: Path, tmp_path: Path) -> None:
    load_or_create(folder)
    copy = tmp_path / "second" / "account"
    shutil.copytree(folder, copy)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPO_ROOT,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        mine = load_or_create(copy)
        told = refused(mine)
        assert f"process {child.pid} of the home {folder.parent}" in told.why
        with load_or_create(tmp_path / "third" / "account").nonce_lock(0.05):
            pass  # another account does not wait
        child.send_signal(signal.SIGKILL)
    with mine.nonce_lock(1.0):  # freed by the kernel; what the killed one left means nothing
        pass


def test_what_the_homes_share_is_private_and_named_by_the_address(folder: Path) -> None:
    wallet = load_or_create(folder)
    assert wallet.state_dir == user_folder("accounts") / wallet.address.lower()
    with wallet.nonce_lock(1.0):
        assert [path.name for path in wallet.state_dir.iterdir()] == ["nonce.lock"]
    for path, mode in ((wallet.state_dir, 0o700), (wallet.state_dir / "nonce.lock", 0o600)):
        assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("left", [b"", b"{", b"[" * 5000, b'{"pid": {}, "home": 1}', b"\xff" * 99])
def test_a_strange_file_in_its_place_is_no_obstacle(folder: Path, left: bytes) -> None:
    wallet = load_or_create(folder)
    lock = wallet.state_dir / "nonce.lock"
    lock.write_bytes(left)
    with wallet.nonce_lock(1.0):
        assert json.loads(lock.read_bytes())["home"] == str(folder.parent)
        lock.write_bytes(left)
        assert "another process" in refused(load_or_create(folder)).why


def test_without_a_place_of_the_user_the_account_folder_will_do(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(blocked))
    wallet = load_or_create(folder)
    assert wallet.state_dir == folder
    assert "would not be noticed" in caplog.text
    with wallet.nonce_lock(1.0):
        refused(load_or_create(folder))
