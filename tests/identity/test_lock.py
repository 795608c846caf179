"""The lock on a peer identity: one node per key on a host, freed however its holder dies."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core import cli
from core.errors import WaggleError
from core.home import REPO_ROOT, Home
from core.identity.lock import IdentityLock, folder
from core.net.identity import load_or_create

HOLD = """
import sys
from pathlib import Path
from core.home import Home
from core.identity.lock import IdentityLock
IdentityLock(sys.argv[1], Home(Path(sys.argv[2]))).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def hold(peer_id: str, home: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until it is killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, peer_id, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPO_ROOT,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_second_node_with_the_key_is_refused_and_told_which_home_has_it(tmp_path: Path) -> None:
    child = hold("QmTwin", tmp_path / "first")
    mine = IdentityLock("QmTwin", Home(tmp_path / "second"))
    try:
        with pytest.raises(WaggleError) as refused:
            mine.acquire()
        assert "QmTwin" in refused.value.what
        assert f"process {child.pid} " in refused.value.why
        assert str(tmp_path / "first") in refused.value.why
        assert str(tmp_path / "second") in refused.value.next_step
        other = IdentityLock("QmOther", Home(tmp_path / "second"))
        other.acquire()
        other.release()
    finally:
        child.kill()
        child.wait()
        child.stdin.close()  # type: ignore[union-attr]
        child.stdout.close()  # type: ignore[union-attr]
    mine.acquire()  # the kernel freed it; the file that the killed one left behind is no obstacle
    mine.release()


def test_releasing_leaves_nothing_and_twice_is_harmless(home: Home) -> None:
    lock = IdentityLock("QmOnce", home)
    lock.acquire()
    assert lock.path is not None
    assert lock.path.stat().st_mode & 0o777 == 0o600
    lock.release()
    lock.release()
    assert list(folder().iterdir()) == []


def test_no_place_for_locks_is_no_reason_not_to_start(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = IdentityLock("QmFallback", home)
    first.acquire()
    assert first.path is not None
    assert first.path.parent.parent == tmp_path, "the temporary folder will do"
    with pytest.raises(WaggleError, match="QmFallback"):
        IdentityLock("QmFallback", home).acquire()
    monkeypatch.setattr("tempfile.tempdir", str(blocked))
    unguarded = IdentityLock("QmFallback", home)
    unguarded.acquire()
    assert "not guarded" in caplog.text
    unguarded.release()
    first.release()


def test_of_many_at_once_one_has_it(home: Home) -> None:
    """Also while holders come and go, and remove their file behind them."""
    inside, most, failures = 0, 0, []
    guard = threading.Lock()

    def contend() -> None:
        nonlocal inside, most
        for _ in range(60):
            lock = IdentityLock("QmRace", home)
            try:
                lock.acquire()
            except WaggleError:
                continue
            except Exception as error:  # noqa: BLE001 - the test must hear of it
                failures.append(error)
                return
            with guard:
                inside += 1
                most = max(most, inside)
            with guard:
                inside -= 1
            lock.release()

    threads = [threading.Thread(target=contend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert most == 1


def test_a_node_on_a_copied_key_does_not_start(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer_id = load_or_create(home.identity).peer_id
    copy = Home(tmp_path / "copy")
    copy.create()
    shutil.copy(home.identity, copy.identity)
    running = IdentityLock(peer_id, home)
    running.acquire()
    try:
        arguments = ["run", "--headless", "--rounds", "1", "--profile", "solo"]
        assert cli.main([*arguments, "--home", str(copy.path)]) == 1
    finally:
        running.release()
    told = capsys.readouterr().err
    assert peer_id in told
    assert str(home.path) in told
