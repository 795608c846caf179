"""Random keys, clicks, pastes, resizes and events against a whole console, as terminals send them.

What is typed goes as bytes through Textual's own parser; what a node emits has random fields, many
of them hostile. What Waggle would write to a terminal is drawn on a copy of one. After each
handful of inputs three things must hold: nothing has failed in any thread, the terminal shows what
the console believes it shows, and nothing on it moves a cursor.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
import threading
import unicodedata
from collections import deque
from pathlib import Path
from typing import Any, get_type_hints

from rich.color import ColorSystem
from textual._compositor import CompositorUpdate
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.pilot import Pilot
from textual.screen import Screen

import tui.app
from core import config, events
from core.home import Home
from tests.tui import vt
from tests.tui.support import ReplayNode, history, now_of
from tui import capture, keys
from tui.app import WaggleApp
from tui.painter import CONTROL, Painter
from tui.text import UNSAFE

SIZES = ((80, 24), (100, 30), (140, 40), (200, 60), (40, 12), (20, 6), (1, 1), (300, 80), (80, 3))
ESCAPES = (
    *("\x1b", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[5~", "\x1b[6~"),
    *("\x1bOP", "\x1b[15~", "\x1b[Z", "\x1b[3~", "\x1b[I", "\x1b[O", "\x1b[1;5C", "\x1b[99999~"),
    *("\x1b[0n", "\x1b[?2026;2$y", "\x1b[2;2R", "\x1b[<", "\x1b]", "\x1bP", "\x1b[200~"),
)
TYPED = "".join(sorted({key for c in keys.COMMANDS for key in c.keys if len(key) == 1}))
HOSTILE = (
    *("[/foo]", "[bold red]", "\x1b[2J\x1b[31m", "\u202egnp.exe", "日本語" * 9, "\x00\x07"),
    *("a" * 300, "", "e\u0301" * 40, "\ud800", "{}", "\r\n", "\u2028", "עברית", "../../etc"),
    *("👩\u200d👧", "%s%d", "None", "-1", "1e999", "0x", "\\", "'\"", "$(reboot)"),
)
SEQUENCES = re.compile(r"\x1b\[[0-9;]*[mH]")
HARMLESS = set("\u200d\u200e\ufe0f")
"""Joins emoji; keeps a right-to-left name from turning the row around (`tui.widgets.table`)."""
LEAVING = "qQ\r\x03\x11"
"""Keys that may end a console. They are pressed, but not every time that they come up."""


class FuzzApp(WaggleApp):
    """Draws on a copy of a terminal what it would write to a real one."""

    CSS_PATH = Path(tui.app.__file__).with_name("app.tcss")

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.painter = Painter()
        self.shown = vt.Screen(1, 1)
        self.unsafe: set[str] = set()
        """What was written that might steer a terminal, besides the painter's own sequences."""

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        size = (self.size.width, self.size.height)
        if isinstance(renderable, CompositorUpdate) and not self._batch_count:
            if (self.shown.columns, self.shown.lines) != size:
                self.shown.resize(*size)
            text = self.painter.paint(renderable, size, ColorSystem.TRUECOLOR)
            self.unsafe |= {c for c in SEQUENCES.sub("", text) if unicodedata.category(c) in UNSAFE}
            self.shown.feed(text.encode("utf-8", "replace"))
        super()._display(screen, renderable)


