"""Step 1 with a coordinator: addresses that are looked at on a real chain while they are typed."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from core import config
from core.chain.services import SwarmServices
from core.errors import ConfigError
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.onboarding_support import (
    BOOTNODE,
    console,
    enter,
    fill,
    go,
    paste,
    quiet,
    screen,
    seen,
    shows,
    step,
)
from tui.screens.onboarding.coordinator import (
    check_chain_id,
    check_contract,
    check_rpc_url,
    parse_bootnodes,
)

JOIN = ("down",) * 4


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmServices]:
    services = SwarmServices(tmp_path_factory.mktemp("services"), 0, 60.0)
    services.start()
    yield services
    services.close()


@pytest.fixture
def dead() -> Iterator[str]:
    """An RPC address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


async def test_a_coordinator_is_looked_at_before_it_is_joined(
    home: Home, swarm: SwarmServices
) -> None:
    url, contract = swarm.devnet.url, swarm.client.contract
    app, node = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*JOIN, "enter")
        await settle(pilot, lambda: step(app).NAME == "Chain")
        assert "RPC URL is missing" in await enter(pilot)
        await paste(pilot, url)
        assert "address is missing or not complete" in await enter(pilot)
        await fill(pilot, "0x" + "ab" * 20)
        await shows(pilot, "There is no contract at 0x")
        assert "has no code at that address" in await enter(pilot)
        await pilot.press("end", "ctrl+u")
        await paste(pilot, contract)
        await shows(pilot, "coordinator it is there, in round")  # without a key pressed
        chain_id = step(app)._seen.chain_id  # type: ignore[attr-defined]
        assert f"id {chain_id}, at {url}" in seen(pilot)
        assert "It lists no bootnodes" in seen(pilot)
        await fill(pilot, "1", "nonsense")
        assert "not a bootnode's multiaddr" in await enter(pilot)
        await pilot.press("ctrl+u")
        await paste(pilot, BOOTNODE)
        assert "not the one expected" in await enter(pilot)
        await pilot.press("shift+tab", "end", "ctrl+u")
        await enter(pilot)  # that chain was shown already
        assert step(app).NAME == "Identity"
        await go(pilot, "Account")
        await shows(pilot, "this peer is new there")
        await go(pilot, "Ready")
        assert f"Joins the swarm of {contract}." in seen(pilot)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    effective = config.load(home=home)
    assert effective.profile == "join"
    chain = effective.config.chain
    assert (chain.rpc_url, chain.contract, chain.chain_id) == (url, contract, chain_id)
    assert effective.config.net.bootnodes == [BOOTNODE]


async def test_one_of_several_rpcs_may_be_dead_and_no_key_is_shown(
    home: Home, swarm: SwarmServices, dead: str
) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*JOIN, "enter")
        await settle(pilot, lambda: step(app).NAME == "Chain")
        await paste(pilot, f"{dead}/v2/SECRETKEY, {swarm.devnet.url}")
        await fill(pilot, swarm.client.contract)
        await shows(pilot, "coordinator it is there")
        told = seen(pilot)
        assert f"{dead} does not answer" in told
        await go(pilot, "Identity")
        await go(pilot, "Account")
        await go(pilot, "Ready")
        assert "SECRETKEY" not in seen(pilot)
        assert f"chain.rpc_url {dead}" in seen(pilot)


async def test_a_chain_out_of_reach_is_no_dead_end(home: Home, dead: str) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*JOIN, "enter")
        await settle(pilot, lambda: step(app).NAME == "Chain")
        await paste(pilot, dead)
        await fill(pilot, "0x" + "ab" * 20)
        told = await enter(pilot)
        assert "cannot be reached" in told
        assert "Enter again goes on all the same" in told
        await enter(pilot)
        assert step(app).NAME == "Identity"
        assert "chain.chain_id" not in screen(app).draft.settings()


async def test_esc_stops_waiting_for_a_chain_that_says_nothing(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app, _ = console(home)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press(*JOIN, "enter")
            await settle(pilot, lambda: step(app).NAME == "Chain")
            await paste(pilot, f"http://127.0.0.1:{silent.getsockname()[1]}")
            await fill(pilot, "0x" + "ab" * 20)
            await pilot.press("enter")
            await shows(pilot, "Esc stops waiting.")
            await pilot.press("escape")
            await quiet(pilot)
            assert step(app).NAME == "Chain"
            assert "Esc stops waiting." not in seen(pilot)
            await pilot.press("escape")
            await settle(pilot, lambda: step(app).NAME == "Swarm")


def test_bootnodes_are_checked() -> None:
    assert parse_bootnodes(f" {BOOTNODE},\n{BOOTNODE} ") == (BOOTNODE, BOOTNODE)
    quic = "/ip4/203.0.113.7/udp/38331/quic-v1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
    assert parse_bootnodes(quic) == (quic,)
    assert parse_bootnodes("") == ()
    for text in ("http://example.com", " ".join([BOOTNODE] * 65), "/ip4/1.2.3.4/tcp/1\x1b/p2p/Qm"):
        with pytest.raises(ConfigError):
            parse_bootnodes(text)


@pytest.mark.parametrize(
    "text", ["", "ftp://x", "http://", "http://[", "http://a b", "http://a:99999999", "http://a,,"]
)
def test_rpc_urls_are_checked(text: str) -> None:
    with pytest.raises(ConfigError):
        check_rpc_url(text)


def test_addresses_and_chain_ids_are_checked() -> None:
    assert check_chain_id("") == 0
    assert check_chain_id("685685") == 685685
    for text in ("0x1", "-1", "1" * 40, "²"):
        with pytest.raises(ConfigError):
            check_chain_id(text)
    for text in ("", "0x12", "ab" * 20):
        with pytest.raises(ConfigError):
            check_contract(text)
