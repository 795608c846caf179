"""Every layer of the sandbox refuses alone, and in processes of their own: a lock has no way back.

The programs here do what foreign code would do if it ran after all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.home import REPO_ROOT
from core.training import seccomp

REACHES = {
    "process": "subprocess.Popen(['true'])",
    "system": "assert os.system('true') == 0",
    "fork": "os._exit(0) if os.fork() == 0 else os.wait()",
    "exec": "os.execv('/bin/true', ['true'])",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "socket": "socket.socket()",
    "write": "open(FOLDER + '/made', 'w')",
    "os_write": "os.open(FOLDER + '/made', os.O_WRONLY | os.O_CREAT)",
    "append": "open(FOLDER + '/there', 'a')",
    "unlink": "os.unlink(FOLDER + '/there')",
    "rename": "os.rename(FOLDER + '/there', FOLDER + '/moved')",
    "mkdir": "os.mkdir(FOLDER + '/made')",
    "chmod": "os.chmod(FOLDER + '/there', 0)",
    "symlink": "os.symlink('/', FOLDER + '/made')",
    "kill": "os.kill(os.getppid(), 0)",
    "unlimit": "resource.setrlimit(resource.RLIMIT_CORE, (1, 1))",
}
PROGRAM = """
import os, resource, socket, subprocess, sys
from core.training import sandbox, seccomp
FOLDER = sys.argv[1]
{lock}
try:
    {reach}
except (OSError, AssertionError, ValueError):
    os._exit(42)
os._exit(0)
"""


def run(lock: str, reach: str, folder: Path) -> int:
    (folder / "there").write_text("x")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(lock=lock, reach=reach), str(folder)],
        cwd=REPO_ROOT,
        timeout=60,
        capture_output=True,
        check=False,
    )
    return ran.returncode


def untouched(folder: Path) -> bool:
    return [p.name for p in folder.iterdir()] == ["there"] and (folder / "there").read_text() == "x"


@pytest.mark.parametrize("name", REACHES)
def test_the_audit_hook_refuses(name: str, tmp_path: Path) -> None:
    assert run("sandbox.install_audit_hook()", REACHES[name], tmp_path) == 42
    assert untouched(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="seccomp is Linux's")
@pytest.mark.parametrize("name", REACHES)
def test_the_kernel_refuses(name: str, tmp_path: Path) -> None:
    assert run("assert seccomp.install()", REACHES[name], tmp_path) == 42
    assert untouched(tmp_path)


@pytest.mark.parametrize("name", ["system", "write", "socket", "mkdir", "unlink"])
def test_without_a_lock_it_would_have_happened(name: str, tmp_path: Path) -> None:
    assert run("", REACHES[name], tmp_path) == 0


def test_reading_a_file_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    secret = "open(FOLDER + '/there').read()"
    assert run("sandbox.install_audit_hook()", secret, tmp_path) == 42
    assert run("", secret, tmp_path) == 0


@pytest.mark.parametrize(
    "code",
    [
        "eval('().__class__')",
        "exec('import json.tool')",
        "eval('(lambda: 1)()')",
        "eval('__import__(chr(111) + chr(115))')",
    ],
)
def test_code_from_a_text_does_not_run_while_scoring(code: str, tmp_path: Path) -> None:
    lock = "sandbox.install_audit_hook(); sandbox.enter_foreign_text()"
    assert run(lock, code, tmp_path) == 42
    assert run("", code, tmp_path) == 0


def test_memory_is_limited(tmp_path: Path) -> None:
    lock = "sandbox.limit_resources()"
    reach = """
    try: bytearray(2 * 2**30)
    except MemoryError: raise OSError"""
    assert run(lock, reach, tmp_path) == 42


def test_the_folder_is_gone_and_the_environment_empty(tmp_path: Path) -> None:
    lock = "os.environ['TOKEN'] = 'x'; sandbox.enter_empty_folder(); sandbox.scrub_environment()"
    assert run(lock, "assert 'TOKEN' not in os.environ; os.getcwd()", tmp_path) == 42
    assert run(lock, "open('made', 'w')", tmp_path) == 42


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_filter_programs_jump_only_within_themselves(machine: str) -> None:
    code = seccomp.program(machine)
    steps = [code[i : i + 8] for i in range(0, len(code), 8)]
    assert len(code) % 8 == 0
    assert len(steps) < 4096
    for position, step in enumerate(steps):
        if step[0] in (0x15, 0x35, 0x45):
            assert position + 1 + max(step[2], step[3]) < len(steps)
    assert steps[-1][0] == 0x06
