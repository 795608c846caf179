"""`waggle invite` and `waggle join`, as typed: what is asked, shown, written and refused."""

from __future__ import annotations

import io
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import cli, config
from core.errors import WaggleError
from core.home import Home
from core.identity import identities
from core.net import identity
from core.swarm import hosting, invite, invite_commands, joining
from core.swarm.invite import Invite
from core.training import tasks
from tests.conftest import wait_until
from tests.support_cli import assert_ledger_is_on_chain, ledger, rows, start, waggle


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that hosts a swarm for others on this machine; its chain is made once."""
    home = Home(tmp_path_factory.mktemp("host") / "home")
    assert cli.main(["invite", "--host", "127.0.0.1", "--home", str(home.path)]) == 0
    return home


@pytest.fixture(scope="module")
def made(host: Home) -> tuple[str, Invite]:
    effective = config.load(None, host, env={})
    return invite_commands.create(effective, host, hosting.plan(effective, host, None), 30)


def run(capsys: pytest.CaptureFixture[str], home: Home, *arguments: str) -> tuple[int, str, str]:
    status = cli.main([*arguments, "--home", str(home.path)])
    told = capsys.readouterr()
    return status, told.out, told.err


def signed(host: Home, found: Invite, **changes: Any) -> str:
    owner = identity.load(host.identity)
    return invite.encode(replace(found, **changes), owner.public_key_bytes, owner.sign)


def test_the_invite_alone_is_on_standard_output(
    host: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, host, "invite")
    assert status == 0
    assert joining.read(out.strip()).owner == identity.load(host.identity).peer_id
    assert "Start the node" in err
    told = json.loads(run(capsys, host, "invite", "--json", "--expires", "2")[1])
    assert told["expires"] - told["issued"] == 2 * 86_400
    file = tmp_path / "friends.waggle"
    assert run(capsys, host, "invite", "--out", str(file))[1].strip() == str(file)
    assert joining.read(file.read_text()) == replace(
        joining.read(out.strip()),
        issued=joining.read(file.read_text()).issued,
        expires=joining.read(file.read_text()).expires,
    )


def test_what_only_this_call_was_given_is_told(
    host: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The node would start without it, and its own invite would not fit."""
    status, out, err = run(capsys, host, "invite", "--set", "game.generations=4")
    assert (status, "game.generations as given now" in err) == (0, True)
    assert joining.read(out).settings["game.generations"] == 4


def test_joining_writes_all_that_a_node_needs(
    home: Home, made: tuple[str, Invite], capsys: pytest.CaptureFixture[str]
) -> None:
    text, found = made
    status, out, _ = run(capsys, home, "join", text, "--yes")
    assert status == 0
    for word in (found.swarm, found.owner, found.contract, "chain_sum", "16 tasks of 8"):
        assert word in out
    effective = config.load(None, home, env={})
    config.require_complete(effective)
    chosen = effective.config
    assert effective.profile == "join"
    assert chosen.chain.contract == found.contract
    assert chosen.net.bootnodes == list(found.bootnodes)
    assert chosen.net.listen == "/ip4/127.0.0.1/tcp/0", "nobody else could come"
    assert tasks.load(chosen.game.tasks).digest == found.rules_digest
    status, out, _ = run(capsys, home, "join", text)
    assert (status, "joined it already" in out) == (0, True)


