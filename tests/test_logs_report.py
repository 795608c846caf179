"""`waggle logs`: the same entries as on the screen, as text and as JSON, also while they come."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import main
from core.home import REPO_ROOT, Home
from tests.logfile_support import line, write_logs

TRACE = "Traceback (most recent call last):\n  File x\nRuntimeError: CUDA out of memory\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    levels = ("DEBUG", "INFO", "WARNING")
    text = "".join(line(n, levels[n % 3], f"round {n} is over") for n in range(90))
    write_logs(home, {"node": text + line(90, "ERROR", "it failed") + TRACE})
    write_logs(home, {"net": line(45.5, "WARNING", "peer \x1b[2J refused")})
    return home


def shown(capsys: pytest.CaptureFixture[str], home: Home, *options: str) -> list[str]:
    assert main(["logs", "--home", str(home.path), *options]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_last_entries_are_shown_with_what_belongs_to_them(home, capsys) -> None:
    rows = shown(capsys, home, "--lines", "3")
    assert rows[0] == "2026-11-25 10:01:28.000 info    node: round 88 is over"
    assert rows[2:6] == [
        "2026-11-25 10:01:30.000 error   node: it failed",
        "    Traceback (most recent call last):",
        "      File x",
        "    RuntimeError: CUDA out of memory",
    ]
    assert rows[6].startswith("    hint: the graphics memory is full")
    assert len(shown(capsys, home)) == 50 + 4


def test_levels_search_log_and_start_work_together(home, capsys) -> None:
    rows = shown(capsys, home, "--since", "2026-11-25 10:00:30", "--level", "warning")
    assert len(rows) == 20 + 1 + 1 + 4
    assert "peer \\x1b[2J refused" in "\n".join(rows)
    rows = shown(capsys, home, "--grep", "ROUND|refused", "--since", "2026-11-25 10:00:40")
    assert [row for row in rows if "refused" in row] == rows  # upper case is taken as it is
    rows = shown(capsys, home, "--grep", "round 4|refused", "--log", "net")
    assert len(rows) == 1


def test_json_has_one_object_for_each_entry(home, capsys) -> None:
    rows = [json.loads(row) for row in shown(capsys, home, "--json", "--lines", "2")]
    assert rows[0]["round"] == 89
    assert rows[1]["time"] == "2026-11-25T10:01:30.000"
    assert rows[1]["level"] == "error"
    assert rows[1]["more"][-1] == "RuntimeError: CUDA out of memory"
    assert rows[1]["hint"]["code"] == "gpu_memory"


@pytest.mark.parametrize(
    ("options", "status", "told"),
    [
        (("--grep", "("), 2, "not a regular expression"),
        (("--log", "nowhere"), 2, "There are: net, node"),
        (("--since", "soon"), 2, "Try 14:05"),
        (("--since", "round 7"), 1, "no round 7"),
        (("--grep", "(x+x+)+y$", "--lines", "9"), 0, ""),
    ],
)
def test_what_cannot_be_used_is_told(home, capsys, options, status: int, told: str) -> None:
    assert main(["logs", "--home", str(home.path), *options]) == status
    assert told in capsys.readouterr().err


def test_a_home_without_logs_is_told(tmp_path: Path, capsys) -> None:
    assert main(["logs", "--home", str(tmp_path)]) == 1
    assert "No log has been written yet" in capsys.readouterr().out


def test_following_prints_each_new_entry_once_and_whole(home: Home) -> None:
    command = [sys.executable, "-m", "core.cli", "logs", "--home", str(home.path)]
    child = subprocess.Popen(
        [*command, "--lines", "1", "--follow", "--json", "--level", "info"],
        stdout=subprocess.PIPE,
        cwd=REPO_ROOT,
    )
    try:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["text"] == "it failed"
        expected = []
        for number in range(4):
            with home.log.open("a") as log:
                log.write(line(100 + number, "INFO", f"new {number}"))
                log.write(line(100 + number, "DEBUG", "not wanted"))
            expected.append(f"new {number}")
            assert json.loads(child.stdout.readline())["text"] == expected[-1]
            if number == 1:  # rotation in between loses nothing
                home.log.rename(home.logs / "node.log.1")
    finally:
        child.kill()
        child.wait()
