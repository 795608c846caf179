"""The product in a real terminal: tmux, keys, what is on the screen; and the screenshots."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import load
from core.home import REPO_ROOT, Home
from tests.conftest import wait_until
from tests.support_cli import environment, ledger
from tui.app import WaggleApp
from tui.capture import save

SCREENSHOTS = REPO_ROOT / "screenshots"


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
    terminal.shows("Everywhere", 10)
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


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_screenshots_of_a_running_node(tmp_path: Path) -> None:
    """A real solo node under Pilot. KEEP_SCREENSHOTS=40 writes screenshots/ after 40 rounds."""
    from core.config import save_user_config

    kept = os.environ.get("KEEP_SCREENSHOTS")
    folder = SCREENSHOTS if kept else tmp_path / "screenshots"
    rounds = int(kept or 3)
    # The home's path is on the screen: a kept picture shows a short one that is nobody's.
    home = Home(Path(tempfile.mkdtemp(prefix="waggle-")) if kept else tmp_path / "home")
    home.create()
    save_user_config(home, {"profile": "solo"})
    effective = load(home=home)
    app = WaggleApp(home, effective, onboarding=False)
    async with app.run_test(size=(120, 36)) as pilot:

        async def until(done: object, timeout_s: float) -> None:
            import asyncio
            import time

            deadline = time.monotonic() + timeout_s
            while not done():  # type: ignore[operator]
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)

        await until(lambda: app.state.ledger.trained >= rounds, 60 + 3 * rounds)
        await pilot.pause()
        save(app, folder, "dashboard")
        for key, name in (("r", "rollouts"), ("l", "logs"), ("question_mark", "help")):
            await pilot.press(key)
            await pilot.pause(0.5)
            save(app, folder, name)
            await pilot.press("escape")
        await pilot.press("q")
        await pilot.pause(0.5)
        save(app, folder, "quit")
        await pilot.press("s")
        await until(lambda: app.node is None or not app.node.running, 30)
    for name in ("dashboard", "rollouts", "logs", "help", "quit"):
        assert (folder / f"{name}.svg").stat().st_size > 2000
    assert "waggle-tiny" in (folder / "dashboard.txt").read_text()
