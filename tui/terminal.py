"""The terminal itself: who may write to it, what it says, and what happens when it goes away.

Textual redirects only Python's two streams. p2pd, C libraries and warnings write to file
descriptors, so descriptors 1 and 2 point at the log while the screen is up, and Textual draws on
a duplicate of the real terminal that child processes do not inherit.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from textual._xterm_parser import XTermParser
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver

SYNC_START = "\x1b[?2026h"
SYNC_END = "\x1b[?2026l"
"""Around a frame, for terminals that say they show it at once (DEC mode 2026)."""
READY_QUESTION = "\x1b[5n"
READY_ANSWER = b"\x1b[0n"
"""Are you ready? Yes (DSR 5): every terminal since the VT100 answers, in its turn."""
IDLE_S = 0.1
"""How long the input thread sleeps while nothing is typed."""
REST_S = 0.02
"""After the beginning of an answer, its rest comes within this time, or it was a key."""
LAST_ANSWER_S = 0.5
"""How long a console that ends waits for an answer, which would else be typed into the shell."""
SAVE_TITLE = "\x1b[22;2t"
RESTORE_TITLE = "\x1b[23;2t"


class Tty:
    """A file that Textual draws on: counts bytes, and survives the terminal's end."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.written = 0
        self.lost = False
        self._since: float | None = None

    def stuck_s(self, now: float) -> float:
        """For how long (of `time.monotonic`) the terminal has not taken what is being written."""
        since = self._since
        return 0.0 if since is None else now - since

    def write(self, text: str) -> int:
        self._try(lambda: self._file.write(text))
        self.written += len(text.encode("utf-8", "replace"))
        return len(text)

    def flush(self) -> None:
        self._try(self._file.flush)

    def _try(self, act: Callable[[], object]) -> None:
        if self.lost:
            return
        self._since = time.monotonic()
        try:
            act()
        except OSError:
            # A dead writer thread would fill its queue and block the event loop for ever.
            self.lost = True
        finally:
            self._since = None

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
    """Textual's driver, which also hears that the terminal is ready, or gone.

    Textual's own input thread spins at full speed on a closed standard input.
    """

    on_lost: Callable[[], None] | None = None
    on_ready: Callable[[], None] | None = None
    """Input thread: the terminal has answered READY_QUESTION."""
    on_taken: Callable[[], None] | None = None
    """The screen was taken anew, and shows nothing yet."""
    ready_due: Callable[[], bool] | None = None
    """Whether an answer to READY_QUESTION has yet to come."""

    def start_application_mode(self) -> None:
        super().start_application_mode()
        if self.on_taken is not None:
            self._loop.call_soon_threadsafe(self.on_taken)

    def _sigcont_application(self, *_: Any) -> None:
        """Textual takes the screen again without having given it back when only SIGSTOP came."""
        if not self._must_signal_resume:
            self.suspend_application_mode()
        super()._sigcont_application()

    def disable_input(self) -> None:
        deadline = time.monotonic() + LAST_ANSWER_S
        while self.ready_due is not None and self.ready_due() and time.monotonic() < deadline:
            time.sleep(0.01)
        super().disable_input()

    def run_input_thread(self) -> None:
        decode = getincrementaldecoder("utf-8")("replace").decode
        parser = XTermParser(self._debug)
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            held, wait_s = b"", IDLE_S
            while not self.exit_event.is_set():
                data, held = held, b""
                if selector.select(REST_S if data else wait_s):
                    wait_s = ESCAPE_DELAY * 1.1  # then a lone Escape is one
                    try:
                        read = os.read(self.fileno, 4096)
                    except OSError:  # EIO: the terminal hung up
                        read = b""
                    if not read:
                        self._lost()
                        return
                    data, held = self._heard(data + read)
                else:
                    wait_s = IDLE_S
                if data:
                    for event in parser.feed(decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def _heard(self, data: bytes) -> tuple[bytes, bytes]:
        """What was typed, and what may be the beginning of an answer: typed, if no more comes.

        Textual would take an answer for the keys that its letters are.
        """
        typed = data.split(READY_ANSWER)
        for _ in typed[1:]:
            if self.on_ready is not None:
                self.on_ready()
        rest = b"".join(typed)
        if self.ready_due is not None and self.ready_due():
            for size in range(len(READY_ANSWER) - 1, 0, -1):
                if rest.endswith(READY_ANSWER[:size]):
                    return rest[:-size], rest[-size:]
        return rest, b""

    def _lost(self) -> None:
        if self.on_lost is not None:
            self._loop.call_soon_threadsafe(self.on_lost)


def title_sequence(title: str) -> str:
    """Sets the terminal's title. `title` must be clean: a control character would end it early."""
    return f"\x1b]2;{title}\x1b\\"


def write(driver: Any, sequence: str) -> None:
    """Send a sequence when there is a real terminal behind the driver."""
    if driver is not None and not driver.is_headless and not driver.is_web:
        driver.write(sequence)
