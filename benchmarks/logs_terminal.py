"""A program on a pseudo-terminal, timed from outside: keys go in, bytes come out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path

SIZE = (100, 30)
QUIET_S = 0.06
"""Silence after which an answer is taken to be whole; not counted as part of it."""
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Terminal:
    """Runs `argv` at once."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.began = time.perf_counter()
        self.pid, self._handle = pty.fork()
        if self.pid == 0:
            os.environ.update(
                TERM="xterm-256color", COLORTERM="truecolor", TEXTUAL_ANIMATIONS="none"
            )
            os.execv(argv[0], list(argv))
        columns, rows = SIZE
        fcntl.ioctl(self._handle, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.seen = b""

    def send(self, keys: bytes) -> None:
        self.seen = b""
        os.write(self._handle, keys)

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self._handle], [], [], max(0.0, timeout_s))[0]:
            return False
        try:
            data = os.read(self._handle, 1 << 16)
        except OSError as error:
            raise EOFError("the program ended") from error
        self.seen = (self.seen + data)[-2_000_000:]
        return True

    def until(self, pattern: bytes, timeout_s: float) -> float | None:
        """Seconds until this is in what was drawn since the last key, or None."""
        began = time.perf_counter()
        while time.perf_counter() - began < timeout_s:
            if re.search(pattern, _CONTROL.sub(b"", self.seen)):
                return time.perf_counter() - began
            self._read(min(0.05, timeout_s))
        return None

    def settle(self, quiet_s: float, timeout_s: float = 60.0) -> None:
        """Until nothing was drawn for a while."""
        began = last = time.perf_counter()
        while time.perf_counter() - last < quiet_s and time.perf_counter() - began < timeout_s:
            if self._read(quiet_s):
                last = time.perf_counter()

    def answer(self, keys: bytes, timeout_s: float = 10.0) -> float:
        """Seconds from a key to the last byte of what it draws; the deadline when it draws none."""
        self.send(keys)
        began = last = time.perf_counter()
        if not self._read(timeout_s):
            return timeout_s
        last = time.perf_counter()
        while self._read(QUIET_S):
            last = time.perf_counter()
        return last - began

    @property
    def peak_mib(self) -> float:
        """The most memory the process ever had; Linux only."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._handle)
