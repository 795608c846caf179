"""One sender at a time for each account: from reading the nonce to handing the transaction over.

Two homes of one user may hold the same key, so the lock is keyed by the address and lies in a
folder of the user, not of a home. The kernel frees it when its holder dies, however it dies: a
file that is left behind means nothing. Homes of different users, or on different machines, cannot
meet here: what they send at once is sorted out by the chain's "nonce too low" and a second try.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import TransientError
from core.home import storage_errors
from core.userfolder import user_folder

LOCK = "nonce.lock"
LOOK_S = 0.005
MAX_HOLDER_BYTES = 8192
log = logging.getLogger(__name__)


def state_folder(address: str, instead: Path) -> Path:
    """The folder (0700) of what all senders for `address` share; the same one in every home.

    instead: the account's own folder, used where this user has no place for it. StorageError.
    """
    try:
        folder = user_folder("accounts") / address.lower()
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder
    except OSError as error:
        log.warning("another home with the account %s would not be noticed: %s", address, error)
    with storage_errors(instead):
        instead.mkdir(parents=True, exist_ok=True, mode=0o700)
    return instead


class NonceLock:
    """Held by one thread of one process at a time. `home` is told to whoever waits in vain."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.path = folder / LOCK
        self._home = home
        self._thread = threading.Lock()

    @contextmanager
    def held(self, timeout_s: float) -> Iterator[None]:
        """TransientError when another one holds it longer than `timeout_s`. StorageError."""
        deadline = time.monotonic() + timeout_s
        if not self._thread.acquire(timeout=timeout_s):
            raise self._taken(f"another thread of this process, {os.getpid()}")
        try:
            with storage_errors(self.path):
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._lock(handle, deadline)
                yield
            finally:
                os.close(handle)
        finally:
            self._thread.release()

    def _lock(self, handle: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise self._taken(_holder(handle)) from error
                time.sleep(LOOK_S)
            except OSError as error:  # a file system without locks
                log.warning("%s cannot be locked, so only this process is: %s", self.path, error)
                return
        with storage_errors(self.path):
            os.ftruncate(handle, 0)
            told = {"pid": os.getpid(), "home": str(self._home)}
            os.pwrite(handle, json.dumps(told).encode(), 0)

    def _taken(self, holder: str) -> TransientError:
        return TransientError(
            "Somebody else has been sending for this account for too long",
            f"{self.path} is held by {holder}",
            "Nothing to do if it goes on by itself; else end that process",
        )


def _holder(handle: int) -> str:
    """The file may be halfway written, or by a hand that is not ours."""
    try:
        told = json.loads(os.pread(handle, MAX_HOLDER_BYTES, 0))
        return f"process {int(told['pid'])} of the home {str(told['home'])[:1024]}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
