"""What the tests of the first start share: a console with nothing set up, and ways through it."""

from __future__ import annotations

import asyncio

from textual.events import Paste
from textual.pilot import Pilot

from core.config import Effective
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.support import START, ReplayNode, begin
from tui import capture
from tui.app import WaggleApp
from tui.screens.onboarding.screen import OnboardingScreen
from tui.screens.onboarding.step import Step
from tui.widgets.choices import Choices

BOOTNODE = "/ip4/127.0.0.1/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"


def console(home: Home, effective: Effective | None = None) -> tuple[WaggleApp, ReplayNode]:
    """effective: what the command line gave, where a test has one."""
    node = ReplayNode(begin())
    app = WaggleApp(
        home,
        effective,
        onboarding=True,
        node_factory=lambda effective, place: node,
        clock=lambda: START + 3,
        ticking=False,
    )
    return app, node


def screen(app: object) -> OnboardingScreen:
    found = app.screen  # type: ignore[attr-defined]
    assert isinstance(found, OnboardingScreen)
    return found


def step(app: object) -> Step:
    return screen(app).step


async def paste(pilot: Pilot[str], text: str) -> None:
    """What a terminal sends when a person pastes into the focused field."""
    pilot.app.screen.focused.post_message(Paste(text))  # type: ignore[union-attr]
    await pilot.pause()


async def fill(pilot: Pilot[str], *texts: str) -> None:
    """Tab to the next field and paste, for each text; what was there is replaced."""
    for text in texts:
        await pilot.press("tab", "end", "ctrl+u")
        if text:
            await paste(pilot, text)


async def quiet(pilot: Pilot[str]) -> None:
    """Until what Enter began is over."""
    await settle(pilot, lambda: not screen(pilot.app)._busy)


async def enter(pilot: Pilot[str]) -> str:
    """Enter, and what is on the screen when it has been answered."""
    await pilot.press("enter")
    await quiet(pilot)
    return seen(pilot)


def seen(pilot: Pilot[str]) -> str:
    """What is on the screen, words that were wrapped put together again."""
    return " ".join(capture.text_of(pilot.app).split())


async def shows(pilot: Pilot[str], text: str) -> None:
    """Until the text is on the screen."""
    await settle(pilot, lambda: text in seen(pilot))


async def go(pilot: Pilot[str], name: str) -> None:
    """Enter until the step of that name is shown."""
    app = pilot.app
    for _ in range(40):
        if name == step(app).NAME:
            return
        before = step(app)
        await pilot.press("enter")
        await settle(pilot, lambda: not screen(app)._busy)
        if step(app) is before:  # it wanted to show something first
            await asyncio.sleep(0.05)
    raise AssertionError(f"{name} was not reached:\n{capture.text_of(app)}")


async def choose(pilot: Pilot[str], id: str) -> None:
    """An entry of the step's list, by keyboard."""
    choices = step(pilot.app).query_one(Choices)
    choices.focus()
    for _ in range(len(choices.choices)):
        if choices.chosen.id == id:
            break
        down = [c.id for c in choices.choices].index(id) > choices.index
        await pilot.press("down" if down else "up")
    assert choices.chosen.id == id
