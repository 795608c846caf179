"""Helpers that every part of the suite may use."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

from core.home import Home

os.environ["LANGUAGE"] = "en"  # what the tests compare with, whatever this machine speaks
settings.register_profile("waggle", deadline=None)  # a busy machine is no failure
settings.load_profile("waggle")

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout_s: float = 10.0, every_s: float = 0.01) -> T:
    """The first true value of `predicate`; AssertionError when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout_s} s: {predicate}")
        time.sleep(every_s)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For `-n auto`: more than cores, since slow tests wait for processes of their own."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: one that began last would keep its core busy long after all."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty node home with its folders."""
    made = Home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the suite has configured must not reach a test."""
    for name in os.environ:
        if name.startswith("WAGGLE"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks on identities go into the test's own folder, also those of processes it starts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
