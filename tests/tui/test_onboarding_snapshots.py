"""The first start on every way, at two sizes and in every look. After a wanted change:
`pytest tests/tui/test_onboarding_snapshots.py --snapshot-update`.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core import config, free_memory
from core.chain import account
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.onboarding_support import enter, fill, go, paste, shows, step
from tests.tui.support import ME, effective
from tui.app import WaggleApp
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.phrase import PhraseScreen
from tui.screens.onboarding.screen import OnboardingScreen

SIZES = [(80, 24), (140, 40)]
SIZE_NAMES = ["80x24", "140x40"]
KEY = b"\x11" * 32
PORTS = ("net.listen=/ip4/0.0.0.0/tcp/38331", "chain.devnet_port=38545")
"""As flags, so that no free ones are looked for on the machine of the test."""
NAMES = ["Swarm", "Identity", "Account", "Model", "Extras", "Ready"]


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same memory, addresses, account and path on every machine."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("ORG_ID", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(free_memory, "device_of", lambda config: "cpu")
    monkeypatch.setattr(free_memory, "budget", lambda config, device: 16 * 2**30)
    monkeypatch.setattr("core.addresses.own", lambda: ["203.0.113.7"])
    home = Home(Path("home"))
    home.create()
    account.write(home.account, KEY)


def starting(*sets: str) -> WaggleApp:
    home = Home(Path("home"))
    shown = config.load("solo", home, env={}, sets=sets) if sets else None
    return WaggleApp(home, shown, onboarding=True, ticking=False)


def to(name: str, *ways: str, then: Any = None) -> Any:
    """Press `ways` on the first step, go to that one, and do `then` there."""

    async def before(pilot: Pilot[str]) -> None:
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, OnboardingScreen)
        draft = Draft(peer_id=ME, name="calm golden badger", flags=screen.draft.flags)
        screen.draft = screen.step.draft = draft
        if ways:
            await pilot.press(*ways)
        await go(pilot, name)
        if name == "Account":
            await shows(pilot, "opened by")
        if name == "Model":
            await shows(pilot, "s a round")
        if then is not None:
            await then(pilot)
        await settle(pilot, lambda: True)

    return before


@pytest.mark.parametrize("size", SIZES, ids=SIZE_NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_swarm_on_this_machine(snap_compare: Any, name: str, size: tuple[int, int]) -> None:
    assert snap_compare(starting(), terminal_size=size, run_before=to(name))


@pytest.mark.parametrize("size", SIZES, ids=SIZE_NAMES)
def test_a_swarm_for_others(snap_compare: Any, size: tuple[int, int]) -> None:
    async def then(pilot: Pilot[str]) -> None:
        await shows(pilot, "It has no password")

    before = to("Open", "down", "down", "down", then=then)
    assert snap_compare(starting(*PORTS), terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES, ids=SIZE_NAMES)
def test_a_coordinator_out_of_reach(snap_compare: Any, size: tuple[int, int]) -> None:
    async def then(pilot: Pilot[str]) -> None:
        await paste(pilot, "http://127.0.0.1:9")
        await fill(pilot, "0x" + "ab" * 20)
        await pilot.press("tab", "tab", "tab", "down")
        await enter(pilot)

    before = to("Chain", *["down"] * 4, then=then)
    assert snap_compare(starting(), terminal_size=size, run_before=before)


def test_no_invite(snap_compare: Any) -> None:
    async def then(pilot: Pilot[str]) -> None:
        await paste(pilot, "waggle://eNqVVmtsFEUY3zvupAW")
        await shows(pilot, "damaged")

    before = to("Join", "down", "down", then=then)
    assert snap_compare(starting(), terminal_size=(80, 24), run_before=before)


@pytest.mark.parametrize("asked", [False, True], ids=["shown", "asked"])
def test_a_recovery_phrase(snap_compare: Any, asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.SystemRandom", lambda: random.Random(3))

    async def then(pilot: Pilot[str]) -> None:
        app = pilot.app
        page = PhraseScreen("test test test test test test test test test test test junk")
        await app.push_screen(page)
        if asked:
            await pilot.press("enter")

    before = to("Account", then=then)
    assert snap_compare(starting(), terminal_size=(80, 24), run_before=before)


def test_leaving(snap_compare: Any) -> None:
    async def then(pilot: Pilot[str]) -> None:
        await pilot.press("ctrl+c")

    assert snap_compare(starting(), terminal_size=(80, 24), run_before=to("Extras", then=then))


@pytest.mark.parametrize("look", ["waggle-light", "ascii", "no-color"])
def test_looks(snap_compare: Any, look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def then(pilot: Pilot[str]) -> None:
        await pilot.press("down", "down")
        await fill(pilot, "no key")
        assert "no account" in await enter(pilot)
        assert step(pilot.app).NAME == "Account"

    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    sets = {"ascii": ("console.ascii=true",), "no-color": ()}.get(look, (f"console.theme={look}",))
    app = WaggleApp(
        Home(Path("home")), effective(Home(Path("home")), *sets), onboarding=True, ticking=False
    )
    assert snap_compare(app, terminal_size=(80, 24), run_before=to("Account", then=then))
