"""The console on a real terminal: descriptors, signals, a lost terminal, and every kind of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.home import REPO_ROOT, Home, HomeLock
from tests.conftest import wait_until
from tests.tui.ptys import Terminal
from tui import terminal

Open = Callable[..., Terminal]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens a console with these words, once its dashboard is drawn."""
    consoles: list[Terminal] = []

    def make(*words: str, **how: Any) -> Terminal:
        child = [sys.executable, "-m", "tests.tui.console_child", str(tmp_path / "home"), *words]
        console = Terminal(child, **{"size": (80, 24), **how})
        consoles.append(console)
        console.shows("HEALTHY", "q Quit")
        return console

    yield make
    for console in consoles:
        if console.child.poll() is None:
            console.child.kill()
        console.child.wait()


def ended(tmp_path: Path) -> dict[str, Any]:
    """What came of it, once it is written down."""
    path = tmp_path / "home" / "ended"
    wait_until(path.exists, 20)
    return json.loads(wait_until(path.read_text, 20))


def test_no_stray_output_reaches_the_screen(opened: Open, tmp_path: Path) -> None:
    console = opened("--noise")
    log = tmp_path / "home" / "logs" / "console.log"
    noises = ("NOISE-ON-1", "NOISE-ON-2", "NOISE-PRINTED", "NOISE-CHILD")
    console.read(lambda: all(noise in log.read_text() for noise in noises))
    console.type("q")
    console.shows("Quit Waggle?")
    console.type("\r")
    assert console.ended() == 0
    assert ended(tmp_path)["asked"] == ["stop", "close"]
    assert b"NOISE" not in console.seen
    assert console.screen.title.startswith("waggle: healthy")
    assert terminal.RESTORE_TITLE.encode() in console.seen


def test_a_lost_terminal_stops_the_node_cleanly(opened: Open, tmp_path: Path) -> None:
    console = opened()
    os.close(console.master)
    assert ended(tmp_path)["asked"] == ["stop now", "close"]
    assert console.child.wait(20) == 0


def test_a_hang_up_stops_the_node_cleanly(opened: Open, tmp_path: Path) -> None:
    console = opened()
    console.child.send_signal(signal.SIGHUP)
    assert console.ended() == 0
    assert ended(tmp_path)["asked"] == ["stop now", "close"]


def test_a_lost_terminal_may_leave_the_node_running_without_a_busy_loop(
    opened: Open, tmp_path: Path
) -> None:
    console = opened("console.on_hangup=continue")
    os.close(console.master)
    process = psutil.Process(console.child.pid)
    # Gone from the screen: only the thread that waits for the node is left of the console.
    wait_until(lambda: process.num_threads() < 4, 20)
    before = sum(process.cpu_times()[:2])
    time.sleep(1.0)
    assert sum(process.cpu_times()[:2]) - before < 0.25
    assert console.child.poll() is None
    console.child.send_signal(signal.SIGTERM)
    assert ended(tmp_path)["asked"] == ["stop now", "close"]


def test_a_console_that_fails_stops_the_node_and_says_so(opened: Open, tmp_path: Path) -> None:
    console = opened("--fails")
    console.type("t")
    assert console.ended() == 1
    assert b"The console failed" in console.seen
    assert "ZeroDivisionError" in (tmp_path / "home" / "logs" / "console.log").read_text()


def test_sigterm_stops_the_node(opened: Open, tmp_path: Path) -> None:
    console = opened()
    console.child.send_signal(signal.SIGTERM)
    assert console.ended() == 0
    assert ended(tmp_path)["asked"] == ["stop now", "close"]


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
def test_a_console_that_was_stopped_comes_back_whole(opened: Open, stop: signal.Signals) -> None:
    console = opened()
    process = psutil.Process(console.child.pid)
    console.child.send_signal(stop)
    console.read(lambda: process.status() == psutil.STATUS_STOPPED)
    console.watch(0.1)
    console.screen.resize(80, 24)  # the shell has written over it
    console.child.send_signal(signal.SIGCONT)
    console.shows("HEALTHY", "q Quit")
    console.type("2")
    console.shows("quick amber otter")
    names = [thread.id for thread in process.threads()]
    assert len(names) < 12, "the threads of the first screen are still there"


