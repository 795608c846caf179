"""`waggle swarm serve` and `waggle swarm members` as a person or a service manager runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account

from core.chain import login_data
from core.chain.account import load_or_create, write
from core.chain.coordinator import WalletCoordinator
from core.chain.services import SwarmServices
from core.config import load
from core.home import REPO_ROOT, Home
from core.identity import identities
from core.identity.check import Finding, verify
from tests.conftest import wait_until

PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


def waggle(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core.cli", "--home", str(home), "swarm", *arguments],
        cwd=REPO_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def serving(home: Path, *arguments: str, out: str = "first") -> Iterator[list[dict[str, Any]]]:
    """`swarm serve --json` while the block runs, from `ready` on; what it has said by then. Ends it
    with SIGTERM, and it must end well."""
    told = home.with_name(out)
    with told.open("w") as sink:
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", "core.cli", "--home", str(home)),
                *("swarm", "serve", "--json", *arguments),
            ],
            cwd=REPO_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    said: list[dict[str, Any]] = []

    def has(event: str) -> bool:
        assert child.poll() in (None, 0), told.read_text()
        said[:] = [json.loads(line) for line in told.read_text().splitlines()]
        return any(each["event"] == event for each in said)

    try:
        wait_until(lambda: has("ready"), 60.0)
        yield said
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
        assert has("ended")
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(20)


def test_a_login_for_a_swarm_elsewhere(
    swarm: SwarmServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, data = tmp_path / "home", tmp_path / "temp-data"
    # The account that signs is locked by its owner, and nobody is there to type.
    Home(home).create()
    write(Home(home).account, bytes(Account.create().key), "four words of mine")
    monkeypatch.setenv("WAGGLE_PASSPHRASE", "four words of mine")
    session = requests.Session()
    session.trust_env = False
    where = ("--rpc", swarm.devnet.url, "--contract", swarm.client.contract)
    proxy = ("--login-proxy", "--port", "0", "--login-data", str(data))
    with serving(home, *where, *proxy) as said:
        (login,) = (each for each in said if each["event"] == "login")
        assert login["members"] == ["home"]
        (org_id,) = json.loads((data / "userData.json").read_text())
        api = f"{login['url']}/api"
        query = {"orgId": org_id}
        assert session.get(f"{api}/get-api-key-status", params=query).text == "activated"
        registered = session.post(f"{api}/register-peer", json={"orgId": org_id, "peerId": PEER})
        assert registered.status_code == 200
        # The original's start script removes them when it ends.
        (data / "userData.json").unlink()
        wait_until((data / "userData.json").exists)
    told = [each for each in said if each["event"] == "submission"]
    assert [(each["member"], each["kind"], each["peer_id"]) for each in told] == [
        ("home", "register", PEER)
    ]
    assert told[0]["tx_hash"] == registered.json()["hash"]
    assert org_id not in json.dumps(said), "whoever reads the log could submit"
    listed = json.loads(waggle(home, "members", "--json").stdout)["members"]
    assert [(each["name"], each["org_id"]) for each in listed] == [("home", org_id)]
    owner = swarm.client.read("getEoa", [PEER])[0][0]
    assert owner.lower() == listed[0]["account"].lower()


def test_the_services_of_a_swarm_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, "--profile", "solo") as said:
        (ready,) = (each for each in said if each["event"] == "ready")
        assert requests.get(ready["rpc"], timeout=10).status_code == 200
        second = waggle(home, "serve", "--profile", "solo", "--login-proxy", "--port", "4x")
        assert (second.returncode, "not a port" in second.stderr) == (2, True)
        with serving(home, "--login-proxy", "--port", "0", out="second") as beside:
            assert {each["event"] for each in beside} == {"login", "ready"}, "it uses those"
            assert [each["contract"] for each in beside if "contract" in each] == [
                ready["contract"]
            ]


def test_what_cannot_be_served_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for arguments, words in (
        (("--profile", "join"), "not known which swarm to serve"),
        (("--port", "3001"), "without --login-proxy"),
        (("--rpc", "http://127.0.0.1:9", "--contract", "0x" + "1" * 40), "nothing to serve"),
    ):
        told = waggle(home, "serve", *arguments)
        assert (told.returncode, words in told.stderr) == (2, True), told.stderr
    asked = waggle(home, "serve", "--login-proxy", "--host", "203.0.113.7")
    assert asked.returncode == 1
    assert "ORG_IDs travel in clear text" in asked.stderr
    assert "Add --yes" in asked.stderr


def test_members_come_and_go(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "Nobody yet" in waggle(home, "members").stdout
    added = waggle(home, "members", "--add", "alice")
    (line,) = (each for each in added.stdout.splitlines() if each.startswith("alice"))
    assert line.split()[1].startswith("0x")
    assert waggle(home, "members", "--add", "alice").returncode == 2
    kept = json.loads(waggle(home, "members", "--remove", "alice", "--json").stdout)["kept"]
    assert Path(kept, "keystore.json").exists()
    assert waggle(home, "members", "--remove", "alice").returncode == 2


@pytest.mark.parametrize("command", ["serve", "members"])
def test_help_says_what_an_org_id_is(tmp_path: Path, command: str) -> None:
    told = waggle(tmp_path, command, "--help")
    assert told.returncode == 0
    assert "ORG_ID" in told.stdout


def test_verify_holds_the_logins_account_against_the_coordinator(
    swarm: SwarmServices, tmp_path: Path
) -> None:
    home, data = Home(tmp_path / "home"), tmp_path / "temp-data"
    home.create()
    peer_id = identities.make(home, aside=False).peer_id
    somebody = load_or_create(tmp_path / "somebody")
    node = WalletCoordinator(swarm.devnet.url, swarm.client.contract, somebody)
    node.register(peer_id)
    node.close()
    chosen = {
        "chain.rpc_url": swarm.devnet.url,
        "chain.contract": swarm.client.contract,
        "chain.coordinator": "login",
        "chain.login_data": data,
    }

    def found(account: str) -> Finding:
        shutil.rmtree(data, ignore_errors=True)
        login_data.write(data, "an-org", account)
        effective = load("join", home, sets=[f"{key}={value}" for key, value in chosen.items()])
        (about,) = (f for f in verify(home, lambda: effective) if f.name == "coordinator")
        return about

    assert found(somebody.address.lower()).level == "ok"
    wrong = found("0x" + "11" * 20)
    assert wrong.level == "FAIL"
    assert somebody.address in wrong.detail
