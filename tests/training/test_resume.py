"""Killed with SIGKILL at random points, while saving too, a run ends bit for bit where an
uninterrupted one ends: weights, optimiser, random states and facts of the last checkpoint."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.home import REPO_ROOT
from core.training.checkpoint import read_manifest, verify
from core.training.store import whole

KILLS = 20
ROUNDS = KILLS + 4
"""A killed process saves one round at most, so all kills come before the end."""


class Runner:
    """Starts training processes one after the other; see `resume_child`."""

    def __init__(self, model: Path) -> None:
        self._source = subprocess.Popen(
            [sys.executable, "-m", "tests.training.resume_child", str(model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPO_ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def start(self, folder: Path) -> int:
        self._source.stdin.write(f"{folder} {ROUNDS}\n")
        self._source.stdin.flush()
        return self._answer("pid")

    def status(self) -> int:
        return self._answer("status")

    def close(self) -> None:
        self._source.stdin.close()
        self._source.wait(30)
        self._source.stdout.close()

    def _answer(self, word: str) -> int:
        said, number = self._source.stdout.readline().split()
        assert said == word
        return int(number)


@pytest.fixture
def runner(model_folders) -> Iterator[Runner]:
    runner = Runner(model_folders["qwen3"])
    yield runner
    runner.close()


def half_written(folder: Path) -> set[str]:
    return {path.name for path in folder.glob(".*.new")}


def wait_for(folder: Path, saving: bool, deadline_s: float = 60) -> float:
    """Until a checkpoint is being written, or no longer is; the time."""
    begun = time.monotonic()
    while bool(half_written(folder)) != saving:
        assert time.monotonic() - begun < deadline_s
        time.sleep(0.0002)
    return time.monotonic()


def until(moment: float) -> None:
    while time.monotonic() < moment:
        pass


@pytest.mark.slow
def test_twenty_kills_change_nothing(runner, tmp_path):
    whole_run, killed_run = tmp_path / "whole", tmp_path / "killed"

    runner.start(whole_run)
    saving, training = [], []
    for _ in range(4):
        begun = wait_for(whole_run, saving=True)
        ended = wait_for(whole_run, saving=False)
        saving.append(ended - begun)
        training.append(wait_for(whole_run, saving=True) - ended)
    assert runner.status() == 0
    save_s, train_s = sorted(saving)[1], sorted(training)[1]

    draw = random.Random(20)
    while_saving = 0
    for kill in range(KILLS):
        pid = runner.start(killed_run)
        begun = wait_for(killed_run, saving=True)
        if kill % 4 == 3:  # between two saves: sampling or training
            ended = wait_for(killed_run, saving=False)
            until(ended + draw.uniform(0, train_s))
        else:
            until(begun + draw.uniform(0, 1.2 * save_s))
        os.kill(pid, signal.SIGKILL)
        assert os.WTERMSIG(runner.status()) == signal.SIGKILL
        while_saving += bool(half_written(killed_run))
        for path in whole(killed_run):
            verify(path)
    assert 5 <= while_saving <= KILLS - 3
    assert len(whole(killed_run)) <= 3

    runner.start(killed_run)
    assert runner.status() == 0
    expected, found = whole(whole_run)[-1], whole(killed_run)[-1]
    assert expected.name == found.name == f"ckpt-{ROUNDS:08d}-round-{ROUNDS - 1}"
    assert read_manifest(expected).files == read_manifest(found).files
    assert {"model.safetensors", "trainer-00001.safetensors"} <= set(read_manifest(found).files)
    assert not half_written(killed_run)
