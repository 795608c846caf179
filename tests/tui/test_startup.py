"""The first frame: before anything heavy is imported, and soon."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.home import REPO_ROOT
from tui import doors

HEAVY = ("torch", "transformers", "hivemind", "web3", "eth_account", "reasoning_gym", "numpy")

FIRST_FRAME = """
import asyncio, sys, time
from pathlib import Path
from core import config
from core.home import Home
from tui.app import WaggleApp
from tui import capture

home = Home(Path(sys.argv[1]))
onboarding = sys.argv[2] == "onboarding"
effective = None if onboarding else config.load("solo", home, env={})

WaggleApp._start_node = lambda self: None

async def main():
    app = WaggleApp(home, effective, onboarding=onboarding)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        print([name for name in sys.argv[3:] if name in sys.modules])
        print("Waggle" in capture.text_of(app) or "STARTING" in capture.text_of(app))

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["onboarding", "dashboard"])
def test_nothing_heavy_is_imported_before_the_first_frame(tmp_path: Path, kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_FRAME, str(tmp_path), kind, *HEAVY],
        capture_output=True,
        text=True,
        cwd=REPO_ROOT,
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
        check=False,
        timeout=60,
    )
    assert done.stdout.split("\n")[:2] == ["[]", "True"], done.stderr


def test_the_first_frame_comes_soon(tmp_path: Path) -> None:
    """Process start to frame, the best of three: the budget is one second on a quiet machine."""
    best = 99.0
    for _ in range(3):
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", FIRST_FRAME, str(tmp_path), "onboarding"],
            capture_output=True,
            cwd=REPO_ROOT,
            env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
            check=True,
            timeout=60,
        )
        best = min(best, time.monotonic() - started)
    assert best < 3.0  # a shared machine; what is measured stands in the benchmarks


def test_every_page_behind_a_door_is_imported_ahead() -> None:
    behind = set(re.findall(r"from tui\.screens\.([\w.]+) import", inspect.getsource(doors)))
    once = {name for name in behind if name.startswith("onboarding.")}
    assert {name for name in behind - once if not name.endswith(".desk")} <= set(doors.PAGES)
    doors.prepare()
