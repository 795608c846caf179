"""Copying: to the terminal outside, through real tmux in each of its moods, and through screen."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.home import Home
from tests.conftest import wait_until
from tests.tui.conftest import running
from tests.tui.ptys import Terminal
from tests.tui.support import ME, history, now_of
from tui import clipboard

TMUX = shutil.which("tmux")
SCREEN = shutil.which("screen")
needs_tmux = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")
NO_TMUX = "env PATH=/nowhere "
"""Before a command: the console finds no tmux to ask."""


def copied(console: Terminal) -> list[str]:
    """What reached the clipboard of the terminal outside."""
    return [base64.b64decode(each.partition(";")[2]).decode() for each in console.screen.clipboard]


class Tmux:
    """A server of its own, whose client is a terminal that we read."""

    def __init__(self, folder: Path) -> None:
        self._command = [str(TMUX), "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._folder = folder

    def run(self, *words: str) -> str:
        done = subprocess.run([*self._command, *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def console(self, before: str = "", *options: str) -> Terminal:
        child = f"{before}{sys.executable} -m tests.tui.console_child {self._folder / 'home'}"
        sets = [word for option in options for word in ("set", "-g", *option.split(), ";")]
        return Terminal([*self._command, *sets, "new-session", child])


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    made = Tmux(tmp_path)
    yield made
    made.run("kill-server")


def copies(console: Terminal, seen: Callable[[], object]) -> None:
    console.shows("HEALTHY", "q Quit")
    console.type("y")
    console.read(lambda: bool(seen()), 15)


@needs_tmux
def test_tmux_as_it_comes_gets_it_into_its_buffer_and_outside(tmux: Tmux) -> None:
    """It takes no OSC 52 from programs and lets none pass: its own command does both."""
    with tmux.console() as console:
        copies(console, lambda: ME in copied(console))
        assert tmux.run("show-buffer") == ME


@needs_tmux
def test_a_tmux_out_of_reach_that_takes_osc_52_gets_it(tmux: Tmux) -> None:
    with tmux.console(NO_TMUX, "set-clipboard on") as console:
        copies(console, lambda: tmux.run("show-buffer") == ME)
        console.read(lambda: ME in copied(console), 15)


@needs_tmux
def test_a_tmux_out_of_reach_that_lets_pass_lets_it_pass(tmux: Tmux) -> None:
    with tmux.console(NO_TMUX, "set-clipboard off", "allow-passthrough on") as console:
        copies(console, lambda: ME in copied(console))
        assert tmux.run("show-buffer") == ""


@needs_tmux
def test_through_two_tmux(tmp_path: Path) -> None:
    """The near one is asked by command, and hands it to the far one, which has to take OSC 52."""
    (tmp_path / "near").mkdir()
    near, far = Tmux(tmp_path / "near"), Tmux(tmp_path)
    child = f"{sys.executable} -m tests.tui.console_child {tmp_path / 'home'}"
    inner = f"env -u TMUX {TMUX} -S {tmp_path / 'near' / 'tmux'} -f /dev/null new-session '{child}'"
    outer = [str(TMUX), "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    try:
        with Terminal([*outer, "set", "-g", "set-clipboard", "on", ";", "new", inner]) as console:
            copies(console, lambda: ME in copied(console))
            assert near.run("show-buffer") == ME
            wait_until(lambda: far.run("show-buffer") == ME, 10)
    finally:
        near.run("kill-server")
        far.run("kill-server")


@pytest.mark.skipif(SCREEN is None, reason="GNU screen is not installed")
def test_through_gnu_screen(tmp_path: Path) -> None:
    (tmp_path / "screens").mkdir(mode=0o700)
    child = [sys.executable, "-m", "tests.tui.console_child", str(tmp_path / "home")]
    name = ["env", f"SCREENDIR={tmp_path / 'screens'}", str(SCREEN)]
    try:
        with Terminal([*name, "-U", "-c", "/dev/null", "-S", "copying", *child]) as console:
            copies(console, lambda: ME in copied(console))
    finally:
        subprocess.run([*name, "-S", "copying", "-X", "quit"], check=False)


def test_without_any_of_them_it_is_plain() -> None:
    assert clipboard.sequences("hi", {"TERM": "xterm"}) == "\x1b]52;c;aGk=\a"


@pytest.mark.parametrize("env", [{"STY": "x", "TERM": "screen"}, {"TERM": "screen-256color"}])
def test_screen_gets_strings_that_it_can_hold(env: dict[str, str]) -> None:
    text = "clipboard " * 1000
    written = clipboard.sequences(text, env)
    strings = re.findall(r"\x1bP(.*?)\x1b\\", written, re.DOTALL)
    assert max(map(len, strings)) < 768
    assert "".join(strings) == clipboard.osc52(text)
    assert (written[:4] == "\x1b]52") == ("STY" not in env)


async def test_what_no_terminal_takes_is_written_to_a_file_that_is_named(home: Home) -> None:
    async with running(home, history(1), now_of(1)) as (app, pilot, _):
        text = "x" * (clipboard.MAX_BYTES + 1)
        app.copy_to_clipboard(text)
        await pilot.pause()
        path = home.path / "copied.txt"
        assert path.read_text() == text
        assert path.stat().st_mode & 0o777 == 0o600
        assert any(str(path) in note.message for note in app._notifications)
