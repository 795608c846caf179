"""The product in a real terminal: tmux, keys, what is on the screen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.home import Home
from tests.conftest import wait_until
from tests.support_cli import environment, ledger


class Terminal:
    """A tmux session of its own on a socket of its own."""

    def __init__(self, socket: Path, width: int, height: int, command: str) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        size = ("-x", str(width), "-y", str(height))
        subprocess.run(
            [*self._tmux, "new-session", "-d", "-s", "waggle", *size, command],
            check=True,
            env={**environment(), "TERM": "xterm-256color"},
        )

    def keys(self, *keys: str) -> None:
        subprocess.run([*self._tmux, "send-keys", "-t", "waggle", *keys], check=True)

    def resize(self, width: int, height: int) -> None:
        size = ("-x", str(width), "-y", str(height))
        subprocess.run([*self._tmux, "resize-window", "-t", "waggle", *size], check=True)

    def screen(self) -> str:
        done = subprocess.run(
            [*self._tmux, "capture-pane", "-p", "-t", "waggle"],
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def shows(self, text: str, timeout_s: float) -> str:
        """The screen once `text` is on it."""
        try:
            return wait_until(lambda: self.screen() if text in self.screen() else "", timeout_s)
        except AssertionError:
            raise AssertionError(f"{text!r} never came; the screen:\n{self.screen()}") from None

    def end(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    command = f"{sys.executable} -m core.cli --home {tmp_path / 'home'}; echo ended with $?; cat"
    made = Terminal(tmp_path / "tmux", 80, 24, command)
    yield made
    made.end()


@pytest.mark.slow
def test_a_newcomer_presses_enter_and_watches_it_learn(terminal: Terminal, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    steps = ("step 1 of 6", "step 2 of 6", "step 3 of 6", "step 4 of 6", "step 5 of 6", "Ready.")
    for step in steps:
        terminal.shows(step, 30)
        terminal.keys("Enter")
    screen = terminal.shows("HEALTHY", 60)
    assert "waggle-tiny" in screen
    wait_until(lambda: home.db.exists() and len(ledger(home)) >= 2, 60)
    for row in terminal.screen().splitlines():
        assert "Warning" not in row
        assert "p2pd" not in row, "what other programs print never reaches the screen"

    terminal.resize(160, 50)
    wide = terminal.shows("Peers", 10)
    assert "Rewards" in wide, "wide terminals show the panes side by side"
    terminal.keys("p")
    terminal.shows("PAUSED", 30)
    terminal.keys("p")
    terminal.shows("HEALTHY", 30)
    terminal.keys("?")
    terminal.shows("Copy peer id", 10)
    terminal.keys("Escape")
    terminal.shows(" MiB ", 10)  # keys right after Escape would be read as Alt+key
    terminal.keys("q")
    terminal.shows("Quit Waggle?", 10)
    terminal.keys("Enter")
    terminal.shows("ended with 0", 60)

    before = len(ledger(home))
    terminal.keys("C-c", "C-d")
    again = Terminal(
        tmp_path / "tmux-2",
        *(80, 24),
        f"{sys.executable} -m core.cli --home {home.path}; echo ended with $?; cat",
    )
    try:
        again.shows("Charts", 30)
        wait_until(lambda: len(ledger(home)) > before, 60)
        again.keys("C-c")
        again.shows("Quit Waggle?", 10)
        again.keys("C-c")
        again.shows("ended with", 30)
    finally:
        again.end()
