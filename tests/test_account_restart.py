"""A node whose owner locked its account starts again without a keyboard, and tells nobody how."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from core import cli
from core.account import accounts
from core.chain.account import KEYSTORE
from core.chain.account_files import encrypt
from core.chain.services import SwarmServices
from core.home import Home
from tests.conftest import wait_until
from tests.support_cli import peer_id, rows, start, waggle
from tests.terminal import Typist

KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OWNERS = "planted-Passphrase-0451"
SMALL = ("--set", "game.groups=2", "--set", "game.generations=2", "--set", "net.enabled=false")


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[SwarmServices]:
    """It lives on between the starts of the node."""
    services = SwarmServices(tmp_path / "services", 0, 3600.0)
    services.start()
    yield services
    services.close()


@pytest.fixture
def locked(home: Home) -> Home:
    """Its passphrase costs little here: the time is the node's."""
    accounts.put(home, bytes.fromhex(KEY), passphrase=OWNERS)
    quick = encrypt(bytes.fromhex(KEY), OWNERS, 2, owners=True)
    (home.account / KEYSTORE).write_bytes(quick)
    return home


def signing(home: Home) -> int:
    """How many starts have come so far that the account was opened and the chain asked with it."""
    query = "select json from events where name = 'service_changed'"
    try:
        return sum('"up"' in line and ADDRESS in line for (line,) in rows(home, query))
    except sqlite3.OperationalError:
        return 0  # the journal is not there yet


@contextmanager
def killed(node: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A node that ends, at the latest, as a machine does that loses its power."""
    try:
        yield node
    finally:
        node.kill()
        for pipe in (node.stdout, node.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()
        node.wait()


@pytest.mark.slow
def test_every_place_of_a_passphrase_starts_the_node_again(
    locked: Home, swarm: SwarmServices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (
        *("run", "--headless", "--home", str(locked.path), "--profile", "solo", *SMALL),
        *("--set", "swarm.host=false", "--set", f"chain.rpc_url={swarm.devnet.url}"),
        *("--set", f"chain.contract={swarm.client.contract}"),
    )
    told = waggle(*command)
    assert (told.status, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert not locked.db.exists(), "nothing else had started"

    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "waggle-passphrase").write_text(f"{OWNERS}\n")
    file = f"chain.passphrase_file={credentials / 'waggle-passphrase'}"
    with killed(start(*command, "--set", file)):
        wait_until(lambda: signing(locked) == 1, 60, 0.1)
    with killed(start(*command, env={"CREDENTIALS_DIRECTORY": str(credentials)})):
        wait_until(lambda: signing(locked) == 2, 60, 0.1)
    with Typist(*command) as person:
        person.read_until("Passphrase of the account")
        person.type(f"{OWNERS}\n")
        wait_until(lambda: signing(locked) == 3, 60, 0.1)

    with killed(start(*command, "--json", env={"WAGGLE_PASSPHRASE": OWNERS})) as node:
        counted = "select 1 from events where name = 'round_finished'"
        wait_until(lambda: rows(locked, counted), 90, 0.1)
        family = psutil.Process(node.pid).children(recursive=True)
        assert family, "the scorer runs"
        for child in family:
            assert OWNERS not in child.environ().values()
        node.send_signal(signal.SIGTERM)
        said = node.communicate(timeout=30)
    ((owner,),) = swarm.client.read("getEoa", [peer_id(locked)])
    assert owner == ADDRESS.lower(), "it signed"
    for report in ("status", "doctor"):
        cli.main([report, "--json", "--home", str(locked.path)])
    seen = [told.err, *said, person.text, *capsys.readouterr()]
    nowhere(seen, locked.path, tmp_path / "state")


def nowhere(texts: list[str], *folders: Path) -> None:
    """Neither passphrase nor key is in what was said, nor in any file that was written."""
    contents = {str(number): text.encode() for number, text in enumerate(texts)}
    for folder in folders:
        contents |= {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert len(contents) > len(texts) + 3
    for name, content in contents.items():
        for secret in (OWNERS.encode(), KEY.encode(), bytes.fromhex(KEY)):
            assert secret not in content, name
