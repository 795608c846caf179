"""Step 1 with others in it: an invite, a swarm that is opened, a coordinator on a real chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import config
from core.errors import ConfigError
from core.home import Home
from core.swarm import hosting, invite_commands, joining
from core.swarm.hosting import require_name
from core.training import tasks
from tests.tui.conftest import settle
from tests.tui.onboarding_support import (
    console,
    enter,
    fill,
    go,
    paste,
    screen,
    seen,
    shows,
    step,
)
from tui.screens.onboarding.draft import Draft
from tui.screens.onboarding.hosting import check_days
from tui.screens.onboarding.invited import pasted, read_invite
from tui.screens.onboarding.ready import user_values

HOST = ("down",) * 3


# --- an invite --------------------------------------------------------------------------------


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
        await settle(pilot, lambda: step(app).NAME == "Join")
        assert "invite is missing" in await enter(pilot)
        for wrong, told in (("no invite", "neither an invite"), (text[:300], "damaged")):
            await pilot.press("ctrl+u")
            await paste(pilot, wrong)
            await shows(pilot, told)
        await pilot.press("ctrl+u")
        lines = "\n".join(text[i : i + 72] for i in range(0, len(text), 72))
        await paste(pilot, lines)
        await shows(pilot, contract)
        for word in ("valid until", "signed by", "bootnodes", "chain_sum", "8 completions"):
            assert word in seen(pilot)
        await go(pilot, "Identity")
        await pilot.press("escape")
        await settle(pilot, lambda: step(app).NAME == "Join")
        await shows(pilot, contract)
        await go(pilot, "Account")
        # The chain of that swarm does not run: it is said, and a person may know better.
        await shows(pilot, "cannot be reached")
        assert "Enter again goes on all the same" in await enter(pilot)
        await go(pilot, "Ready")
        assert "Joins waggle, the swarm of" in seen(pilot)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    effective = config.load(home=home)
    config.require_complete(effective)
    assert effective.profile == "join"
    assert effective.config.chain.contract == contract
    assert tasks.load(effective.config.game.tasks).name == "tiny"


@pytest.mark.parametrize(
    "text",
    [
        "waggle://" + "A" * 200_000,
        "\x1b]0;owned\x07\x1b[2J",
        "/etc/" + "x" * 5000,
        "~nobody-here/invite",
        "waggle://" + "é" * 40,
        "[bold]no[/bold]",
    ],
)
async def test_hostile_invites_are_refused_in_words(home: Home, text: str) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "down", "enter")
        await settle(pilot, lambda: step(app).NAME == "Join")
        await paste(pilot, text)
        told = await enter(pilot)
        assert step(app).NAME == "Join"
        assert "▲" in told
        assert "\x1b" not in told
        assert "bug" not in told


async def test_an_invite_wins_over_what_would_suit_another_model(
    home: Home, invitation: tuple[str, str]
) -> None:
    found = read_invite(invitation[0])
    draft = Draft(
        way="invite",
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


def test_a_paste_of_something_else_is_its_first_line() -> None:
    assert pasted("  ~/invite.txt\nmore") == "~/invite.txt"
    assert pasted("# An invite\nwaggle://ab\n  cd\n") == "waggle://abcd"


# --- a swarm for others -----------------------------------------------------------------------


async def test_a_swarm_for_others_ends_with_an_invite_that_others_can_join(
    home: Home, tmp_path: Path
) -> None:
    app, node = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*HOST, "enter")
        await settle(pilot, lambda: step(app).NAME == "Open")
        await pilot.press("ctrl+u")
        await paste(pilot, "http://10.0.0.1:80")
        await shows(pilot, "not an address of a machine")
        assert "not an address of a machine" in await enter(pilot)
        # An address of a router that forwards here: it has to be opened everywhere.
        await pilot.press("end", "ctrl+u")
        await paste(pilot, "203.0.113.7")
        await shows(pilot, "It has no password")
        assert "on every address of this machine" in seen(pilot)
        await fill(pilot, "beehive", "0")
        assert "not a number of days" in await enter(pilot)
        await pilot.press("end", "ctrl+u")
        await paste(pilot, "7")
        await go(pilot, "Ready")
        assert "beehive, for others: this machine runs it." in seen(pilot)
        assert "open to others at every address" in seen(pilot)
        assert not node.started.is_set()
        await pilot.press("enter")
        await settle(pilot, lambda: "waggle://" in seen(pilot))
        assert "beehive; the invite is valid until" in seen(pilot)
        await pilot.press("y")
        assert read_invite(app.clipboard).swarm == "beehive"
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    effective = config.load(home=home)
    assert effective.profile == "solo"
    assert effective.config.net.listen.startswith("/ip4/0.0.0.0/tcp/")
    assert effective.config.chain.devnet_host == "203.0.113.7"
    made = read_invite((home.path / "invite.txt").read_text())
    assert made == read_invite(str(home.path / "invite.txt"))
    assert made.expires - made.issued == 7 * 86_400
    port = effective.config.chain.devnet_port
    assert made.rpc_url == f"http://203.0.113.7:{port}"
    other = Home(tmp_path / "other")
    joining.join(made, other)
    config.require_complete(config.load(home=other))


async def test_a_swarm_on_loopback_says_that_nothing_is_opened(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*HOST, "enter")
        await settle(pilot, lambda: step(app).NAME == "Open")
        await pilot.press("ctrl+u")
        await paste(pilot, "localhost")
        await shows(pilot, "Nothing is opened to others.")
        await fill(pilot, "群れ 1")
        told = await enter(pilot)
        assert told.count("A swarm cannot be called") == 1
        assert step(app).NAME == "Open"
        await pilot.press("end", "ctrl+u")
        await paste(pilot, "herd.1")
        await go(pilot, "Identity")
        assert screen(app).draft.settings()["swarm.name"] == "herd.1"
        assert screen(app).draft.settings()["chain.devnet_port"] > 0


@pytest.mark.parametrize("text", ["", "x" * 65, "a\x07b", "a b", "群れ", "שלום"])
def test_names_of_swarms_are_checked(text: str) -> None:
    """As the node itself does, that would not start otherwise."""
    with pytest.raises(ConfigError):
        require_name(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "9999999", "٣"])
def test_days_are_checked(text: str) -> None:
    with pytest.raises(ConfigError):
        check_days(text)
