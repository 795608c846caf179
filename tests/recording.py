"""The program on a pty, recorded: what it wrote and when, and what stood on the screen then.

Knows the pty and the colours of cells. What the program shows is not judged here, and how a screen
becomes a picture is written in `tests/pictures.py`.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.style import Style

from tests.support_cli import environment
from tests.tui.vt import Screen

QUIET_S = 0.08
"""A screen that nothing was written to for so long is a whole one, not half of the next."""
BUSY_S = 1.0
"""A screen that is never quiet is taken as it is after so long."""
BEGIN = "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
PLAIN = Style()
ELSEWHERE = ("LINES", "COLUMNS", "NO_COLOR", "TMUX", "STY", "XDG_DATA_HOME", "HF_TOKEN")
"""What would tell the program of another terminal or person than the recorded ones."""


@dataclass(frozen=True)
class Shown:
    """A screen at `time_s` seconds after the start: characters and their styles, by row."""

    time_s: float
    cells: tuple[tuple[str, ...], ...]
    styles: tuple[tuple[Style, ...], ...]

    @property
    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.cells) + "\n"


class ColouredScreen(Screen):
    """The same grid, with the style of each cell beside it."""

    def resize(self, columns: int, rows: int) -> None:
        self._pen = AnsiDecoder()
        self._styles = [[PLAIN] * columns for _ in range(rows)]
        super().resize(columns, rows)

    def shown(self, time_s: float) -> Shown:
        return Shown(
            time_s,
            tuple(tuple(row) for row in self._cells),
            tuple(tuple(row) for row in self._styles),
        )

    def _put(self, text: str) -> None:
        start, style = self.x, self._pen.style
        super()._put(text)
        if 0 <= self.y < self.lines:
            self._styles[self.y][start : self.x] = [style] * (self.x - start)

    def _csi(self, op: str, args: str) -> None:
        if op == "m":
            self._pen.decode_line(f"\x1b[{args}m")
        elif op == "J" and args == "2":
            self._styles = [[PLAIN] * self.columns for _ in range(self.lines)]
        super()._csi(op, args)


class Recorder:
    """`waggle ARGUMENTS` on a terminal of its own. Everything it writes is kept with its time."""

    def __init__(self, home: Path, size: tuple[int, int], *arguments: str, **more: str) -> None:
        """home: the person's home folder. size: columns, rows. more: of the environment."""
        self._master, slave = pty.openpty()
        self.size = size
        self._screen = ColouredScreen(*size)
        self.written: list[tuple[float, bytes]] = []
        self.frames: list[Shown] = []
        self._set_size(size)
        around = environment(TERM="xterm-256color", COLORTERM="truecolor", HOME=str(home), **more)
        for name in ELSEWHERE:
            around.pop(name, None)
        self._began = time.monotonic()
        self.child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"{BEGIN}from core.cli import main; sys.exit(main())",
                *arguments,
            ],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=around,
            cwd=home,
            start_new_session=True,
        )
        os.close(slave)

    # --- what a person does -------------------------------------------------------------------

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """The window gets another size; the program is told by SIGWINCH."""
        self.size = (columns, rows)
        self._screen.resize(columns, rows)
        self._set_size(self.size)

    def _set_size(self, size: tuple[int, int]) -> None:
        columns, rows = size
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close_terminal(self) -> None:
        """The window is closed: SIGHUP."""
        os.close(self._master)
        self._master = -1

    def end(self, timeout_s: float) -> int:
        """SIGTERM, if it has not ended; its exit code. TimeoutExpired, after a kill."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        while self._master >= 0 and time.monotonic() < deadline and self._read():
            pass
        try:
            return self.child.wait(max(0.1, deadline - time.monotonic()))
        finally:
            if self.child.poll() is None:
                self.child.kill()
                self.child.wait()
            if self._master >= 0:
                self.close_terminal()

    # --- what a person sees -------------------------------------------------------------------

    @property
    def text(self) -> str:
        return self._screen.text()

    def until(self, wanted: str | Callable[[], object], timeout_s: float) -> Shown:
        """The screen once a text stands on it, or once something else is true, and it is whole."""
        deadline = time.monotonic() + timeout_s
        while not (wanted in self.text if isinstance(wanted, str) else wanted()):
            assert time.monotonic() < deadline, f"{wanted!r} never came:\n{self.text}"
            assert self._read(), f"it ended without {wanted!r}:\n{self.text}"
        return self.after(QUIET_S)

    def after(self, seconds: float) -> Shown:
        """The screen so many seconds later, and whole."""
        deadline = time.monotonic() + seconds
        while self._read() and time.monotonic() < deadline:
            pass
        return self._screen.shown(time.monotonic() - self._began)

    def _read(self) -> bool:
        """Take what was written, up to a moment of quiet. False when the program has ended."""
        new, deadline = False, time.monotonic() + BUSY_S
        while time.monotonic() < deadline and select.select([self._master], [], [], QUIET_S)[0]:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # Linux: the last process has closed it
                return False
            if not data:
                return False
            self._screen.feed(data)
            self.written.append((time.monotonic() - self._began, data))
            new = True
        if new:
            self.frames.append(self._screen.shown(self.written[-1][0]))
        return True


def cast(written: list[tuple[float, bytes]], size: tuple[int, int], until_s: float) -> str:
    """The recording as an asciinema cast, version 2, in real time, as far as `until_s`."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    head = {"version": 2, "width": size[0], "height": size[1], "title": "Waggle"}
    lines = [json.dumps(head)]
    for time_s, data in written:
        if time_s > until_s:
            break
        lines.append(json.dumps([round(time_s, 3), "o", decode(data)], ensure_ascii=False))
    return "\n".join(lines) + "\n"
