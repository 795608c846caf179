"""Frames to and from a child process that may hang: every read and write has a deadline."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from pathlib import Path

from core import frames

FIRST_WORD_S = 60.0
SILENCE_S = 10.0
SEND_TIMEOUT_S = 5.0
MAX_LOG_BYTES = 5 * 2**20


class Source:
    """The child's stdout for `frames.read_body`; TimeoutError after too long without a byte.

    FIRST_WORD_S for the first one, because a child has to import much; SILENCE_S then.
    """

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        self._handle = child.stdout.fileno()
        self._patience_s = FIRST_WORD_S

    def read(self, size: int) -> bytes:
        if not select.select([self._handle], [], [], self._patience_s)[0]:
            raise TimeoutError(f"no sign of life for {self._patience_s:g} s")
        self._patience_s = SILENCE_S
        return os.read(self._handle, size)


def send(child: subprocess.Popen[bytes], body: bytes, lock: threading.Lock) -> None:
    """Write `body` as one frame within SEND_TIMEOUT_S, or kill the child, which reads nothing.

    A dead child is not an error here: whoever reads from it sees that.
    """
    assert child.stdin is not None
    data = memoryview(frames.frame(body))
    deadline = time.monotonic() + SEND_TIMEOUT_S
    with lock:
        try:
            handle = child.stdin.fileno()
            os.set_blocking(handle, False)
            while data:
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([], [handle], [], left)[1]:
                    child.kill()  # half a frame is out: nothing after it could be read
                    return
                try:
                    data = data[os.write(handle, data) :]
                except BlockingIOError:
                    continue
        except (OSError, ValueError):
            return


def rotate(log: Path) -> None:
    """Keep one old log beside the current one."""
    try:
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
    except FileNotFoundError:
        return
