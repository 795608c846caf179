"""A person at a terminal: the command line on a pty, what it shows, and what is typed."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from types import TracebackType

from tests.support_cli import environment

TIMEOUT_S = 30.0


class Typist:
    """Runs `waggle ARGUMENTS` on a terminal of its own, which is also its controlling one."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.text = ""
        self._seen = 0
        # A session of its own, so that /dev/tty, where a passphrase is asked for, is this one.
        begin = "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        self.child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"{begin}from core.cli import main; sys.exit(main())",
                *arguments,
            ],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(TERM="xterm-256color"),
            cwd="/",
            start_new_session=True,
        )
        os.close(slave)

    def __enter__(self) -> Typist:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        os.close(self.master)

    def read_until(self, pattern: str) -> re.Match[str]:
        """What is shown next and matches; each output is looked at once."""
        deadline = time.monotonic() + TIMEOUT_S
        while (found := re.search(pattern, self.text[self._seen :])) is None:
            assert time.monotonic() < deadline, f"{pattern} is not in {self.text[-2000:]!r}"
            if not self._read():
                raise AssertionError(f"it ended without {pattern}: {self.text[-2000:]!r}")
        self._seen += found.end()
        return found

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait(self) -> int:
        """Its exit code, once it has ended and everything is read."""
        while self._read():
            pass
        return self.child.wait(TIMEOUT_S)

    def _read(self) -> bool:
        """False when the other side is closed."""
        if not select.select([self.master], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self.master, 65_536)
        except OSError:  # Linux: the last process has closed it
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)
