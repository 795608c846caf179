"""A terminal for tests and benchmarks: a command on a pty, read, timed, and counted to the byte.

It answers what the console asks of a terminal: whether frames may be bracketed (DEC mode 2026), so
that a frame's last byte can be told from the next one's first, and whether it is ready (DSR 5).
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from core.home import REPO_ROOT
from tests.tui.vt import Screen

SIZE = (100, 30)
ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[5n": b"\x1b[0n"}
"""Questions, and what xterm would say: it can bracket frames, and it is ready."""
LONGEST = max(map(len, ANSWERS))
FRAME_START = b"\x1b[?2026h"
FRAME_END = b"\x1b[?2026l"
KEPT_BYTES = 1 << 20


class Missing(Exception):
    """What was waited for did not come."""


class Terminal:
    """`argv` on a terminal of `size` columns and rows, which is also its controlling one."""

    def __init__(
        self,
        argv: Sequence[str],
        size: tuple[int, int] = SIZE,
        env: dict[str, str] | None = None,
        answers: bool = True,
    ) -> None:
        """answers: whether it says anything; the dumbest do not."""
        self.screen = Screen(*size)
        self._answers = answers
        self.written = 0
        """Bytes that came so far."""
        self.seen = b""
        """The last megabyte of it, since `forget`."""
        self._asked = b""
        self.started = time.monotonic()
        self.master, slave = pty.openpty()
        self.resize(*size)
        begin = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        self.child = subprocess.Popen(
            [sys.executable, "-c", f"{begin}os.execvp(sys.argv[1], sys.argv[1:])", *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=REPO_ROOT,
            env=_environment(env or {}),
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.read(until=lambda: self.child.poll() is not None, timeout_s=30)
            except Missing:
                self.child.kill()
        self.child.wait()
        os.close(self.master)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(columns, rows)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> float:
        """The moment just before."""
        now = time.monotonic()
        os.write(self.master, keys.encode())
        return now

    def forget(self) -> None:
        self.seen = b""

    def read(self, until: Callable[[], bool], timeout_s: float = 60.0) -> float:
        """Read until `until` holds; the moment of it. Missing when that does not come."""
        deadline = time.monotonic() + timeout_s
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Missing(self.screen.text())
            if select.select([self.master], [], [], min(left, 0.1))[0]:
                try:
                    data = os.read(self.master, 65_536)
                except OSError:  # EIO: nobody has it open any more
                    self.child.wait(timeout_s)
                    if until():
                        break
                    raise Missing(self.screen.text()) from None
                self._take(data)
        return time.monotonic()

    def _take(self, data: bytes) -> None:
        self.written += len(data)
        self.seen = (self.seen + data)[-KEPT_BYTES:]
        self.screen.feed(data)
        # A question may be split between two reads.
        asked = self._asked + data
        for question, answer in ANSWERS.items() if self._answers else ():
            for _ in range(asked.count(question)):
                os.write(self.master, answer)
            asked = asked.replace(question, b"")
        self._asked = asked[-(LONGEST - 1) :]

    @property
    def whole(self) -> bool:
        """No frame has begun and not ended."""
        return self.seen.rfind(FRAME_END) >= self.seen.rfind(FRAME_START)

    def shows(self, *texts: str, timeout_s: float = 60.0) -> float:
        """The moment at which all `texts` are on the screen and the frame is complete."""

        def complete() -> bool:
            shown = self.screen.text()
            return self.whole and all(text in shown for text in texts)

        return self.read(complete, timeout_s)

    def watch(self, seconds: float) -> int:
        """Read for so long; how many bytes came."""
        before, end = self.written, time.monotonic() + seconds
        self.read(lambda: time.monotonic() >= end, seconds + 1)
        return self.written - before

    def trickle(self, seconds: float, bytes_s: float) -> None:
        """Read for so long as over a slow line: so many bytes a second."""
        began, taken = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            allowed = int(passed * bytes_s) - taken
            if allowed > 0 and select.select([self.master], [], [], 0.01)[0]:
                data = os.read(self.master, allowed)
                taken += len(data)
                self._take(data)
            else:
                time.sleep(0.01)

    def ended(self, timeout_s: float = 30.0) -> int:
        """The exit status, once the child has ended."""
        self.read(lambda: self.child.poll() is not None, timeout_s)
        return int(self.child.returncode)


def _environment(given: dict[str, str]) -> dict[str, str]:
    """This process's own, without what it says of the terminal that this process runs in."""
    said = ("TMUX", "STY", "COLORTERM", "NO_COLOR", "LINES", "COLUMNS", "TERM_PROGRAM")
    kept = {name: value for name, value in os.environ.items() if name not in said}
    return {**kept, "TERM": "xterm-256color", "PYTHONPATH": str(REPO_ROOT), **given}
