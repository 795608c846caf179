"""The first start by keyboard alone: from nothing to a started node."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot

from core import config
from core.chain import account
from core.errors import ConfigError
from core.home import Home
from core.identity import identities
from core.net import identity
from core.swarm import hosting, invite_commands, joining
from core.training import tasks
from tests.tui.conftest import settle
from tests.tui.support import START, ReplayNode, begin
from tui import capture
from tui.app import WaggleApp
from tui.screens.dashboard import Dashboard
from tui.screens.onboarding import swarm
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.model import check_model
from tui.screens.onboarding.ready import user_values
from tui.screens.onboarding.screen import OnboardingScreen
from tui.widgets.choices import Choices

BOOTNODE = "/ip4/127.0.0.1/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
KEY = "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


def console(home: Home) -> tuple[WaggleApp, ReplayNode]:
    node = ReplayNode(begin())
    app = WaggleApp(
        home,
        None,
        onboarding=True,
        node_factory=lambda effective, place: node,
        clock=lambda: START + 3,
        ticking=False,
    )
    return app, node


def screen(app: WaggleApp) -> OnboardingScreen:
    assert isinstance(app.screen, OnboardingScreen)
    return app.screen


async def paste(pilot: Pilot[str], text: str) -> None:
    """What a terminal sends when a person pastes into the focused field."""
    pilot.app.screen.focused.post_message(Paste(text))  # type: ignore[union-attr]
    await pilot.pause()


async def go(pilot: Pilot[str], position: int) -> None:
    """Enter until step `position` (from 0) is shown."""
    app = pilot.app
    while screen(app).position < position:  # type: ignore[arg-type]
        before = screen(app).position  # type: ignore[arg-type]
        await pilot.press("enter")
        await settle(pilot, lambda: screen(app).position > before)  # type: ignore[arg-type]  # noqa: B023


async def test_six_times_enter_starts_a_swarm(home: Home) -> None:
    app, node = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, 5)
        assert "Enter starts the node" in capture.text_of(app)
        assert "profile solo" in capture.text_of(app)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))
        assert "STARTING" in capture.text_of(app)
    assert config.load(home=home).profile == "solo"
    assert home.identity.exists()
    assert account.address_of(home.account)


async def test_three_nodes_by_keyboard(home: Home) -> None:
    app, node = console(home)
    async with app.run_test() as pilot:
        await pilot.press("down")
        await go(pilot, 5)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    effective = config.load(home=home)
    assert (effective.profile, effective.config.swarm.nodes) == ("trio", 3)


async def test_going_back_loses_nothing(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await pilot.press("down")
        await go(pilot, 4)
        await pilot.press("down")
        before = screen(app).draft
        await pilot.press("escape", "escape", "escape", "escape")
        await pilot.pause()
        assert screen(app).position == 0
        assert screen(app).draft.profile == "trio"
        assert screen(app).draft.peer_id == before.peer_id
        await go(pilot, 5)
        assert screen(app).draft.eval_every == 25
        assert screen(app).draft.settings() == {"eval.every_rounds": 25}


async def test_joining_needs_addresses_and_checks_them(home: Home) -> None:
    app, node = console(home)
    async with app.run_test() as pilot:
        await pilot.press("down", "down", "down", "enter")
        await settle(pilot, lambda: True)
        assert "RPC URL is missing" in capture.text_of(app)
        for text in ("http://127.0.0.1:8545", "0x" + "ab" * 20, "nonsense"):
            await pilot.press("tab")
            await paste(pilot, text)
        await pilot.press("enter")
        await settle(pilot, lambda: True)
        assert "not a bootnode's multiaddr" in capture.text_of(app)
        await pilot.press("ctrl+u")
        await paste(pilot, BOOTNODE)
        await go(pilot, 5)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    effective = config.load(home=home)
    assert effective.profile == "join"
    assert effective.config.chain.contract == "0x" + "ab" * 20


async def test_importing_an_identity_shows_who_the_node_is_now(home: Home, tmp_path: Path) -> None:
    other = identity.load_or_create(tmp_path / "swarm.pem")
    app, _ = console(home)
    async with app.run_test(size=(100, 30)) as pilot:
        await go(pilot, 1)
        await settle(pilot, lambda: bool(screen(app).step.draft.peer_id))
        first = screen(app).step.draft.peer_id
        await pilot.press("down", "down", "tab")
        await paste(pilot, str(tmp_path / "swarm.pem"))
        await pilot.press("enter")
        await settle(pilot, lambda: screen(app).step.draft.peer_id == other.peer_id)
        assert other.name in capture.text_of(app)
        assert screen(app).position == 1
        await go(pilot, 2)
    assert identity.load(home.identity).peer_id == other.peer_id
    assert identity.load(home.identity.with_name("swarm.pem.1")).peer_id == first


async def test_a_broken_identity_is_told_and_stays(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_bytes(b"no key")
    app, _ = console(home)
    async with app.run_test(size=(100, 30)) as pilot:
        await go(pilot, 1)
        for path in (tmp_path / "bad.pem", tmp_path / "missing.pem"):
            await settle(pilot, lambda: bool(screen(app).step.draft.peer_id))
            await pilot.press("down", "down", "tab", "ctrl+u")
            await paste(pilot, str(path))
            await pilot.press("enter")
            await settle(pilot, lambda: not screen(app)._busy)
            assert path.name in capture.text_of(app).replace("\n  ", "")
            assert screen(app).position == 1
            await pilot.press("shift+tab")


async def test_a_backup_is_offered_and_made(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, 1)
        await settle(pilot, lambda: bool(screen(app).step.draft.peer_id))
        assert "backup   none yet" in capture.text_of(app)
        for first, second, told in (
            ("four unrelated words", "four related words", "two passphrases differ"),
            ("short", "short", "shorter than 10"),
            ("four unrelated words", "four unrelated words", " s ago: ~/waggle-"),
        ):
            screen(app).step.query_one(Choices).focus()
            await pilot.press("up", "up", "down", "tab", "ctrl+u")
            await paste(pilot, first)
            await pilot.press("tab", "ctrl+u")
            await paste(pilot, second)
            assert first not in capture.text_of(app)
            await pilot.press("enter")
            await settle(pilot, lambda: told in capture.text_of(app))  # noqa: B023
            await settle(pilot, lambda: not screen(app)._busy)
            assert screen(app).position == 1
        await go(pilot, 2)
    peer_id = identity.load(home.identity).peer_id
    note = identities.backup_note(home, peer_id)
    assert note is not None
    assert Path(note.path).parent == tmp_path
    restored = identities.restore(Home(tmp_path / "other"), Path(note.path), "four unrelated words")
    assert restored.peer_id == peer_id


@pytest.fixture(scope="module")
def invitation(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An invite of a swarm hosted in another home, and its contract."""
    other = Home(tmp_path_factory.mktemp("other") / "home")
    effective = config.load("solo", other, env={})
    opening = hosting.plan(effective, other, "127.0.0.1")
    text, made = invite_commands.create(effective, other, opening, 30)
    return text, made.contract


