"""The launcher, in a copy of the house with a tiny lock: a wheel made here, nothing downloaded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from core.home import REPO_ROOT
from tests.conftest import wait_until

CLI = "import sys, tiny; print(tiny.VERSION, sys.argv[1:])"


def wheel(folder: Path, version: str) -> Path:
    """A wheel of one module (PEP 427), written by hand."""
    path = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("tiny.py", f"VERSION = {version!r}\n")
        out.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        out.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        out.writestr(f"{info}/RECORD", "")
    return path


def house(folder: Path) -> Path:
    """A folder with the launcher, a package `core` and locks that need no network."""
    (folder / "core").mkdir(parents=True)
    (folder / "core" / "cli.py").write_text(CLI)
    (folder / "core" / "__init__.py").write_text("")
    (folder / "tests").mkdir()
    (folder / "tests" / "requirements.lock").write_text("")
    shutil.copy2(REPO_ROOT / "waggle", folder / "waggle")
    lock(folder, "1.0")
    return folder


def lock(folder: Path, version: str) -> None:
    (folder / "requirements.lock").write_text(f"tiny @ {wheel(folder, version).as_uri()}\n")


def environment(**changes: str) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("WAGGLE", "PYTHON"))}
    return {**env, "PIP_NO_INDEX": "1", "WAGGLE_PYTHON": sys.executable, **changes}


def launch(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(folder / "waggle"), *arguments],
        capture_output=True,
        text=True,
        env=environment(**changes),
        timeout=120,
    )


def fake_python(path: Path, script: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house after its first start: three at once, of which one sets it up."""
    folder = house(tmp_path_factory.mktemp("first") / "my house")
    starts = [
        subprocess.Popen(
            [str(folder / "waggle"), "hello"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(3)
    ]
    told = [start.communicate(timeout=150) for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], told
    assert [out for out, _ in told] == ["1.0 ['hello']\n"] * 3
    assert sum("Making a virtual environment" in err for _, err in told) == 1
    assert sum("Installing what Waggle needs" in err for _, err in told) == 1
    assert sorted(p.name for p in folder.glob(".venv*")) == [".venv"]
    return folder


def test_the_second_start_sets_nothing_up_and_is_quick(made: Path) -> None:
    fake = fake_python(made / "fake" / "python", "exit 0")
    real = made / ".venv" / "bin" / "python"
    kept = real.readlink()
    real.unlink()
    real.symlink_to(fake)  # what is measured is the launcher, not Python
    try:
        seconds = []
        for _ in range(5):
            begun = time.perf_counter()
            done = launch(made)
            seconds.append(time.perf_counter() - begun)
            assert (done.returncode, done.stderr) == (0, "")
    finally:
        real.unlink()
        real.symlink_to(kept)
    assert min(seconds) < 0.2


def test_it_finds_its_folder_through_links_and_keeps_the_working_folder(
    made: Path, tmp_path: Path
) -> None:
    (tmp_path / "one").symlink_to(made / "waggle")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "two").symlink_to("../one")
    (tmp_path / "core").mkdir()  # a folder of that name where the person stands is not run
    done = subprocess.run(
        [str(tmp_path / "bin" / "two"), "a b", "*"],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=tmp_path,
    )
    assert done.stdout == "1.0 ['a b', '*']\n", done.stderr


def test_a_changed_lock_is_installed(made: Path) -> None:
    lock(made, "2.0")
    done = launch(made)
    assert done.stdout.startswith("2.0 ")
    assert "requirements.lock has changed" in done.stderr
    assert launch(made).stderr == ""


def test_a_failed_installation_is_told_and_gone_on_with(made: Path) -> None:
    good = (made / "requirements.lock").read_text()
    (made / "requirements.lock").write_text("no-such-thing==1.0\n")
    done = launch(made)
    assert done.returncode == 1
    assert "run this again to go on" in done.stderr
    assert done.stdout == ""
    (made / "requirements.lock").write_text(good)
    done = launch(made)
    assert done.returncode == 0
    assert "Making" not in done.stderr


def test_a_venv_whose_python_is_gone_is_made_anew_and_an_interruption_is_gone_on_with(
    made: Path, tmp_path: Path
) -> None:
    real = made / ".venv" / "bin" / "python"
    real.unlink()
    real.symlink_to("/nowhere/python")
    slow = (
        'case "$*" in "-m venv"*) mkdir -p "$3/bin"; sleep 60;; '
        f'*) exec {sys.executable} "$@";; esac'
    )
    process = subprocess.Popen(
        [str(made / "waggle")],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(WAGGLE_PYTHON=str(fake_python(tmp_path / "slow" / "python", slow))),
        start_new_session=True,
    )
    half_made = made / ".venv" / "bin"
    wait_until(lambda: half_made.exists() and not (half_made / "pip").exists(), timeout_s=30)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "anew" in err
    assert "Interrupted" in err
    assert not (made / ".venv.setup").exists()
    (made / ".venv.setup").write_text("999999999\n")  # and one that kill -9 left behind
    done = launch(made)
    assert done.returncode == 0, done.stderr
    assert "anew" in done.stderr
    assert sorted(p.name for p in made.glob(".venv*")) == [".venv"]


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.14"])
def test_a_python_that_does_not_suit_is_told(tmp_path: Path, version: str) -> None:
    folder = house(tmp_path / "house")
    old = fake_python(tmp_path / "old" / "python", f"echo {version}")
    done = launch(folder, WAGGLE_PYTHON=str(old))
    assert done.returncode == 1
    assert f"python is {version}" in done.stderr
    assert "apt install python3" in done.stderr
    assert not (folder / ".venv").exists()
    assert not (folder / ".venv.setup").exists()


def test_no_python_at_all_is_told(tmp_path: Path) -> None:
    done = launch(house(tmp_path / "house"), WAGGLE_PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert "no Python was found at /nowhere/python" in done.stderr


def test_a_missing_venv_module_names_the_package(tmp_path: Path) -> None:
    script = 'case "$2" in *ensurepip*) exit 1;; *) echo 3.11;; esac'
    bare = fake_python(tmp_path / "bare" / "python", script)
    done = launch(house(tmp_path / "house"), WAGGLE_PYTHON=str(bare))
    assert done.returncode == 1
    assert "sudo apt install python3.11-venv" in done.stderr


def test_a_folder_of_somebody_else_is_never_removed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "photo").write_text("x")
    done = launch(house(tmp_path / "house"), WAGGLE_VENV=str(mine))
    assert done.returncode == 1
    assert "is no virtual environment" in done.stderr
    assert (mine / "photo").exists()


def test_test_runs_pytest_with_its_own_lock(made: Path) -> None:
    (made / "tests" / "requirements.lock").write_text("# nothing more\n")
    (made / "pytest.py").write_text("import os, sys; print(sys.argv[1:], os.getcwd())")
    done = launch(made, "test", "-k", "a b")
    assert done.stdout == f"['-k', 'a b'] {made}\n", done.stderr
    assert "what the tests need" in done.stderr
    assert launch(made, "test").stderr == ""
