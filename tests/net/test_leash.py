"""The leash where the kernel offers none: the command ends with its parent's pipe."""

from __future__ import annotations

import subprocess
import sys

import psutil

from tests.conftest import wait_until

GUARD = """
import sys
from core.net.leash import guard
sys.exit(guard([sys.executable, "-c", "import time; time.sleep(600)"]))
"""


def test_the_command_ends_when_the_pipe_does():
    leash = subprocess.Popen([sys.executable, "-c", GUARD], stdin=subprocess.PIPE)
    assert leash.stdin is not None
    child = wait_until(lambda: next(iter(psutil.Process(leash.pid).children()), None))
    leash.stdin.close()
    assert leash.wait(10) != 0
    wait_until(lambda: not child.is_running())


def test_an_exit_status_is_passed_on():
    code = (
        'import sys; from core.net.leash import guard; sys.exit(guard(["/bin/sh","-c","exit 7"]))'
    )
    # An open pipe for standard input: end of file there would mean that the parent is gone.
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert child.wait(20) == 7
