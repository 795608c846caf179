"""Step 4: how long a round takes, measured while the list is there already, or why it is not."""

from __future__ import annotations

import re

import pytest

from core import config, free_memory, measuring
from core.home import Home
from tests.tui.conftest import settle
from tests.tui.onboarding_support import console, enter, go, seen, shows, step


async def test_how_long_a_round_takes_is_measured_and_told(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By this machine itself, while the list can be used already."""
    monkeypatch.setattr(measuring, "SESSION", measuring.Measurement())
    app, _ = console(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, "Model")
        await shows(pilot, "measuring ...")
        await pilot.press("down", "up")
        await settle(pilot, lambda: step(app)._machine is not None, 60)  # type: ignore[attr-defined]
        told = seen(pilot)
        assert "measuring" not in told
        for known in (r"waggle-tiny \(1M\) fits: \d+\.\d GiB", r"SmolLM2-135M-Instruct \(135M\)"):
            assert re.search(known + r".*? about [\d.]+ (s|min|h) a round", told)


async def test_why_no_time_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = config.load("solo", home, env={}, sets=["model.device=cuda"])
    monkeypatch.setattr(free_memory, "budget", lambda config, device: 16 * 2**30)
    app, _ = console(home, elsewhere)
    async with app.run_test(size=(80, 24)) as pilot:
        await go(pilot, "Model")
        await shows(pilot, "GiB, - a round")
        assert "How long a round takes is not measured on cuda." in seen(pilot)
        await enter(pilot)
        assert step(app).NAME == "Extras"
