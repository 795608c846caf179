"""The services process: comes up, continues after SIGKILL, ends with its parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from core import children
from core.chain import services as services_module
from core.chain.account import load_or_create
from core.chain.coordinator import WalletCoordinator
from core.chain.evm import Evm
from core.chain.host import ServicesHost, read_services
from core.chain.services import SwarmServices
from core.errors import StorageError, WaggleError
from tests.conftest import wait_until


def spawn(folder: Path, port: int = 0) -> subprocess.Popen[bytes]:
    arguments = ["--folder", str(folder), "--port", str(port), "--round-timeout", "60"]
    return children.spawn("core.chain.services", arguments, log=folder.parent / "services.log")


def ready(child: subprocess.Popen[bytes]) -> dict[str, object]:
    assert child.stdout is not None
    told: dict[str, object] = json.loads(child.stdout.readline())["ready"]
    return told


def test_it_continues_after_a_kill_and_ends_with_its_parent(tmp_path: Path) -> None:
    folder = tmp_path / "services"
    child = spawn(folder)
    first = ready(child)
    assert first["pid"] == child.pid
    found = read_services(folder)
    assert found is not None
    node = WalletCoordinator(found.rpc_url, found.contract, load_or_create(tmp_path / "a"))
    node.register("peer")
    node.submit_reward(0, 0, 4, "peer")
    wait_until(lambda: node.round_and_stage() == (1, 0))
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)

    child = spawn(folder)
    again = ready(child)
    assert {**again, "pid": 0} == {**first, "pid": 0}
    assert node.round_and_stage() == (1, 0)
    assert node.counters("peer")["total_reward"] == 4
    assert node.owner_of("peer") == node.account
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(10) == 0


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        child = spawn(tmp_path / "services", taken.getsockname()[1])
        assert child.stdout is not None
        told = json.loads(child.stdout.read())
        assert child.wait(10) == 1
    assert "cannot listen" in told["error"]
    assert "Traceback" not in (tmp_path / "services.log").read_text()


def test_the_host_brings_it_back(tmp_path: Path) -> None:
    host = ServicesHost(
        tmp_path / "services",
        tmp_path / "services.log",
        port=0,
        round_timeout_s=60,
        emit=lambda event: None,
    )
    host.start()
    try:
        found = host.wait(threading.Event())
        os.kill(found.pid, signal.SIGKILL)
        wait_until(lambda: host.restarts == 1, 20)
        wait_until(lambda: host.current is not None and host.current.pid != found.pid, 20)
        assert host.current is not None
        assert host.current.contract == found.contract
    finally:
        host.stop()


def started(folder: Path) -> str:
    """What a services process says that cannot start, in its own words."""
    child = spawn(folder)
    assert child.stdout is not None
    told = json.loads(child.stdout.read())
    assert child.wait(10) == 1
    assert "Traceback" not in (folder.parent / "services.log").read_text()
    return str(told["error"])


def test_what_keeps_it_from_starting_is_said_in_one_line(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged" / "services"
    damaged.mkdir(parents=True)
    (damaged / "chain.db").write_bytes(b"not a database" * 1000)
    told = started(damaged)
    assert "chain.db" in told
    assert "move it away" in told

    a_file = tmp_path / "file" / "services"
    a_file.parent.mkdir()
    a_file.touch()
    assert str(a_file) in started(a_file)


def test_a_start_that_fails_lets_go_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "services"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WaggleError, match="cannot listen"):
            SwarmServices(folder, port, 60.0)
    SwarmServices(folder, port, 60.0).close()


def test_a_second_process_on_the_same_folder_is_told_so(
    swarm: SwarmServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services_module, "LOCK_PATIENCE_S", 0.1)
    with pytest.raises(StorageError, match="Another process serves the swarm") as caught:
        SwarmServices(tmp_path / "services", 0, 60.0)
    assert caught.value.next_step == "End the other one first"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "services"
    SwarmServices(folder, 0, 60.0).close()
    (folder / "chain.db").chmod(0o400)
    with pytest.raises(StorageError, match=r"chain\.db: attempt to write a readonly database"):
        SwarmServices(folder, 0, 60.0)
    folder.chmod(0o000)
    try:
        with pytest.raises(StorageError, match="Permission denied"):
            SwarmServices(folder, 0, 60.0)
    finally:
        folder.chmod(0o700)


def test_sigterm_ends_it_cleanly_in_the_middle_of_its_work(tmp_path: Path) -> None:
    folder = tmp_path / "services"
    child = spawn(folder)
    told = ready(child)
    node = WalletCoordinator(
        str(told["rpc_url"]), str(told["contract"]), load_or_create(tmp_path / "a")
    )
    node.register("peer")
    child.terminate()
    assert child.wait(10) == 0
    node.close()
    assert not (folder / "chain.db-wal").exists()
    evm = Evm(folder)
    assert evm.height() >= 3
    evm.close()
