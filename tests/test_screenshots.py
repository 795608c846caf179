"""Every screen of the console as a picture, from one newcomer's walk with a real node.

KEEP_SCREENSHOTS=20 writes screenshots/ after 20 rounds, with two more nodes for company in the
second half. Without it a few rounds are enough, and the pictures go where the test's files go.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.home import REPO_ROOT, Home
from tests import pictures
from tests.conftest import wait_until
from tests.recording import Recorder, Shown, cast
from tests.support_cli import ledger

SCREENSHOTS = REPO_ROOT / "screenshots"
SIZE = (100, 30)
SIZES = ((80, 24), (140, 40))
ROUNDS = int(os.environ.get("KEEP_SCREENSHOTS", "0"))
HOMES = Path("/tmp/you")
"""The person's home folder in pictures that are kept: it stands on some screens."""
STEPS = ("swarm", "identity", "account", "model", "extras", "ready")
FILM_S = 60.0
FILM_FRAMES = 48
MAX_CAST_BYTES, MAX_FILM_BYTES, MAX_PNG_BYTES = 400_000, 600_000, 150_000
AWAY_S = 2400
"""So much longer ago than it was: a look younger than ten minutes is not worth a card."""

PAGES = (
    ("charts", "c", "Smooth", ""),
    ("charts-one", "c", "Smooth", "\r\x1b[D\x1b[D\x1b[D"),
    ("rollouts", "r", "best answer", ""),
    ("logs", "l", "n Next", ""),
    ("rewards", "w", "c Check", ""),
    ("rewards-counters", "w", "c Check", "2"),
    ("settings", "s", "u Undo", ""),
    ("help", "?", "This page", ""),
)
"""Name of the picture, key, a text of the page, further keys there."""
COMPANY = (
    ("peers", "n", "Enter Details", ""),
    ("peers-gossip", "n", "Enter Details", "2"),
    ("peers-network", "n", "Enter Details", "3"),
)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Path]:
    """A home folder for one walk: short and nobody's when the pictures are kept."""
    folder = HOMES if ROUNDS else tmp_path / "you"
    folder.mkdir()
    yield folder
    if ROUNDS:
        shutil.rmtree(folder)


class Walk:
    """What a person does in the walk; a picture of each screen on the way."""

    def __init__(self, console: Recorder, folder: Path) -> None:
        self.console = console
        self._folder = folder
        self._patience_s = 1.2 if ROUNDS else 0.1

    def take(self, name: str) -> Shown:
        shown = self.console.after(self._patience_s)
        pictures.save(shown, self._folder, name)
        return shown

    def visit(self, name: str, key: str, text: str, more: str) -> None:
        """A page of the dashboard and back; some pages close what is open first."""
        self.console.press(key)
        self.console.until(lambda: not self.at_dashboard() and text in self.console.text, 15)
        if more:
            self.console.after(self._patience_s)
            self.console.press(more)
        self.take(name)
        for _ in range(3):
            if self.at_dashboard():
                return
            self.console.press("\x1b")
            self.console.after(0.5)  # a key right after Escape would be read as Alt+key
        self.console.until(self.at_dashboard, 10)

    def at_dashboard(self) -> bool:
        return " p Pause" in self.console.text


