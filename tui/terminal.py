"""The terminal itself: who may write to it, what happens when it goes away, title, clipboard.

Textual redirects only Python's two streams. p2pd, C libraries and warnings write to file
descriptors, so descriptors 1 and 2 point at the log while the screen is up, and Textual draws on
a duplicate of the real terminal that child processes do not inherit.
"""

from __future__ import annotations

import base64
import contextlib
import os
import selectors
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver


class Tty:
    """A file that Textual draws on: counts bytes, and survives the terminal's end."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.written = 0
        self.lost = False

    def write(self, text: str) -> int:
        if self.lost:
            return len(text)
        self.written += len(text.encode("utf-8", "replace"))
        try:
            return self._file.write(text)
        except OSError:
            # A dead writer thread would fill its queue and block the event loop for ever.
            self.lost = True
            return len(text)

    def flush(self) -> None:
        if not self.lost:
            try:
                self._file.flush()
            except OSError:
                self.lost = True

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return not self.lost

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a lost terminal cannot take what is still buffered
            self._file.close()


@contextlib.contextmanager
def captured_descriptors(log: Path) -> Iterator[Tty]:
    """Within the block, descriptors 1 and 2 are the log and the terminal is `Tty` alone."""
    sys.stdout.flush()
    sys.stderr.flush()
    screen = os.dup(2 if os.isatty(2) else 1)
    kept = [os.dup(1), os.dup(2)]
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))  # this run and the last one: never more
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    tty = Tty(os.fdopen(screen, "w", encoding="utf-8", errors="replace"))
    streams = sys.__stdout__, sys.__stderr__
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    # Textual asks these two for the terminal's size and draws on the second.
    sys.__stdout__ = sys.__stderr__ = tty  # type: ignore[misc, assignment]
    try:
        yield tty
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc]
        for number, saved in enumerate(kept, start=1):
            os.dup2(saved, number)
            os.close(saved)
        tty.close()


class TerminalDriver(LinuxDriver):
    """Textual's driver, which also notices that the terminal is gone.

    Textual's own input thread spins at full speed on a closed standard input.
    """

    on_lost: Callable[[], None] | None = None

    def run_input_thread(self) -> None:
        decode = getincrementaldecoder("utf-8")("replace").decode
        parser = XTermParser(self._debug)
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    try:
                        data = os.read(self.fileno, 4096)
                    except OSError:  # EIO: the terminal hung up
                        data = b""
                    if not data:
                        self._lost()
                        return
                    for event in parser.feed(decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def _lost(self) -> None:
        if self.on_lost is not None:
            self._loop.call_soon_threadsafe(self.on_lost)


def clipboard_sequence(text: str, environ: dict[str, str] | None = None) -> str:
    """OSC 52, wrapped so that tmux and screen hand it on to the terminal outside."""
    env = os.environ if environ is None else environ
    payload = base64.b64encode(text.encode()).decode("ascii")
    plain = f"\x1b]52;c;{payload}\a"
    if env.get("TMUX"):
        return "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if env.get("STY") or env.get("TERM", "").startswith("screen"):
        return f"\x1bP{plain}\x1b\\"
    return plain


def title_sequence(title: str) -> str:
    """Sets the terminal's title. `title` must be clean: a control character would end it early."""
    return f"\x1b]2;{title}\x1b\\"


SAVE_TITLE = "\x1b[22;2t"
RESTORE_TITLE = "\x1b[23;2t"


def write(driver: Any, sequence: str) -> None:
    """Send a sequence when there is a real terminal behind the driver."""
    if driver is not None and not driver.is_headless and not driver.is_web:
        driver.write(sequence)
