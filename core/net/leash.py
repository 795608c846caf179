"""Runs one command that must not outlive the process that asked for it.

`python -I -S leash.py PARENT_PID MIB COMMAND...`. MIB: of memory that the command may have, as a
last resort; 0 is no limit. On Linux the kernel is asked to kill the command when
its parent dies (prctl(2), PR_SET_PDEATHSIG), then the command takes this process over: same pid,
no memory of ours. Elsewhere this process stays and waits for the end of its standard input, which
is a pipe from the parent. Imports the standard library only, so that it starts in milliseconds.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def become(parent: int, command: list[str]) -> None:
    """Linux: tie this process to its parent, then exec. Never returns."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(1)  # the parent died before the kernel knew of the tie
    os.execv(command[0], command)


def guard(command: list[str]) -> int:
    """Elsewhere: run the command, kill it when standard input ends; its exit status."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())

    def watch() -> None:
        while os.read(0, 4096):
            pass
        child.kill()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    return child.wait()


def limit(mib: int) -> None:
    """Private writable memory of this process and what it becomes; beyond it, mappings fail."""
    if mib:
        resource.setrlimit(resource.RLIMIT_DATA, (mib * 2**20, mib * 2**20))


if __name__ == "__main__":
    limit(int(sys.argv[2]))
    if sys.platform == "linux":
        become(int(sys.argv[1]), sys.argv[3:])
    sys.exit(guard(sys.argv[3:]))