class Fuzz:
    """One run: `play` consoles until `count` inputs are made. AssertionError with the last ones."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._last: deque[str] = deque(maxlen=60)
        self._broken: list[str] = []
        self.made = 0
        self.consoles = 0
        self.screens: dict[str, int] = {}
        """Inputs made on each screen."""

    async def play(self, count: int) -> None:
        hook, threading.excepthook = threading.excepthook, self._thread_failed
        try:
            while self.made < count:
                await self._console(count)
        finally:
            threading.excepthook = hook

    def _thread_failed(self, args: threading.ExceptHookArgs) -> None:
        self._broken.append(f"{args.thread}: {args.exc_value!r}")

    async def _console(self, count: int) -> None:
        self.consoles += 1
        pick = self._random
        home = Home(self._folder / f"home-{self.consoles}")
        first_start = pick.random() < 0.2
        node = ReplayNode(history(pick.choice((0, 3, 40))))
        sets = [f"console.ascii={pick.choice(('true', 'false'))}"]
        app = FuzzApp(
            home,
            config.load("trio", home, env={}, sets=sets),
            onboarding=first_start,
            node_factory=lambda *_: node,
            clock=lambda: now_of(40),
            ticking=False,
        )
        async with app.run_test(size=pick.choice(SIZES[:4])) as pilot:
            assert app._driver is not None
            parser = XTermParser()
            while app._exit is False and self.made < count:
                for _ in range(pick.randint(1, 12)):
                    if app._exit:
                        break
                    await self._input(app, app._driver, parser, pilot, node)
                await self._settled(app, pilot)
                self._check(app)
                if pick.random() < 0.03:
                    await self._shown_is_believed(app)
        assert app.return_code in (0, None), self._story(app)

    async def _settled(self, app: FuzzApp, pilot: Pilot[str]) -> None:
        if app._exit:
            return
        try:
            await asyncio.wait_for(pilot.pause(), 20)
        except asyncio.TimeoutError:
            raise AssertionError(f"does not answer any more: {self._story(app)}") from None

    async def _input(
        self, app: FuzzApp, driver: Driver, parser: XTermParser, pilot: Pilot[str], node: ReplayNode
    ) -> None:
        self.made += 1
        name = type(app.screen).__name__
        self.screens[name] = self.screens.get(name, 0) + 1
        dice = self._random.random()
        if dice < 0.02:
            size = self._random.choice(SIZES)
            self._last.append(f"resize {size}")
            await pilot.resize_terminal(*size)
        elif dice < 0.10:
            self._last.append("events")
            for _ in range(self._random.randint(1, 5)):
                node.bus.emit(random_event(self._random))
            app.tick()
        elif dice < 0.14:
            self._last.append("tick")
            app.tick()
        else:
            typed = self._typed(app.size.width, app.size.height)
            self._last.append(repr(typed))
            for message in parser.feed(typed):
                driver.process_message(message)
            if typed.startswith("\x1b"):
                parser.tick()

    def _typed(self, width: int, height: int) -> str:
        pick = self._random
        dice = pick.random()
        if dice < 0.55:
            key = pick.choice(TYPED)
            return "\t" if key in LEAVING and pick.random() < 0.9 else key
        if dice < 0.72:
            return pick.choice(ESCAPES[:9])
        if dice < 0.76:
            return pick.choice(ESCAPES)
        if dice < 0.82:
            return pick.choice("\r\t\x7f ") if pick.random() < 0.5 else chr(pick.randint(1, 31))
        if dice < 0.84:
            return f"\x1b[200~{pick.choice(HOSTILE).replace(chr(27), '')}\x1b[201~"
        if dice < 0.86:
            return chr(pick.choice((pick.randint(32, 126), pick.randint(160, 0x2FFF), 0x1F642)))
        button = pick.choice((0, 0, 0, 2, 35, 64, 65))
        x, y = pick.randint(1, width + 2), pick.randint(1, height + 2)
        return f"\x1b[<{button};{x};{y}M\x1b[<{button};{x};{y}m"

    def _check(self, app: FuzzApp) -> None:
        assert app._exception is None, self._story(app)
        assert not self._broken, (self._broken, self._story(app))
        if app._exit or not app.screen.is_mounted:
            return
        assert app.unsafe <= HARMLESS, (app.unsafe, self._story(app))

    async def _shown_is_believed(self, app: FuzzApp) -> None:
        """The copy of the terminal shows what the console believes it shows, within two seconds."""
        for _ in range(40):
            believed = "\n".join(CONTROL.sub("", r) for r in capture.text_of(app).split("\n"))
            believed = believed.rstrip("\n")
            shown = app.shown.text().rstrip("\n")
            if app._exit or shown == believed:
                return
            await asyncio.sleep(0.05)
        rows = zip(shown.split("\n"), believed.split("\n"), strict=False)
        raise AssertionError(f"{[pair for pair in rows if pair[0] != pair[1]]} {self._story(app)}")

    def _story(self, app: FuzzApp) -> str:
        return f"on {app.screen!r} after {list(self._last)}: {app._exception!r}"


def random_event(pick: random.Random) -> events.Event:
    """Any event, its fields of the right types, and many of them absurd."""
    kind = pick.choice(list(events.EVENT_TYPES.values()))
    hints = get_type_hints(kind)
    values = {f.name: _value(pick, hints[f.name]) for f in dataclasses.fields(kind)}
    # A node's own clock: nobody else can fill it in.
    return kind(**{**values, "time": now_of(40) + pick.uniform(-1e6, 1e6)})


def _value(pick: random.Random, hint: Any) -> Any:
    if hint is bool:
        return pick.random() < 0.5
    if hint is int:
        return pick.choice((0, 1, pick.randint(-5, 50), 10**12, -(2**63), 2**70))
    if hint is float:
        return pick.choice(
            (0.0, now_of(40), pick.uniform(-9, 9), 1e308, float("nan"), float("inf"))
        )
    if hint is str:
        return pick.choice((*HOSTILE, "up", "down", "confirmed", "failed", "reward", "warning"))
    parts = getattr(hint, "__args__", ())
    if type(None) in parts:
        return None if pick.random() < 0.4 else _value(pick, parts[0])
    if getattr(hint, "__origin__", None) is list:
        return [_value(pick, parts[0]) for _ in range(pick.randint(0, 3))]
    if getattr(hint, "__origin__", None) is dict:
        return {_value(pick, str): _value(pick, parts[1]) for _ in range(pick.randint(0, 3))}
    if parts:
        return _value(pick, pick.choice(parts))
    return pick.choice(("peer_id", 3, None, "\x1b[31m"))
