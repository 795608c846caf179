"""Bad input, as a user meets it: one clear sentence, an exit status, no traceback, nothing lost."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from core.home import Home
from tests.support_cli import Outcome, rows, waggle

RUN = ("run", "--headless", "--profile", "solo", "--rounds", "1")
SMALL = ("--set", "game.groups=2", "--set", "game.generations=2", "--set", "net.enabled=false")


def refused(done: Outcome, status: int, *words: str) -> None:
    assert done.status == status, done.err
    assert "Traceback" not in done.err + done.out
    for word in words:
        assert word in done.err, done.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("profile: solo\ngame: {groups: 4\n", ("config.yaml, line", "expected")),
        ("game:\n  grups: 4\n", ("config.yaml, line 2", "game.grups", "game.groups")),
        ("game:\n  groups: many\n", ("config.yaml, line 2", "whole number", "many")),
        ("profile: solos\n", ("solos", "solo")),
    ],
)
def test_a_broken_configuration_names_file_line_and_remedy(
    home: Home, text: str, words: tuple[str, ...]
) -> None:
    home.config.write_text(text)
    done = waggle("run", "--headless", "--rounds", "1", "--home", str(home.path))
    refused(done, 2, *words)
    assert home.config.read_text() == text


def test_a_damaged_identity_is_never_overwritten(home: Home) -> None:
    home.identity.write_bytes(b"not a key")
    refused(waggle(*RUN, "--home", str(home.path)), 1, "swarm.pem", "damaged", "backup")
    assert home.identity.read_bytes() == b"not a key"


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    refused(waggle(*RUN, "--home", str(tmp_path / "file")), 1, "Cannot write", "--home")
    refused(waggle(*RUN, "--home", "/proc/waggle"), 1, "Cannot write")


def test_a_second_node_on_one_home_is_explained(home: Home) -> None:
    from core.home import HomeLock

    lock = HomeLock(home)
    lock.acquire()
    try:
        done = waggle(*RUN, "--home", str(home.path))
    finally:
        lock.release()
    refused(done, 1, "already runs", str(os.getpid()), "--home")


@pytest.mark.slow
def test_an_unknown_model_is_explained(home: Home) -> None:
    arguments = (*RUN, *SMALL, "--home", str(home.path))
    refused(waggle(*arguments, "--set", "model.id=/no/where"), 1, "/no/where", "waggle-tiny")


@pytest.mark.slow
def test_a_taken_port_is_explained(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = waggle(*RUN, *SMALL, "--home", str(home.path), "--set", f"chain.devnet_port={port}")
    refused(done, 1, str(port), "in use", "chain.devnet_port")


@pytest.mark.slow
def test_a_damaged_checkpoint_gives_way_to_the_older_one(home: Home) -> None:
    arguments = ("--headless", "--home", str(home.path), *SMALL)
    every = ("--set", "checkpoint.every_rounds=1")
    assert waggle("run", *arguments, *every, "--rounds", "2").status == 0
    newest = max(home.checkpoints.iterdir())
    weights = newest / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64] + bytes(64))
    done = waggle("run", *arguments, "--rounds", "1", "--json")
    assert done.status == 0, done.err
    assert [e["code"] for e in done.named("incident")] == ["checkpoint_damaged"]
    assert done.named("model_loaded")[0]["checkpoint_round"] == 0
    assert newest.with_name(newest.name + ".damaged").exists(), "set aside, not thrown away"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_stops_nothing_and_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)], check=False
        ).returncode
    ):
        pytest.skip("no small disk can be mounted here")
    try:
        home = Home(disk / "home")
        done = waggle(
            *("run", "--headless", "--profile", "solo", "--rounds", "3", "--json"),
            *("--home", str(home.path), "--set", "checkpoint.every_rounds=1", *SMALL),
        )
        assert done.status == 0, done.err
        assert "checkpoint_failed" in {e["code"] for e in done.named("incident")}
        assert len(done.named("round_finished")) == 3
        assert [r for (r,) in rows(home, "select round from ledger order by round")] == [0, 1, 2]
        left = [p.name for p in home.checkpoints.iterdir() if not p.name.startswith("ckpt-")]
        assert left == [], "a checkpoint is whole or absent"
    finally:
        # Lazily: some kernels hold on to a file's pages long after its last process has ended.
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
