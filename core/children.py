"""Child processes: spawned (never forked), ended with their parent, silent on the terminal.

A child is a module started as `python -m core.…`. Its standard input is a pipe from the parent:
end of file there means that the parent is gone, however it went, and the child ends. Frames (see
`core/frames.py`) travel over standard input and output; what else it prints goes to a log file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.home import REPO_ROOT, storage_errors
from core.passphrase import VARIABLES

_NEUTRAL_ENV = frozenset(
    {
        "PATH",
        "LANG",
        "LC_ALL",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "VIRTUAL_ENV",
    }
)


def spawn(
    module: str,
    args: Sequence[str] = (),
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    inherit_env: bool = True,
) -> subprocess.Popen[bytes]:
    """Start `python -m module args`, stdin and stdout as pipes, stderr appended to `log`.

    The child gets its own process group, so that Ctrl+C in the terminal reaches only the parent.
    Without `inherit_env` it sees only what Python needs to start, so no token or password. A
    passphrase of Waggle's it never inherits: who needs one is given it in `env`.
    """
    with storage_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if (inherit_env and name not in VARIABLES) or name in _NEUTRAL_ENV
    }
    path = os.pathsep.join(filter(None, (str(REPO_ROOT), os.environ.get("PYTHONPATH", ""))))
    try:
        return subprocess.Popen(
            [sys.executable, "-m", module, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=handle,
            env={**inherited, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(env or {})},
            start_new_session=True,
        )
    finally:
        os.close(handle)


def stop(child: subprocess.Popen[bytes], grace_s: float = 3.0) -> int:
    """Ask by closing its stdin, then SIGTERM, then SIGKILL; the exit status."""
    if child.stdin is not None:
        try:
            child.stdin.close()
        except OSError:
            pass  # a pipe with unsent bytes to a child that is already gone
    for ask, wait_s in ((lambda: None, grace_s), (child.terminate, grace_s), (child.kill, grace_s)):
        ask()
        try:
            return child.wait(wait_s)
        except subprocess.TimeoutExpired:
            continue
    return -9


def claim_stdout() -> int:
    """In a child: keep the real stdout for frames and point descriptor 1 at stderr (the log).

    So a stray print, a C library or a grandchild can never garble a frame. The descriptor
    returned is not inherited by grandchildren.
    """
    frames = os.dup(1)
    os.set_inheritable(frames, False)
    os.dup2(2, 1)
    return frames


def exit_with_parent(then: Callable[[], None] | None = None) -> None:
    """In a child that reads no frames: end when stdin closes, after `then` has cleaned up."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        if then is not None:
            then()
        os._exit(0)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
