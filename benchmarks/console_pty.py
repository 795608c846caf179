"""A terminal for benchmarks: a command on a pseudo-terminal, timed and counted to the byte.

It answers what Textual asks of a terminal (whether frames may be bracketed, DEC mode 2026), so that
a frame's last byte can be told from the next frame's first. It draws nothing.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
SIZE = (100, 30)
ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[5n": b"\x1b[0n"}
"""Questions, and what xterm would say: it can bracket frames, and it is ready."""
LONGEST = max(map(len, ANSWERS))
FRAME_END = b"\x1b[?2026l"
KEPT_BYTES = 1 << 20


class Missing(Exception):
    """What was waited for did not come."""


class Terminal:
    """`argv` on a terminal of `size` columns and rows, which is also its controlling one."""

    def __init__(
        self, argv: Sequence[str], size: tuple[int, int] = SIZE, env: dict[str, str] | None = None
    ) -> None:
        self.written = 0
        """Bytes that came so far."""
        self.seen = b""
        self._asked = b""
        self.started = time.monotonic()
        self.master, slave = pty.openpty()
        self.resize(*size)
        begin = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        self.child = subprocess.Popen(
            ["/usr/bin/env", "python3", "-c", f"{begin}os.execvp(sys.argv[1], sys.argv[1:])", *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", **(env or {})},
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
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def forget(self) -> None:
        self.seen = b""

    def read(self, until: Callable[[], bool], timeout_s: float) -> float:
        """Read until `until` holds; the moment of it. Missing when time is up or the child ended."""
        deadline = time.monotonic() + timeout_s
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Missing(repr(self.seen[-1500:]))
            if select.select([self.master], [], [], min(left, 0.2))[0]:
                try:
                    data = os.read(self.master, 65_536)
                except OSError:  # EIO: nobody has it open any more
                    if self.child.wait(30) is not None and not until():
                        raise Missing(repr(self.seen[-1500:])) from None
                    break
                self._take(data)
        return time.monotonic()

    def _take(self, data: bytes) -> None:
        self.written += len(data)
        self.seen = (self.seen + data)[-KEPT_BYTES:]
        # A question may be split between two reads.
        asked = self._asked + data
        for question, answer in ANSWERS.items():
            for _ in range(asked.count(question)):
                os.write(self.master, answer)
            asked = asked.replace(question, b"")
        self._asked = asked[-(LONGEST - 1) :]

    def shows(self, text: str, timeout_s: float = 60.0) -> float:
        """The moment the frame with `text` in it is complete. Searches from the last `forget`."""
        wanted = text.encode()

        def complete() -> bool:
            at = self.seen.find(wanted)
            return at >= 0 and self.seen.find(FRAME_END, at) >= 0

        return self.read(complete, timeout_s)

    def watch(self, seconds: float) -> int:
        """Read for so long; how many bytes came."""
        before, end = self.written, time.monotonic() + seconds
        self.read(lambda: time.monotonic() >= end, seconds + 1)
        return self.written - before