def test_looking_changes_nothing(
    home: Home,
    made: tuple[str, Invite],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "invite"
    file.write_text(f"# from a friend\n{made[0]}\n")
    shown = [run(capsys, home, "join", source, "--show")[1] for source in (made[0], str(file))]
    monkeypatch.setattr(sys, "stdin", io.StringIO(made[0]))
    shown.append(run(capsys, home, "join", "-", "--show")[1])
    assert len(set(shown)) == 1
    assert json.loads(run(capsys, home, "join", made[0], "--show", "--json")[1])["swarm"]
    status, _, err = run(capsys, home, "join", made[0])
    assert (status, "--yes" in err) == (1, True), "nobody can be asked here"
    assert not home.config.exists()


def test_an_old_configuration_is_kept_beside_the_new_one(
    home: Home, made: tuple[str, Invite], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {
        "profile": "solo",
        "swarm": {"name": "old", "round_timeout_s": 9.0},
        "model": {"id": "waggle-tiny", "threads": 1},
        "chain": {"devnet_port": 9999, "call_timeout_s": 3.0},
        "game": {"groups": 2, "foreign_groups": 3},
        "log": {"level": "debug"},
    }
    config.save_user_config(home, before)
    status, out, _ = run(capsys, home, "join", made[0], "--yes")
    assert status == 0
    assert "swarm.name               old -> waggle" in out
    assert "config.yaml.1" in out
    chosen = config.load(None, home, env={}).config
    assert (chosen.log.level, chosen.model.threads) == ("debug", 1), "what is personal stays"
    assert (chosen.chain.call_timeout_s, chosen.game.foreign_groups) == (3.0, 3)
    assert (chosen.swarm.round_timeout_s, chosen.chain.devnet_port) == (120.0, 0)
    assert chosen.game.groups == made[1].settings["game.groups"]
    assert Home(home.path).config.with_name("config.yaml.1").read_text().startswith("#")


def test_refusals_say_why_and_change_nothing(
    home: Home, host: Home, made: tuple[str, Invite], capsys: pytest.CaptureFixture[str]
) -> None:
    text, found = made
    now = int(time.time())
    other = found.tasks.replace("max_digits: 2", "max_digits: 3")
    assert other != found.tasks
    for given, words in (
        (text[:-9] + "AAAAAAAAA", "damaged"),
        (text[:500], "damaged"),
        (signed(host, found, issued=now - 99_999, expires=now - 60), "no longer valid"),
        (signed(host, found, issued=now + 99_999, expires=now + 199_999), "from the future"),
        (signed(host, found, reasoning_gym="9.9"), "reasoning-gym 9.9"),
        (signed(host, found, tasks=other), "another digest"),
        (signed(host, found, tasks="name: [broken"), "cannot be used"),
        (signed(host, found, settings={"game.groups": 10**9}), "game.groups"),
        ("no-such-file", "neither an invite nor a file"),
        ("n" * 300, "neither an invite nor a file"),  # a name that no file can have
    ):
        status, _, err = run(capsys, home, "join", given, "--yes")
        assert status == 1, given[:60]
        assert words in err
    assert not home.config.exists()
    assert not (home.path / "tasks").exists()
    status, _, err = run(capsys, host, "join", text, "--yes")
    assert (status, "made by the node of this home" in err) == (1, True)


def test_who_hosts_nothing_invites_nobody(
    home: Home, made: tuple[str, Invite], capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, home, "join", made[0], "--yes")
    status, out, err = run(capsys, home, "invite", "--host", "127.0.0.1")
    assert (status, out) == (2, "")
    assert "pass on the invite" in err


def test_opening_to_others_needs_a_yes(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, home, "invite", "--host", "203.0.113.9")
    assert (status, out) == (1, "")
    assert "no password" in err
    assert "--yes" in err
    assert not home.config.exists()


def test_an_invite_that_nobody_can_read_is_told(home: Home, tmp_path: Path) -> None:
    for source in (str(tmp_path), str(tmp_path / "missing"), "x" * 10_000):
        with pytest.raises(WaggleError, match="neither"):
            invite_commands.join(home, source, show=True, yes=False, as_json=False)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_who_joins_trains_with_the_host_and_is_recorded_on_its_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two homes, two processes: opened with --host, invited, joined, trained, recorded."""
    host, guest = Home(tmp_path / "host"), Home(tmp_path / "guest")
    host.create()
    small = {"groups": 4, "generations": 4}
    config.save_user_config(host, {"profile": "solo", "game": small})
    with ExitStack() as nodes:
        nodes.enter_context(node("--host", "127.0.0.1", "--home", str(host.path)))
        wait_until((host.services / "services.json").exists, 60)
        status, text, err = run(capsys, host, "invite")
        assert status == 0, err
        assert "can join now" in err
        assert waggle("join", text, "--yes", "--home", str(guest.path)).status == 0
        nodes.enter_context(node("--home", str(guest.path)))
        for home in (guest, host):
            wait_until(lambda: admitted(home), 120)  # noqa: B023 - used at once
        identities.back_up(guest, tmp_path / "guest.backup", "four unrelated words")
        wait_until(lambda: event(guest, "identity_backed_up"), 60)
    assert admitted(guest) == {joining.read(text).owner}
    assert admitted(host) == {identity.load(guest.identity).peer_id}
    assert ledger(guest), "its rounds are the coordinator's, recorded from the first one on"
    assert_ledger_is_on_chain(host, [guest])


@contextmanager
def node(*arguments: str) -> Iterator[None]:
    """A headless node that is asked to end, and ends, when the block does."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = start("run", "--headless", *arguments, **quiet)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def event(home: Home, name: str) -> list[dict[str, Any]]:
    try:
        found = rows(home, f"select json from events where name = '{name}'")
    except sqlite3.OperationalError:
        return []  # the journal is not there yet
    return [json.loads(text) for (text,) in found]


def admitted(home: Home) -> set[str]:
    """Whose groups were trained on."""
    return {each["peer_id"] for each in event(home, "group_admitted")}
