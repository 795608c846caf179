"""Step 3 of somebody who joins: whose the peer is on a real chain, and logins that sign."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core import config
from core.chain import account, login_data
from core.chain.coordinator import WalletCoordinator
from core.chain.login_routes import Routes
from core.chain.login_server import LoginServer
from core.chain.members import Member, Members
from core.chain.services import SwarmServices
from core.home import Home
from core.net import identity
from tests.tui.conftest import settle
from tests.tui.onboarding_support import (
    choose,
    console,
    enter,
    fill,
    go,
    paste,
    seen,
    shows,
    step,
)


@pytest.fixture
def swarm(tmp_path: Path) -> Iterator[SwarmServices]:
    services = SwarmServices(tmp_path / "services", 0, 60.0)
    services.start()
    yield services
    services.close()


async def joining(pilot: Pilot[str], swarm: SwarmServices) -> None:
    """To the account step, by way of the coordinator's addresses."""
    await pilot.press("down", "down", "down", "down", "enter")
    await settle(pilot, lambda: step(pilot.app).NAME == "Chain")
    await paste(pilot, swarm.devnet.url)
    await fill(pilot, swarm.client.contract)
    await shows(pilot, "it is there, in round")
    await go(pilot, "Account")


async def test_a_peer_of_another_account_is_told_in_words_and_may_be_insisted_on(
    home: Home, tmp_path: Path, swarm: SwarmServices
) -> None:
    peer_id = identity.load_or_create(home.identity).peer_id
    theirs = account.load_or_create(tmp_path / "theirs")
    other = WalletCoordinator(swarm.devnet.url, swarm.client.contract, theirs)
    other.register(peer_id)
    other.close()
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await joining(pilot, swarm)
        await shows(pilot, f"registered to {theirs.address}, not to this account")
        told = await enter(pilot)
        assert "would be refused" in told
        assert "Enter again goes on all the same" in told
        await choose(pilot, "import")
        await fill(pilot, theirs.key().hex())
        assert "this peer is registered to this account" in await enter(pilot)
        await enter(pilot)
        assert step(app).NAME == "Model"
        await pilot.press("escape")
        await settle(pilot, lambda: step(app).NAME == "Account")
        await shows(pilot, "this peer is registered to this account")


@pytest.fixture
def proxy(swarm: SwarmServices, tmp_path: Path) -> Iterator[tuple[str, Member]]:
    """A login proxy for that swarm: its address, and a member of it."""
    members = Members(tmp_path / "members", tmp_path / "account")
    member = members.add("alice")

    def connect(one: Member) -> WalletCoordinator:
        wallet = account.load_or_create(one.account)
        return WalletCoordinator(swarm.devnet.url, swarm.client.contract, wallet)

    server = LoginServer(Routes(members, connect, 10.0, lambda served: None), 0)
    server.start()
    yield server.url, member
    server.close()


async def test_a_login_proxy_whose_org_id_is_found_by_itself(
    home: Home,
    tmp_path: Path,
    swarm: SwarmServices,
    proxy: tuple[str, Member],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, member = proxy
    mine = account.address_of(member.account)
    assert mine is not None
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORG_ID", raising=False)
    app, node = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await joining(pilot, swarm)
        await choose(pilot, "login")
        await shows(pilot, "no ORG_ID is found on this machine yet")
        await fill(pilot, "ftp://no")
        assert "not an HTTP address" in await enter(pilot)
        await pilot.press("end", "ctrl+u")
        await paste(pilot, url)
        assert "There is no login: no ORG_ID is known" in await enter(pilot)
        login_data.write(tmp_path / "rl-swarm" / login_data.FOLDER, member.org_id, mine)
        await choose(pilot, "read-only")
        await choose(pilot, "login")
        await shows(pilot, f"acts for {mine}")
        assert member.org_id not in seen(pilot)
        await enter(pilot)
        assert step(app).NAME == "Model"
        await go(pilot, "Ready")
        assert f"the one of the login at {url}" in seen(pilot)
        assert member.org_id not in seen(pilot)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    chain = config.load(home=home).config.chain
    assert (chain.coordinator, chain.login_url, chain.org_id) == ("login", url, "")


async def test_an_org_id_that_was_typed_is_kept_and_never_shown(
    home: Home, tmp_path: Path, swarm: SwarmServices, proxy: tuple[str, Member]
) -> None:
    url, member = proxy
    app, node = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await joining(pilot, swarm)
        await choose(pilot, "login")
        await fill(pilot, url, str(tmp_path / "none"), "00000000-0000-4000-8000-000000000000")
        assert "is not activated" in await enter(pilot)
        await pilot.press("end", "ctrl+u")
        await paste(pilot, member.org_id)
        await enter(pilot)
        assert step(app).NAME == "Model"
        await go(pilot, "Ready")
        assert member.org_id not in seen(pilot)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    assert config.load(home=home).config.chain.org_id == member.org_id
    assert home.config.stat().st_mode & 0o777 == 0o600


async def test_following_only(home: Home, swarm: SwarmServices) -> None:
    app, node = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await joining(pilot, swarm)
        await choose(pilot, "read-only")
        await enter(pilot)
        assert step(app).NAME == "Model"
        await go(pilot, "Ready")
        assert "submits nothing" in seen(pilot)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    assert config.load(home=home).config.chain.coordinator == "read-only"
    assert json.dumps(config.user_config(home)["chain"])