@pytest.mark.slow
@pytest.mark.timeout(600 if ROUNDS else 300)
def test_a_newcomers_walk_in_pictures(tmp_path: Path, person: Path) -> None:
    folder = SCREENSHOTS if ROUNDS else tmp_path / "screenshots"
    home = Home(person / ".local" / "share" / "waggle")

    def trained() -> int:
        return len(ledger(home)) if home.db.exists() else 0

    console = Recorder(person, SIZE, WAGGLE__CONSOLE__ON_HANGUP="continue")
    try:
        walk = Walk(console, folder)
        for number, step in enumerate(STEPS):
            console.until(f"step {number + 1} of 6" if step != "ready" else "Ready.", 30)
            if step == "model":
                console.until("a round", 60)  # how long one takes is being measured
            walk.take(f"first-start-{number + 1}-{step}")
            console.press("\r")
        console.until("HEALTHY", 60)
        console.until(lambda: trained() >= 2 + ROUNDS, 60 + 4 * ROUNDS)
        walk.take("dashboard")
        for page in PAGES:
            walk.visit(*page)
        film(console, folder)
        for size in SIZES:
            console.resize(*size)
            console.until(walk.at_dashboard, 15)
            walk.take(f"dashboard-{size[0]}x{size[1]}")
        console.resize(*SIZE)
        console.until(walk.at_dashboard, 15)
        console.press("\x10")
        console.until("Search", 10)
        walk.take("palette")
        console.press("\x1b")
        console.until(lambda: "Search" not in console.text, 10)
        console.press("q")
        console.until("Esc Stay", 10)
        walk.take("quit")
        console.press("\x1b")
        console.until(walk.at_dashboard, 10)
        before = trained()
        console.close_terminal()
        wait_until(lambda: trained() >= before + 2 + ROUNDS // 4, 60 + 2 * ROUNDS)
    finally:
        console.end(60)

    look = json.loads(home.look.read_text())
    home.look.write_text(json.dumps({**look, "time": look["time"] - AWAY_S}))
    company = ("run", "--set", "swarm.nodes=3", "--set", "model.threads=1") if ROUNDS else ()
    console = Recorder(person, SIZE, *company)
    try:
        walk = Walk(console, folder)
        console.until("Enter Go on", 30)
        walk.take("away")
        console.press("\r")
        console.until("HEALTHY" if ROUNDS else walk.at_dashboard, 60)
        before = trained()
        console.until(lambda: trained() >= before + ROUNDS // 2, 60 + 4 * ROUNDS)
        for page in COMPANY:
            walk.visit(*page)
        # A second one in the same home cannot start, and says so.
        second = Recorder(person, SIZE, "run")
        try:
            second.until("Enter Leave", 30)
            Walk(second, folder).take("failure")
            second.press("\r")
        finally:
            second.end(30)
    finally:
        status = console.end(60)
    assert status == 0
    assert_pictures(folder)


def film(console: Recorder, folder: Path) -> None:
    """What was seen so far, as a cast and as a picture that moves."""
    folder.mkdir(parents=True, exist_ok=True)
    text = cast(console.written, console.size, FILM_S)
    (folder / "first-minute.cast").write_text(text, encoding="utf-8")
    frames = [frame for frame in console.frames if frame.time_s <= FILM_S and frame.text.strip()]
    if ROUNDS:
        seen = any("HEALTHY" in frame.text for frame in frames)
        assert seen, "the machine was too busy: a minute did not reach the first round"
    svg = pictures.moving(pictures.thinned(frames, FILM_FRAMES))
    (folder / "first-minute.svg").write_text(svg, encoding="utf-8")


def assert_pictures(folder: Path) -> None:
    """Everything is there, is what it says, and is small."""
    names = [f"first-start-{number + 1}-{step}" for number, step in enumerate(STEPS)]
    names += [page[0] for page in (*PAGES, *COMPANY)]
    names += ["dashboard", *(f"dashboard-{w}x{h}" for w, h in SIZES)]
    names += ["palette", "quit", "away", "failure"]
    for name in names:
        png = (folder / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        assert len(png) < MAX_PNG_BYTES, name
        assert (folder / f"{name}.svg").read_text(encoding="utf-8").endswith("</svg>\n")
    assert "waggle-tiny" in (folder / "dashboard.txt").read_text(encoding="utf-8")
    assert (folder / "first-minute.cast").stat().st_size < MAX_CAST_BYTES
    film_ = (folder / "first-minute.svg").read_text(encoding="utf-8")
    assert len(film_.encode()) < MAX_FILM_BYTES
    assert film_.count("@keyframes") > 3, "it moves"
    for file in folder.iterdir():
        if file.suffix in (".svg", ".txt", ".cast"):
            shown = file.read_text(encoding="utf-8")
            assert str(REPO_ROOT) not in shown, file
            assert os.uname().nodename not in shown, file