async def test_an_invite_is_shown_before_it_is_joined(
    home: Home, invitation: tuple[str, str]
) -> None:
    text, contract = invitation
    app, node = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "down", "enter")
        await settle(pilot, lambda: True)
        assert "invite is missing" in capture.text_of(app)
        await pilot.press("tab")
        for wrong, told in (("no invite", "neither an invite"), (text[:300], "damaged")):
            await pilot.press("ctrl+u")
            await paste(pilot, wrong)
            await settle(pilot, lambda: told in capture.text_of(app))  # noqa: B023
        await pilot.press("ctrl+u")
        lines = "\n".join(text[i : i + 72] for i in range(0, len(text), 72))
        await paste(pilot, lines)
        await settle(pilot, lambda: contract in capture.text_of(app))
        for word in ("valid until", "signed by", "bootnodes", "chain_sum", "8 completions"):
            assert word in capture.text_of(app)
        await go(pilot, 1)
        await pilot.press("escape")
        await settle(pilot, lambda: screen(app).position == 0)
        await settle(pilot, lambda: contract in capture.text_of(app))
        await go(pilot, 5)
        assert "Joins waggle, the swarm of" in capture.text_of(app)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    effective = config.load(home=home)
    config.require_complete(effective)
    assert effective.profile == "join"
    assert effective.config.chain.contract == contract
    assert tasks.load(effective.config.game.tasks).name == "tiny"


