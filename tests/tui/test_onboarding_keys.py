"""Steps 2 and 3: the peer key, the account, its phrase and its lock, and logins that sign."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.account import accounts
from core.chain import account, account_phrase
from core.chain.account_files import LIGHT_N, encrypt
from core.home import Home
from core.identity import identities
from core.net import identity
from tests.tui.conftest import settle
from tests.tui.onboarding_support import (
    choose,
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
from tui.app import WaggleApp
from tui.screens.dashboard import Dashboard
from tui.screens.onboarding.phrase import PhraseScreen
from tui.widgets.choices import Choices

KEY = "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
LONG = "four unrelated words"


async def at_identity(pilot: Pilot[str]) -> None:
    await go(pilot, "Identity")
    await settle(pilot, lambda: bool(step(pilot.app).draft.peer_id))


async def at_account(pilot: Pilot[str]) -> None:
    await go(pilot, "Account")
    await shows(pilot, "opened by")


# --- the identity -----------------------------------------------------------------------------


async def test_importing_an_identity_shows_who_the_node_is_now(home: Home, tmp_path: Path) -> None:
    other = identity.load_or_create(tmp_path / "swarm.pem")
    app, _ = console(home)
    async with app.run_test(size=(100, 30)) as pilot:
        await at_identity(pilot)
        first = step(app).draft.peer_id
        await choose(pilot, "import")
        await fill(pilot, str(tmp_path / "swarm.pem"))
        assert other.name in await enter(pilot)
        assert step(app).NAME == "Identity"
        await go(pilot, "Account")
    assert identity.load(home.identity).peer_id == other.peer_id
    assert identity.load(home.identity.with_name("swarm.pem.1")).peer_id == first


async def test_what_is_no_key_is_told_and_nothing_is_lost(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_bytes(b"no key")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    app, _ = console(home)
    async with app.run_test(size=(100, 30)) as pilot:
        await at_identity(pilot)
        before = step(app).draft.peer_id
        await choose(pilot, "import")
        for text in (
            str(tmp_path / "bad.pem"),
            str(tmp_path / "missing.pem"),
            str(tmp_path / "large"),
            str(tmp_path),
            "~nobody-here/swarm.pem",
            "/" + "x" * 5000,
            "",
        ):
            step(app).query_one(Choices).focus()
            await fill(pilot, text)
            told = await enter(pilot)
            assert "▲" in told
            assert "bug" not in told
            assert step(app).NAME == "Identity"
    assert identity.load(home.identity).peer_id == before


async def test_a_backup_is_offered_and_made_and_restored_elsewhere(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_identity(pilot)
        assert "backup none yet" in seen(pilot)
        for first, second, told in (
            (LONG, "four related words", "two passphrases differ"),
            ("short", "short", "shorter than 10"),
            (LONG, LONG, " s ago: ~/waggle-"),
        ):
            await choose(pilot, "backup")
            await fill(pilot, first, second)
            assert first not in seen(pilot)
            assert told in await enter(pilot)
            assert step(app).NAME == "Identity"
        await go(pilot, "Account")
    peer_id = identity.load(home.identity).peer_id
    note = identities.backup_note(home, peer_id)
    assert note is not None
    assert Path(note.path).parent == tmp_path

    other = Home(tmp_path / "other")
    app, _ = console(other)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_identity(pilot)
        await choose(pilot, "import")
        await fill(pilot, note.path, "")
        assert "an encrypted backup" in await enter(pilot)
        await paste(pilot, "not the passphrase")
        assert "▲" in await enter(pilot)
        await pilot.press("end", "ctrl+u")
        await paste(pilot, LONG)
        assert peer_id in await enter(pilot)
    assert identity.load(other.identity).peer_id == peer_id


# --- the account ------------------------------------------------------------------------------


async def test_a_private_key_is_never_echoed(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await at_account(pilot)
        await choose(pilot, "import")
        await pilot.press("tab", *KEY[:4])
        await paste(pilot, KEY[4:])
        assert KEY[:6] not in seen(pilot)
        assert f"address {ADDRESS}" in await enter(pilot)
        assert step(app).NAME == "Account"
        await go(pilot, "Model")
    assert account.address_of(home.account) == ADDRESS
    assert (home.account / "keystore.json.1").exists()


async def test_an_account_with_a_phrase_that_was_written_down(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_account(pilot)
        before = account.address_of(home.account)
        await choose(pilot, "new")
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, PhraseScreen))
        words = app.screen._words  # type: ignore[attr-defined]
        assert all(f"{number + 1} {word}" in seen(pilot) for number, word in enumerate(words))
        await pilot.press("enter")
        await pilot.pause()
        assert not all(word in seen(pilot) for word in words)  # hidden while they are asked for
        await pilot.press(*"wrong", "tab", *"wrong", "enter")
        await pilot.pause()
        assert "That was not it." in seen(pilot)
        assert all(word in seen(pilot) for word in words)
        assert account.address_of(home.account) == before  # nothing is made before they are known
        await answer(pilot, app)
        await quiet(pilot)
        made = account.address_of(home.account)
        assert made is not None
        assert made != before
        assert f"address {made}" in seen(pilot)
        assert accounts.PHRASE in seen(pilot)
        assert words[0] not in repr(screen(app).draft)
    key = account.load_or_create(home.account).key()
    assert key == account_phrase.key_of(" ".join(words))


async def answer(pilot: Pilot[str], app: WaggleApp) -> None:
    """Say the two words that are asked for."""
    asking = app.screen
    assert isinstance(asking, PhraseScreen)
    words = asking._words
    await pilot.press("enter")
    await settle(pilot, lambda: bool(asking._asked))
    for number, at in enumerate(asking._asked):
        await pilot.press(*(["tab"] if number else []), *words[at])
    await pilot.press("enter")
    await settle(pilot, lambda: not isinstance(app.screen, PhraseScreen))


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_giving_up_on_the_phrase_makes_nothing(home: Home, key: str) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await at_account(pilot)
        before = account.address_of(home.account)
        await choose(pilot, "new")
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, PhraseScreen))
        asking = app.screen
        await pilot.press(key)
        await quiet(pilot)
        assert asking._words == ()  # type: ignore[attr-defined]
        assert step(app).NAME == "Account"
        assert account.address_of(home.account) == before


async def test_an_account_is_locked_and_the_node_gets_it_opened(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    app, node = console(home)

    def made(effective: object, place: object, unlocked: object) -> object:
        given.append(unlocked)
        return node

    # In the place of the real node only: what it is given is looked at below.
    monkeypatch.setattr("tui.starting.make_node", made)
    async with app.run_test() as pilot:
        await at_account(pilot)
        await choose(pilot, "keep")
        for first, second, told in (
            (LONG, "another passphrase", "two passphrases differ"),
            ("short", "short", "shorter than 10"),
            (LONG, LONG, "your passphrase, asked for at each start"),
        ):
            step(app).query_one(Choices).focus()
            await fill(pilot, first, second)
            assert first not in seen(pilot)
            assert told in await enter(pilot)
        assert account.is_locked(home.account)
        await go(pilot, "Ready")
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, Dashboard))
        await settle(pilot, lambda: bool(given))
    wallet = given[0].wallet_of(home)  # type: ignore[attr-defined]
    assert wallet.address == account.address_of(home.account)
    assert LONG not in repr(given[0])


async def test_a_keystore_of_another_wallet(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "wallet.json"
    path.write_bytes(encrypt(bytes.fromhex(KEY), "its password", LIGHT_N))
    app, _ = console(home)
    async with app.run_test() as pilot:
        await at_account(pilot)
        await choose(pilot, "keystore")
        await fill(pilot, str(path), "wrong")
        assert "does not open" in await enter(pilot)
        await pilot.press("end", "ctrl+u")
        await paste(pilot, "its password")
        assert f"address {ADDRESS}" in await enter(pilot)


@pytest.mark.parametrize("text", ["", "no key", "0x12", KEY[:-1], "\x1b[2J" + KEY[:40]])
async def test_what_is_no_account_is_told(home: Home, text: str) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await at_account(pilot)
        before = account.address_of(home.account)
        await choose(pilot, "import")
        await fill(pilot, text)
        told = await enter(pilot)
        assert "no account" in told
        assert account.address_of(home.account) == before


async def test_a_key_in_the_place_of_a_path_is_not_repeated(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test() as pilot:
        await at_account(pilot)
        await choose(pilot, "keystore")
        await fill(pilot, KEY)
        told = await enter(pilot)
        assert "That is no path." in told
        assert KEY[:16] not in told.partition("That is no path.")[2]
