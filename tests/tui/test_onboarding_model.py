"""Steps 4 and 5: models of this machine, of a folder, of a Hub; memory that is tight; a token."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants
from textual.pilot import Pilot

from core import config
from core.errors import ConfigError, TransientError, WaggleError
from core.home import Home
from core.training import hub_token
from tests.training.hub_server import hub
from tests.tui.conftest import settle
from tests.tui.onboarding_support import console, enter, go, paste, screen, seen, shows, step
from tui.screens.onboarding.model import OWN, check_model
from tui.widgets.choices import Choices

SHAPE = {
    "model_type": "llama",
    "vocab_size": 1000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(SHAPE))
    return made


@pytest.fixture(autouse=True)
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hub where nobody listens, and a cache and a token's place of this test's own."""
    at_hub(monkeypatch, "http://127.0.0.1:9", tmp_path)


def at_hub(monkeypatch: pytest.MonkeyPatch, endpoint: str, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.delenv("HF_TOKEN", raising=False)


async def at_own(pilot: Pilot[str]) -> None:
    """To the field for any other model."""
    await go(pilot, "Model")
    await settle(pilot, lambda: bool(step(pilot.app)._plans))  # type: ignore[attr-defined]
    await pilot.press(*["down"] * 30, "tab")
    assert step(pilot.app).query_one(Choices).chosen.id == OWN


async def test_another_model_by_path(home: Home, folder: Path) -> None:
    app, node = console(home)
    async with app.run_test(size=(100, 30)) as pilot:
        await at_own(pilot)
        await paste(pilot, str(folder))
        await shows(pilot, "s a round. Trains every weight, in ")
        await go(pilot, "Ready")
        assert "chosen here" in seen(pilot)
        await pilot.press("enter")
        await settle(pilot, node.started.is_set)
    found = config.load(home=home).config
    assert found.model.id == str(folder)
    assert (found.training.recipe, found.training.optimizer) == ("full", "adamw")


async def test_another_model_by_its_name_on_the_hub(
    home: Home, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub({"me/model": folder}) as endpoint:
        at_hub(monkeypatch, endpoint, tmp_path)
        app, node = console(home)
        async with app.run_test(size=(80, 24)) as pilot:
            await at_own(pilot)
            for name, told in (
                ("two words", "is no model id"),
                ("a/b/c", "is no model id"),
                ("[bold]x[/bold]", "is no model id"),
                ("me/two--dashes..", "is no model id"),
                ("me/mistyped", "There is no model me/mistyped on the Hugging Face Hub"),
                ("me/one-gated", "The model me/one-gated is gated"),
            ):
                await pilot.press("end", "ctrl+u")
                await paste(pilot, name)
                assert told in await enter(pilot)
                assert step(app).NAME == "Model"
            await pilot.press("end", "ctrl+u")
            await paste(pilot, "me/model")
            await shows(pilot, "Enter asks how large it is.")
            told = await enter(pilot)  # shown before it is taken
            assert "fits: " in told
            assert "Trains every weight" in told
            await enter(pilot)
            assert step(app).NAME == "Extras"
            await go(pilot, "Ready")
            await pilot.press("enter")
            await settle(pilot, node.started.is_set)
    assert config.load(home=home).config.model.id == "me/model"


async def test_a_hub_out_of_reach_is_no_dead_end(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_own(pilot)
        await paste(pilot, "me/model")
        told = await enter(pilot)
        assert "the Hugging Face Hub cannot be reached" in told
        assert "Enter again goes on all the same" in told
        await enter(pilot)
        assert step(app).NAME == "Extras"
        assert screen(app).draft.settings()["model.id"] == "me/model"


async def test_memory_that_is_too_small_for_all_of_them_is_no_dead_end(home: Home) -> None:
    tight = config.load("solo", home, env={}, sets=["model.max_ram_gib=0.05"])
    app, _ = console(home, tight)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, "Model")
        await shows(pilot, "too large")
        assert "fits: " not in seen(pilot)
        told = await enter(pilot)
        assert "does not fit into the memory of this machine" in told
        assert "Enter again goes on all the same" in told
        await enter(pilot)
        assert step(app).NAME == "Extras"


async def test_a_model_that_fits_with_less_is_planned_so(home: Home) -> None:
    many = ["game.groups=512", "game.generations=64", "model.max_ram_gib=2"]
    tight = config.load("solo", home, env={}, sets=many)
    app, _ = console(home, tight)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, "Model")
        await settle(pilot, lambda: bool(step(app)._plans))  # type: ignore[attr-defined]
        plans = step(app)._plans  # type: ignore[attr-defined]
        found = next(id for id, plan in plans.items() if plan.then is not None)
        choices = step(app).query_one(Choices)
        for _ in range([c.id for c in choices.choices].index(found)):
            await pilot.press("down")
        assert "continuing writes that" in seen(pilot)
        await enter(pilot)
        assert step(app).NAME == "Extras"
        written = screen(app).draft.settings()
        assert written["model.id"] == found
        assert dict(plans[found].changes).items() <= written.items()


@pytest.mark.parametrize(
    "text",
    ["", "two words", "a/b/c", "/nowhere/at/all", "~nobody-here/x", "/" + "x" * 5000, "a\x1b/b"],
)
def test_model_names_are_checked(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_model(text)
    assert "\x1b" not in str(error.value)


# --- extras -----------------------------------------------------------------------------------

WRITES = {"name": "ada", "auth": {"accessToken": {"role": "write"}}}
FINE = {
    "name": "ada\x1b[2J" + "x" * 500,
    "auth": {
        "accessToken": {
            "role": "fineGrained",
            "fineGrained": {"scoped": [{"permissions": ["repo.content.read", "repo.write"]}]},
        }
    },
}
READS = {"name": "ada", "auth": {"accessToken": {"role": "read"}}}


@pytest.fixture
def answers() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """The address of a Hub, and what it answers to each token."""
    known: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            status, body = known.get(token, (401, b'{"error": "Invalid user token."}'))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", known
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("told", "writes"),
    [(WRITES, True), (FINE, True), (READS, False), ({}, False), ({"auth": []}, False)],
)
def test_what_a_token_may_do(
    answers: tuple[str, dict[str, tuple[int, bytes]]], told: object, writes: bool
) -> None:
    url, known = answers
    known[TOKEN] = (200, json.dumps(told).encode())
    found = hub_token.check(TOKEN, url)
    assert found.writes == writes
    assert len(found.name) <= hub_token.MAX_NAME


@pytest.mark.parametrize("answer", [(200, b"[]"), (200, b"{"), (500, b""), (429, b"no")])
def test_a_hub_that_fails_is_not_the_tokens_fault(
    answers: tuple[str, dict[str, tuple[int, bytes]]], answer: tuple[int, bytes]
) -> None:
    url, known = answers
    known[TOKEN] = answer
    with pytest.raises(TransientError) as error:
        hub_token.check(TOKEN, url)
    assert TOKEN not in str(error.value)


def test_what_is_no_token_is_not_sent() -> None:
    for text in ("", "short", "with space in it", "x\x1b[2Jxxxxxxxx", "é" * 20):
        with pytest.raises(WaggleError, match="no token"):
            hub_token.check(text)


async def test_a_token_is_checked_shown_by_its_owner_and_kept(
    home: Home,
    tmp_path: Path,
    answers: tuple[str, dict[str, tuple[int, bytes]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, known = answers
    known[TOKEN] = (200, json.dumps(FINE).encode())
    at_hub(monkeypatch, url, tmp_path)
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, "Extras")
        await pilot.press("tab", "tab")
        await paste(pilot, "hf_nobody_knows_this")
        assert "does not know this token" in await enter(pilot)
        assert "This token is not kept." in seen(pilot)
        await pilot.press("end", "ctrl+u")
        await paste(pilot, TOKEN)
        assert TOKEN not in seen(pilot)
        told = await enter(pilot)
        assert "of ada\\x1b[2J" in told
        await pilot.press("escape")
        await settle(pilot, lambda: step(app).NAME == "Model")
        await go(pilot, "Extras")
        await shows(pilot, "there is one already")
        await enter(pilot)
        assert step(app).NAME == "Ready"
    kept = Path(constants.HF_TOKEN_PATH)
    assert kept.read_text() == TOKEN
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not any(TOKEN in path.read_text("utf-8", "replace") for path in home.path.glob("*.*"))


async def test_a_token_that_nobody_could_check_is_not_kept(home: Home) -> None:
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, "Extras")
        await pilot.press("tab", "tab")
        await paste(pilot, TOKEN)
        assert "cannot be asked about this token" in await enter(pilot)
        await enter(pilot)
        assert step(app).NAME == "Ready"
    assert not Path(constants.HF_TOKEN_PATH).exists()
