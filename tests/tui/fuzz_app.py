"""A console that draws on a copy of a terminal, and what is watched of the process around it."""

from __future__ import annotations

import logging
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.color import ColorSystem
from textual._compositor import CompositorUpdate
from textual.screen import Screen

import tui.app
from tests.tui import vt
from tui.app import WaggleApp
from tui.painter import Painter
from tui.text import UNSAFE

SEQUENCES = re.compile(r"\x1b\[[0-9;]*[mH]")
HARMLESS = set("\u200d\u200e\ufe0f")
"""Joins emoji; keeps a right-to-left name from turning the row around (`tui.widgets.table`)."""


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
            plain = self.screen.background_colors[1] if self.no_color else None
            text = self.painter.paint(renderable, size, ColorSystem.TRUECOLOR, plain)
            self.unsafe |= {c for c in SEQUENCES.sub("", text) if unicodedata.category(c) in UNSAFE}
            self.shown.feed(text.encode("utf-8", "replace"))
        super()._display(screen, renderable)


@contextmanager
def watched(note: Callable[[str], None]) -> Iterator[None]:
    """Whatever fails behind the screen is noted: in a thread, or told to a log only."""
    heard, hook = _Heard(note), threading.excepthook
    threading.excepthook = lambda args: note(f"{args.thread}: {args.exc_value!r}")
    logging.getLogger().addHandler(heard)
    try:
        yield
    finally:
        threading.excepthook = hook
        logging.getLogger().removeHandler(heard)


class _Heard(logging.Handler):
    """Exceptions that somebody logged instead of failing."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self._note(f"{record.name}: {record.getMessage()}: {record.exc_info[1]!r}")


@contextmanager
def surroundings(**values: str) -> Iterator[None]:
    """Of the process: nothing typed into a field may reach this person's files or the network."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
