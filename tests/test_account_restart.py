"""A node whose owner locked its account starts again without a keyboard, and tells nobody how."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.account import accounts
from core.chain.account import KEYSTORE
from core.chain.account_files import encrypt
from core.chain.services import SwarmServices
from core.home import Home
from tests.conftest import wait_until
from tests.support_cli import Outcome, rows, start, waggle
from tests.terminal import Typist

KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
OWNERS = "planted-Passphrase-0451"
SMALL = ("--set", "game.groups=2", "--set", "game.generations=2", "--set", "net.enabled=false")


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """A swarm that lives on between the starts of the node; how the node is told of it."""
    services = SwarmServices(tmp_path / "services", 0, 3600.0)
    found = services.start()
    yield (
        *("--profile", "solo", "--set", "swarm.host=false"),
        *("--set", f"chain.rpc_url={found.rpc_url}", "--set", f"chain.contract={found.contract}"),
    )
    services.close()


@pytest.fixture
def locked(home: Home) -> Home:
    """Its passphrase costs little here: the time is the node's."""
    accounts.put(home, bytes.fromhex(KEY), passphrase=OWNERS)
    quick = encrypt(bytes.fromhex(KEY), OWNERS, 2, owners=True)
    (home.account / KEYSTORE).write_bytes(quick)
    return home


def submitted(home: Home) -> int:
    return len(rows(home, "select 1 from events where name = 'round_finished'"))


@pytest.mark.slow
def test_every_place_of_a_passphrase_starts_the_node_again(
    locked: Home, chain: tuple[str, ...], tmp_path: Path
) -> None:
    command = ("run", "--headless", "--home", str(locked.path), *chain, *SMALL)
    one = (*command, "--rounds", "1", "--json")
    told = waggle(*one)
    assert (told.status, told.out) == (2, "")
    assert "LoadCredential" not in told.err
    assert told.err.count("\n") == 1
    assert not locked.db.exists(), "nothing else had started"

    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "waggle-passphrase").write_text(f"{OWNERS}\n")
    file = ("--set", f"chain.passphrase_file={credentials / 'waggle-passphrase'}")
    outcomes = [
        waggle(*one, *file),
        waggle(*one, env={"CREDENTIALS_DIRECTORY": str(credentials)}),
    ]
    for number, outcome in enumerate(outcomes, 1):
        assert outcome.status == 0, outcome.err
        assert submitted(locked) == number

    node = start(*command, env={"WAGGLE_PASSPHRASE": OWNERS})
    try:
        wait_until(lambda: submitted(locked) == 3, 90, 0.1)
        family = psutil.Process(node.pid).children(recursive=True)
        assert family, "the scorer runs"
        for child in family:
            assert OWNERS not in child.environ().values()
        node.send_signal(signal.SIGTERM)
        out, err = node.communicate(timeout=30)
    finally:
        node.kill()
        node.wait()
    outcomes.append(Outcome(node.returncode, out, err))

    with Typist(*one) as person:
        person.read_until("Passphrase of the account")
        person.type(f"{OWNERS}\n")
        assert person.wait() == 0
    assert submitted(locked) == 4
    reports = [waggle(name, "--json", "--home", str(locked.path)) for name in ("status", "doctor")]
    seen = [person.text, *(text for each in (*outcomes, *reports) for text in (each.out, each.err))]
    nowhere(seen, locked.path, tmp_path / "state")
    rewards = json.loads(waggle("rewards", "--json", "--home", str(locked.path)).out)
    assert rewards, "the ledger of four rounds"


def nowhere(texts: list[str], *folders: Path) -> None:
    """Neither passphrase nor key is in what was said, nor in any file that was written."""
    contents = {str(number): text.encode() for number, text in enumerate(texts)}
    for folder in folders:
        contents |= {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert len(contents) > len(texts) + 3
    for name, content in contents.items():
        for secret in (OWNERS.encode(), KEY.encode(), bytes.fromhex(KEY)):
            assert secret not in content, name
