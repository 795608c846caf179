"""The terminal: descriptors, a lost terminal, the clipboard and the title, on a real pty."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from core.home import REPO_ROOT
from tui import terminal

CONSOLE = """
import sys, os, ctypes, threading, time
from pathlib import Path
from core.home import Home
from core import config
from tests.tui.support import ReplayNode, history, now_of
import tui.session, tui.app
node = ReplayNode(history(5))
defaults = tui.app.WaggleApp.__init__.__kwdefaults__
defaults["clock"] = lambda: now_of(5)
home = Home(Path(sys.argv[1]))
def noise():
    while True:
        os.write(1, b"NOISE-ON-1")
        os.write(2, b"NOISE-ON-2")
        print("NOISE-PRINTED", flush=True)
        os.system("echo NOISE-CHILD")
        time.sleep(0.1)
node_start = node.start
def start():
    threading.Thread(target=noise, daemon=True).start()
    node_start()
node.start = start
if "log.level=debug" in sys.argv:
    tui.app.WaggleApp.key_t = lambda app: 1 / 0
effective = config.load("solo", home, env={}, sets=sys.argv[2:])
code = tui.session.run_session(home, effective, False, None, lambda e, h: node)
(home.path / "ended").write_text(f"{code} {node.asked}")
"""


class Terminal:
    """A console in a child process, on a pty of 80x24."""

    def __init__(self, home: Path, *sets: str) -> None:
        self.home = home
        self.master, slave = pty.openpty()
        import fcntl
        import struct
        import termios

        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.child = subprocess.Popen(
            [sys.executable, "-c", CONSOLE, str(home), *sets],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=REPO_ROOT,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(REPO_ROOT)},
            start_new_session=True,
        )
        os.close(slave)
        self.output = b""

    def read_until(self, wanted: bytes, timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while wanted not in self.output:
            assert time.monotonic() < deadline, self.output[-2000:]
            if select.select([self.master], [], [], 0.1)[0]:
                self.output += os.read(self.master, 65_536)

    def drain(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.output += os.read(self.master, 65_536)
                except OSError:
                    return

    def ended(self, timeout_s: float = 20.0) -> str:
        deadline = time.monotonic() + timeout_s
        while self.child.poll() is None and time.monotonic() < deadline:
            self.drain(0.1)
        assert self.child.poll() is not None, "the console did not end"
        return (self.home / "ended").read_text()

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()


@pytest.fixture
def opened(tmp_path: Path):
    consoles = []

    def make(*sets: str) -> Terminal:
        consoles.append(Terminal(tmp_path / "home", *sets))
        return consoles[-1]

    yield make
    for console in consoles:
        console.close()


def test_no_stray_output_reaches_the_screen(opened) -> None:
    console = opened()
    console.read_until(b"HEALTHY")
    console.drain(1.0)
    os.write(console.master, b"q")
    console.read_until(b"Quit Waggle?")
    os.write(console.master, b"\r")
    assert console.ended().startswith("0 ['stop', 'close']")
    assert b"NOISE" not in console.output
    log = (console.home / "logs" / "console.log").read_text()
    for noise in ("NOISE-ON-1", "NOISE-ON-2", "NOISE-PRINTED", "NOISE-CHILD"):
        assert noise in log
    assert b"\x1b]2;waggle: healthy" in console.output
    assert terminal.RESTORE_TITLE.encode() in console.output


def test_a_lost_terminal_stops_the_node_cleanly(opened) -> None:
    console = opened()
    console.read_until(b"HEALTHY")
    os.close(console.master)
    deadline = time.monotonic() + 20
    while console.child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (console.home / "ended").read_text() == "0 ['stop now', 'close']"


def test_a_lost_terminal_may_leave_the_node_running_without_a_busy_loop(opened) -> None:
    console = opened("console.on_hangup=continue")
    console.read_until(b"HEALTHY")
    os.close(console.master)
    time.sleep(1.5)
    assert console.child.poll() is None
    process = psutil.Process(console.child.pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(2.0)
    assert sum(process.cpu_times()[:2]) - before < 0.5
    console.child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 20
    while console.child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (console.home / "ended").read_text() == "0 ['stop now', 'close']"


def test_a_console_that_fails_stops_the_node_and_says_so(opened) -> None:
    console = opened("log.level=debug")  # CONSOLE fails at this level when `t` is pressed
    console.read_until(b"HEALTHY")
    os.write(console.master, b"t")
    deadline = time.monotonic() + 20
    while console.child.poll() is None and time.monotonic() < deadline:
        console.drain(0.1)
    assert console.child.returncode == 1
    assert b"The console failed" in console.output
    assert "ZeroDivisionError" in (console.home / "logs" / "console.log").read_text()


def test_sigterm_stops_the_node(opened) -> None:
    console = opened()
    console.read_until(b"HEALTHY")
    console.child.send_signal(signal.SIGTERM)
    assert console.ended() == "0 ['stop now', 'close']"


def test_idle_costs_little_on_the_wire(opened) -> None:
    console = opened()
    console.read_until(b"HEALTHY")
    console.drain(2.0)
    before = len(console.output)
    console.drain(4.0)
    assert (len(console.output) - before) / 4 < 1000


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONSOLE, str(tmp_path / "home")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=REPO_ROOT,
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
        check=False,
        timeout=60,
    )
    assert b"The console needs a terminal" in done.stderr


def test_a_dead_terminal_swallows_what_is_drawn() -> None:
    class Dead:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    tty = terminal.Tty(Dead())  # type: ignore[arg-type]
    assert tty.write("abc") == 3
    assert tty.lost
    tty.flush()
    tty.write("more")
