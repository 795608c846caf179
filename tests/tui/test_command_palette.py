"""The command palette: what it is drawn with, and what it offers."""

from __future__ import annotations

from core.home import Home
from tests.tui.conftest import running, settle
from tests.tui.support import history, now_of
from tui import capture, keys
from tui.command_palette import ASKS, PROMPT


async def test_it_is_drawn_with_what_every_terminal_has(home: Home) -> None:
    sets = ("console.ascii=true",)
    async with running(home, history(3), now_of(3), (80, 24), sets) as (app, pilot, _):
        await pilot.press("ctrl+p")
        await settle(pilot, lambda: ASKS in capture.text_of(app))
        shown = capture.text_of(app)
        assert f"{PROMPT} {ASKS}" in shown
        assert shown.isascii()


async def test_it_offers_the_commands_of_the_page_below_it(home: Home) -> None:
    async with running(home, history(3), now_of(3), (100, 60)) as (app, pilot, _):
        await pilot.press("ctrl+p")
        await settle(pilot, lambda: "Pause  (p)" in capture.text_of(app))
        shown = capture.text_of(app)
        for command in keys.commands("dashboard"):
            assert (f"{command.title}  ({command.shown})" in shown) is command.palette


async def test_a_terminal_of_no_width_is_no_end(home: Home) -> None:
    """Textual wraps an entry at the width that is left beside its padding, and fails at none."""
    async with running(home, history(3), now_of(3), (100, 21)) as (app, pilot, _):
        await pilot.press("ctrl+p")
        await settle(pilot, lambda: "Pause  (p)" in capture.text_of(app))
        for width in (4, 1, 3, 2, 100):
            await pilot.resize_terminal(width, 36)
            await settle(pilot, lambda: True)
        await settle(pilot, lambda: "Pause  (p)" in capture.text_of(app))
