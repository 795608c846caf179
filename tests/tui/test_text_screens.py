"""What a peer, a model or a log says, on every screen: whatever it is, it is shown as text."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from core import config, events
from core.home import Home
from tests.event_strategies import any_event
from tests.tui.conftest import settle
from tests.tui.fuzz_app import HARMLESS, FuzzApp
from tests.tui.fuzz_inputs import HOSTILE, random_event
from tests.tui.support import ReplayNode, history, now_of
from tui import capture

WALK = (
    *("1", "2", "3", "4", "c", "escape", "r", "down", "enter", "escape", "escape", "l", "escape"),
    *("n", "down", "enter", "escape", "2", "3", "4", "escape", "w", "enter", "escape", "2", "3"),
    *("escape", "s", "escape", "question_mark", "escape"),
)
"""Through every screen and every section of it, and into the details."""


def hostile(event: events.Event, text: str) -> events.Event:
    """The event with that in every field that holds text, also within lists and rows."""

    def filled(value: object) -> object:
        if isinstance(value, str):
            return text
        if isinstance(value, list):
            return [filled(part) for part in value]
        if isinstance(value, dict):
            return {key: filled(part) for key, part in value.items()}
        return value

    names = [field.name for field in dataclasses.fields(event)]
    return dataclasses.replace(event, **{name: filled(getattr(event, name)) for name in names})


def said() -> st.SearchStrategy[list[events.Event]]:
    timed = any_event().map(lambda event: dataclasses.replace(event, time=now_of(3)))
    mixed = st.builds(hostile, timed, st.sampled_from(HOSTILE) | st.text(max_size=60))
    return st.lists(timed | mixed, min_size=20, max_size=60)


@given(said(), st.sampled_from([(80, 24), (140, 40)]), st.booleans())
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_words_leave_their_place(
    heard: list[events.Event], size: tuple[int, int], plain: bool
) -> None:
    asyncio.run(walk([*history(3), *heard], size, plain))


def test_hostile_words_in_every_field_of_every_event() -> None:
    pick = random.Random(5)
    heard = [hostile(random_event(pick, now_of(3)), text) for text in HOSTILE for _ in range(20)]
    asyncio.run(walk([*history(3), *heard], (80, 24), False))


async def walk(heard: list[events.Event], size: tuple[int, int], plain: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, node = Home(Path(folder)), ReplayNode(heard)
        app = FuzzApp(
            home,
            config.load("trio", home, env={}, sets=[f"console.ascii={str(plain).lower()}"]),
            node_factory=lambda *_: node,
            clock=lambda: now_of(3),
            ticking=False,
        )
        async with app.run_test(size=size) as pilot:
            await settle(pilot, lambda: app.starting == "")
            for key in WALK:
                app.simulate_key(key)
                await pilot.pause()
                app.tick()
                await pilot.pause()
                assert app._exception is None
                assert app.unsafe <= HARMLESS, (key, app.unsafe)
                for row in capture.text_of(app).split("\n"):
                    assert cell_len(row) <= size[0], (key, row)
