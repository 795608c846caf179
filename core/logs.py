"""The node's log: one rotating file, 0600, secrets taken out, and the same lines as events.

Standard library logging only. It knows where log lines go; who writes what is everybody's own
matter. A disk that refuses costs one incident, never a line on the terminal.
"""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import Any

from core import events
from core.home import Home, storage_errors
from core.redact import redact
from core.schema import LogSection

KEPT_FILES = 3
MAX_RECORD = 32_000
"""Characters of one record in the file."""
MAX_LINE = 2000
"""Characters of one LogLine event."""
NOISY = (
    "asyncio",
    "urllib3",
    "web3",
    "eth",
    "hivemind",
    "httpx",
    "httpcore",
    "filelock",
    "datasets",
)
"""Libraries that are heard from `warning` on only, unless the level is `debug`."""

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))
_installed: list[logging.Handler] = []


def setup(home: Home, section: LogSection, bus: events.EventBus) -> None:
    """Send everything that is logged in this process to the home's log and to `bus`.

    A second call replaces the first. StorageError when the file cannot be opened.
    """
    teardown()
    root = logging.getLogger()
    level = getattr(logging, section.level.upper())
    with storage_errors(home.log):
        home.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = LogFile(home.log, section.max_mib * 2**20, bus)
    for handler in (file, BusHandler(bus)):
        handler.setLevel(level)
        root.addHandler(handler)
        _installed.append(handler)
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else logging.WARNING)
    logging.captureWarnings(True)


def teardown() -> None:
    """Take away what `setup` installed and close the file."""
    logging.captureWarnings(False)
    while _installed:
        handler = _installed.pop()
        logging.getLogger().removeHandler(handler)
        handler.close()


class Redacting(logging.Formatter):
    """Bounds and redacts the whole formatted record, traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if len(text) > MAX_RECORD:
            text = f"{text[:MAX_RECORD]} ... ({len(text)} characters)"
        return redact(text)


class LogFile(RotatingFileHandler):
    """node.log, node.log.1, ...: each 0600."""

    def __init__(self, path: Any, max_bytes: int, bus: events.EventBus) -> None:
        self._bus = bus
        self._told = False
        super().__init__(path, maxBytes=max_bytes, backupCount=KEPT_FILES, encoding="utf-8")
        self.setFormatter(Redacting("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        handle = os.open(self.baseFilename, flags, 0o600)
        return os.fdopen(handle, "a", encoding="utf-8", errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by logging inside the `except` of a write that failed."""
        if self._told:
            return
        self._told = True
        self._bus.emit(
            events.Incident(
                code="log_unwritable",
                what=f"The log {self.baseFilename} cannot be written",
                why="the disk refused it",
                next_step="Free some disk space; the node goes on without a log until then",
            )
        )


class BusHandler(logging.Handler):
    """Every record as a LogLine event: the message, and the last line of an exception."""

    def __init__(self, bus: events.EventBus) -> None:
        super().__init__()
        self._bus = bus

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError) as error:  # a library's malformed call must not end a thread
            text = f"{record.msg} ({error})"
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        level = next((name for at, name in _LEVELS if record.levelno >= at), "debug")
        line = redact(text[: 2 * MAX_LINE])[:MAX_LINE]
        self._bus.emit(
            events.LogLine(time=record.created, level=level, source=record.name, text=line)
        )