def test_a_garbled_screen_is_drawn_anew(opened: Open) -> None:
    console = opened()
    console.screen.resize(80, 24)
    console.type("\x0c")
    console.shows("HEALTHY", "Loss", "q Quit")


def test_a_storm_of_sizes_ends_in_the_last_one(opened: Open) -> None:
    console = opened()
    for number in range(200):
        console.resize(40 + number * 7 % 120, 10 + number * 3 % 40)
        console.watch(0.005)
    for size in ((60, 20), (140, 40), (1, 1), (300, 100), (100, 30)):
        console.resize(*size)
        console.watch(0.05)
    console.shows("HEALTHY", "q Quit", "Loss")
    assert console.screen.rows()[-1].endswith("q Quit")
    assert console.child.poll() is None


KINDS = {
    "xterm-256color": r"\x1b\[[0-9;]*48;5;",
    "xterm": r"\x1b\[[0-9;]*4[0-7]",
    "screen": r"\x1b\[[0-9;]*4[0-7]",
    "screen-256color": r"\x1b\[[0-9;]*48;5;",
    "tmux-256color": r"\x1b\[[0-9;]*48;5;",
    "linux": r"\x1b\[[0-9;]*4[0-7]",
    "vt100": r"\x1b\[[0-9;]*m",
}
"""By TERM: the colours that must be there."""
LOW = "•○▲▼►◄↑↓→←"
"""Of code page 437 as well; Python takes their places for control characters."""


@pytest.mark.parametrize("term", KINDS)
def test_each_kind_of_terminal_gets_the_colours_it_has(opened: Open, term: str) -> None:
    console = opened(env={"TERM": term}, answers=term.startswith("xterm"))
    console.type("2")
    console.shows("quick amber otter")
    text = console.seen.decode()
    assert re.search(KINDS[term], text)
    assert "38;2;" not in text
    if "256" not in term:
        assert "38;5;" not in text
    if term == "vt100":
        assert console.screen.text().isascii()
    if term == "linux":
        console.screen.text().translate(dict.fromkeys(map(ord, LOW))).encode("cp437")


def test_colorterm_asks_for_all_colours(opened: Open) -> None:
    assert b"48;2;" in opened(env={"COLORTERM": "truecolor"}).seen


def test_no_color_sends_none(opened: Open) -> None:
    console = opened(env={"NO_COLOR": "1"})
    console.type("2")
    console.shows("quick amber otter")
    console.type("?")
    console.shows("Every metric of the run")
    assert not re.search(rb"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]", console.seen)


def test_a_terminal_that_cannot_place_a_cursor_is_told_so(tmp_path: Path) -> None:
    child = [sys.executable, "-m", "tests.tui.console_child", str(tmp_path / "home")]
    console = Terminal(child, env={"TERM": "dumb"})
    assert console.ended() == 1
    assert b"waggle run --headless" in console.seen
    assert b"\x1b" not in console.seen


def test_without_a_terminal_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tui.console_child", str(tmp_path / "home")],
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


def test_a_node_that_cannot_start_is_told_again_in_the_shell(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    lock = HomeLock(home)
    lock.acquire()
    words = ["--home", str(home.path), "run", "--profile", "solo"]
    with Terminal([sys.executable, "-m", "core.cli", *words], size=(80, 24)) as console:
        console.shows("Another Waggle already runs", "One node per home folder.", "Enter Leave")
        console.type("\r")
        assert console.ended() == 1
        assert b"waggle: Another Waggle already runs" in console.seen
    lock.release()
