"""One console that is given anything, and what must hold whatever it is given.

What is typed goes as bytes through Textual's own parser. What Waggle would write to a terminal is
drawn on a copy of one. After each handful of inputs these must hold: it answers within 20 s,
nothing has failed in any thread, nothing was written that steers a terminal or lies beyond its
edge; now and then also that the terminal shows what the console believes it shows. Escape leads to
the dashboard from everywhere.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textual._xterm_parser import XTermParser
from textual.pilot import Pilot, WaitForScreenTimeout

from core import away, config
from core.home import Home
from tests.tui import fuzz_places as places
from tests.tui.fuzz_app import HARMLESS, FuzzApp, surroundings, watched
from tests.tui.fuzz_inputs import SIZES, Input, random_event, random_input
from tests.tui.support import ReplayNode, round_events
from tui import capture, themes
from tui.painter import CONTROL
from tui.screens.dashboard import Dashboard
from tui.screens.onboarding.screen import OnboardingScreen

ANSWER_S = 20.0
STRAYED = 8
"""Inputs elsewhere after which a console is led back to its place."""
CONSOLE = 160
"""Inputs to one console at most."""
OFFLINE = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}


class Broken(AssertionError):
    """kind: what tells one failure from another."""

    def __init__(self, kind: str, more: str) -> None:
        super().__init__(f"{kind}\n{more}")
        self.kind = kind


@dataclass(frozen=True)
class Play:
    """One console: all that is random before its first input follows from this."""

    seed: int
    number: int
    place: str


class Console:
    """One console and what it is given. here: the place that the last input went to."""

    def __init__(self, folder: Path, play: Play) -> None:
        self._folder, self._play = folder, play
        self._random = random.Random(f"{play.seed} {play.number} {play.place}")
        self._broken: list[str] = []
        self.here = ""
        self._clock = places.NOW
        self._parser = XTermParser()

    # --- what it is given ---------------------------------------------------------------------

    def inputs(self) -> Iterator[Input]:
        """Random ones until it has ended. Drawn while it runs: they go where things are."""
        pick, strayed, app = random.Random(f"{self._play} inputs"), 0, self._app
        yield from self._way()
        for _ in range(CONSOLE):
            if app._exit:
                return
            self.here = places.place_of(app)
            strayed = 0 if self.here == self._play.place else strayed + 1
            if strayed > STRAYED:
                strayed = 0
                if self._play.place not in places.ROUTES:
                    return  # another console begins there
                yield from self._way()
                continue
            scope = getattr(app.screen, "KEY_SCOPE", "") or "onboarding"
            yield random_input(pick, app.size.width, app.size.height, scope)
            if pick.random() < 0.2:
                yield ("settle", pick.random() < 0.1)

    def _way(self) -> Iterator[Input]:
        place = self._play.place
        if place in places.ROUTES:
            yield ("go", places.ROUTES[place])
            if place == places.AWAY:
                yield ("away",)
        elif place in places.IN_ONBOARDING:
            yield ("settle", True)
            for key in filter(None, places.IN_ONBOARDING[place].partition("\r")):
                yield ("type", key)
                yield ("settle", True)

    # --- how it is run ------------------------------------------------------------------------

    async def run(self, steps: Iterator[Input]) -> None:
        """Broken when something does not hold."""
        self._folder.mkdir(parents=True)
        pick = self._random
        dark = {"NO_COLOR": "1"} if pick.random() < 0.2 else {}
        with watched(self._broken.append), surroundings(HOME=str(self._folder), **OFFLINE, **dark):
            app = self._app = self._made(pick)
            try:
                await self._lead(app, pick.choice(SIZES[:4]), steps)
            except Exception as error:  # what failed in the app comes out again as it closes
                if app._exception is None:
                    raise
                raise self._error(repr(app._exception)) from error
        self._check()
        if app.return_code not in (0, None):
            raise self._error(f"it ended with {app.return_code}")

    async def _lead(self, app: FuzzApp, size: tuple[int, int], steps: Iterator[Input]) -> None:
        async with app.run_test(size=size) as pilot:
            await self._opened(pilot)
            for step in steps:
                if app._exit:
                    break
                await self._do(step, pilot)
            await self._settled(pilot, True)

    def _made(self, pick: random.Random) -> FuzzApp:
        place, home = self._play.place, Home(self._folder / "home")
        first = place.startswith(places.FIRST)
        node = self._node = ReplayNode([]) if first else places.furnish(pick, home, place)

        def factory(*_: object) -> ReplayNode:
            if place == places.FAILURE:
                raise places.failing(pick)
            return node

        sets = [
            f"console.ascii={pick.choice(('true', 'false'))}",
            f"console.theme={pick.choice(themes.THEMES).name}",
        ]
        loaded = config.load("trio", home, env={}, sets=sets)
        app = FuzzApp(
            home,
            loaded,
            onboarding=first,
            node_factory=factory,
            clock=lambda: self._clock,
            ticking=False,
        )
        if first:
            self._start = places.first_start(pick, place, home, self._folder.parent)
        return app

    async def _opened(self, pilot: Pilot[str]) -> None:
        app = self._app
        if app._onboarding:
            screen = app.screen
            assert isinstance(screen, OnboardingScreen)
            screen.draft, screen.position = self._start
            await screen._show()
        else:
            for _ in range(2000):
                if app.starting == "" or app.failure is not None:
                    break
                await asyncio.sleep(0.01)
        await self._settled(pilot, True)
        app.tick()
        await self._settled(pilot, True)

    async def _do(self, step: Input, pilot: Pilot[str]) -> None:
        app, (kind, *values) = self._app, step
        if kind == "type":
            self._type(values[0])
        elif kind == "resize":
            await pilot.resize_terminal(*values)
        elif kind == "events":
            pick = random.Random(values[0])
            for _ in range(values[1]):
                self._node.bus.emit(random_event(pick, self._clock))
            app.tick()
        elif kind == "tick":
            app.tick()
        elif kind == "theme":
            app.theme = values[0]
        elif kind == "later":
            self._clock += values[0]
        elif kind == "settle":
            await self._settled(pilot, values[0])
        elif kind == "away":
            await self._away(pilot)
        elif kind == "go":
            await self._go(values[0], pilot)

    def _type(self, text: str) -> None:
        driver = self._app._driver
        assert driver is not None
        for message in self._parser.feed(text):
            driver.process_message(message)
        if text.startswith("\x1b"):
            self._parser.tick()

    async def _go(self, way: str, pilot: Pilot[str]) -> None:
        """Home by Escape, which must lead there from everywhere, and on."""
        for _ in range(60):  # pages open over one another, each with a search of its own
            if self._app._exit or isinstance(self._app.screen, Dashboard):
                break
            self._type("\x1b")
            await self._settled(pilot, False)
        else:
            raise self._error(f"Escape does not lead out of {places.place_of(self._app)}")
        for key in way:
            if not self._app._exit:
                self._type(key)
                await self._settled(pilot, True)

    async def _away(self, pilot: Pilot[str]) -> None:
        """The terminal loses the focus, an hour passes, and somebody comes back."""
        self._type("\x1b[O")
        await self._settled(pilot, True)
        for event in round_events(int(self._clock) % 10**6, self._clock):
            self._node.bus.emit(event)
        self._clock += 2 * away.AWAY_S
        self._app.tick()
        self._type("\x1b[I")
        await self._settled(pilot, True)

    # --- what must hold -----------------------------------------------------------------------

    async def _settled(self, pilot: Pilot[str], whole: bool) -> None:
        if self._app._exit:
            return
        began = time.monotonic()
        try:
            await pilot._wait_for_screen(ANSWER_S)
            if whole:
                await asyncio.wait_for(pilot.pause(), ANSWER_S)
        except (WaitForScreenTimeout, asyncio.TimeoutError):
            raise self._error("it does not answer any more") from None
        if time.monotonic() - began > ANSWER_S:
            raise self._error("it did not answer for too long")
        self._check()
        if whole:
            await self._shown_is_believed()

    def _check(self) -> None:
        app = self._app
        if app._exception is not None:
            raise self._error(f"{app._exception!r}") from app._exception
        if self._broken:
            raise self._error(self._broken[0])
        if not app.unsafe <= HARMLESS:
            raise self._error(f"wrote {app.unsafe - HARMLESS!r}")
        if app.shown.lost:
            raise self._error(f"wrote beyond the edge: {app.shown.lost[:80]!r}")

    async def _shown_is_believed(self) -> None:
        """The copy of the terminal shows what the console believes it shows, within two seconds."""
        app = self._app
        for _ in range(40):
            if app._exit or not app.screen.is_mounted:
                return
            believed = "\n".join(CONTROL.sub("", r) for r in capture.text_of(app).split("\n"))
            shown = app.shown.text().rstrip("\n")
            if shown == believed.rstrip("\n"):
                return
            await asyncio.sleep(0.05)
        rows = zip(shown.split("\n"), believed.split("\n"), strict=False)
        raise self._error(
            "shows something else", str([pair for pair in rows if pair[0] != pair[1]])
        )

    def _error(self, kind: str, more: str = "") -> Broken:
        return Broken(kind, f"{more} in {self.here!r}, {self._play}".strip())