async def test_an_invite_wins_over_what_would_suit_another_model(
    home: Home, invitation: tuple[str, str]
) -> None:
    found = swarm.read_invite(invitation[0])
    draft = Draft(
        profile="join",
        invited=True,
        invite=found,
        invite_settings=tuple(joining.settings_of(found, home).items()),
        model="Qwen/Qwen2.5-0.5B-Instruct",
        chosen=frozenset({"model.id"}),
    )
    wanted = found.settings["sampling.max_new_tokens"]
    assert draft.settings()["sampling.max_new_tokens"] == wanted
    assert draft.settings()["training.schedule"] == "constant"
    before = {"profile": "solo", "swarm": {"host": True}, "console": {"ascii": True}}
    values = user_values(draft, before)
    assert values["console"] == {"ascii": True}
    assert "host" not in values["swarm"]


async def test_a_private_key_is_never_echoed(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await go(pilot, 2)
        await pilot.press("down", "tab", *KEY[:4])
        await paste(pilot, KEY[4:])
        assert KEY[:6] not in capture.text_of(app)
        await pilot.press("enter")
        await settle(pilot, lambda: screen(app).step.draft.address == ADDRESS)
        assert ADDRESS in capture.text_of(app)
        await go(pilot, 3)
    assert account.address_of(home.account) == ADDRESS


async def test_another_model_by_path(home: Home, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    shape = {
        "model_type": "llama",
        "vocab_size": 1000,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    (tmp_path / "mine" / "config.json").write_text(json.dumps(shape))
    app, node = console(home)
    async with app.run_test(size=(100, 30)) as pilot:
        await go(pilot, 3)
        await pilot.press(*["down"] * 30, "tab")
        await paste(pilot, str(tmp_path / "mine"))
        assert "fits: AdamW, " in capture.text_of(app)
        await go(pilot, 5)
        assert "chosen here" in capture.text_of(app)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    found = config.load(home=home).config
    assert found.model.id == str(tmp_path / "mine")
    assert (found.training.recipe, found.training.optimizer) == ("full", "adamw")


async def test_leaving_starts_nothing(home: Home) -> None:
    app, node = console(home)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+c")
    assert app.return_value == "left"
    assert not node.started.is_set()
    assert not home.config.exists()


def test_settings_are_only_what_was_chosen() -> None:
    assert Draft().settings() == {}
    assert user_values(Draft(), {}) == {"profile": "solo"}
    before = {"profile": "solo", "console": {"ascii": True}}
    chosen = Draft(profile="trio", log_level="debug", chosen=frozenset({"log.level"}))
    assert user_values(chosen, before) == {
        "profile": "trio",
        "console": {"ascii": True},
        "log": {"level": "debug"},
    }


@pytest.mark.parametrize("text", ["", "two words", "a/b/c", "/nowhere/at/all"])
def test_model_names_are_checked(text: str) -> None:
    with pytest.raises(ConfigError):
        check_model(text)


def test_bootnodes_are_checked() -> None:
    assert swarm.parse_bootnodes(f" {BOOTNODE},\n{BOOTNODE} ") == (BOOTNODE, BOOTNODE)
    for text in ("", "http://example.com"):
        with pytest.raises(ConfigError):
            swarm.parse_bootnodes(text)


async def test_enter_held_down_goes_through_and_breaks_nothing(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        deadline = time.monotonic() + 60
        while isinstance(app.screen, OnboardingScreen):
            assert time.monotonic() < deadline
            app.screen.action_next()
            await asyncio.sleep(0)
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))
        await pilot.pause()
    assert identity.load(home.identity).peer_id
    assert account.load_or_create(home.account).address == account.address_of(home.account)
