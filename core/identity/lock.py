"""One running node for each peer identity on this host, whichever home the key lies in.

Two nodes with one key overwrite each other's records and share one account. `HomeLock` cannot see
that: a copied `swarm.pem` lives in another home. So the peer id itself is locked, in a folder of
this user. The kernel frees the lock when its holder dies, however it dies. A place or a file
system where nothing can be locked is no reason not to start.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from pathlib import Path

from core.errors import WaggleError
from core.home import Home
from core.userfolder import user_folder

MAX_HOLDER_BYTES = 8192
log = logging.getLogger(__name__)


def folder() -> Path:
    """Where the locks of this user are. OSError when there is no place for them."""
    return user_folder("running")


class IdentityLock:
    """Held while a node runs as `peer_id`. The file tells process, host and home; no secret."""

    def __init__(self, peer_id: str, home: Home) -> None:
        self._peer_id = peer_id
        self._home = home
        self._handle: int | None = None
        self.path: Path | None = None

    def acquire(self) -> None:
        """WaggleError, naming the home that holds it, when another node runs as this peer."""
        try:
            self.path = folder() / hashlib.sha256(self._peer_id.encode()).hexdigest()[:32]
            self._handle = self._locked(self.path)
            holder = {"pid": os.getpid(), "host": os.uname().nodename, "home": str(self._home.path)}
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps(holder).encode(), 0)
        except OSError as error:
            log.warning("this identity is not guarded against running twice: %s", error)

    def _locked(self, path: Path) -> int:
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(handle, path):
                    return handle
            except BlockingIOError:
                refusal = self._refusal(handle)
                os.close(handle)
                raise refusal from None
            except OSError:
                os.close(handle)
                raise
            os.close(handle)  # its holder ended and removed it between opening and locking

    def _refusal(self, handle: int) -> WaggleError:
        home, pid, host = _holder(os.pread(handle, MAX_HOLDER_BYTES, 0))
        where = f"process {pid}" + (f" on {host}" if host != os.uname().nodename else "")
        return WaggleError(
            f"A node already runs as peer {self._peer_id}",
            f"{where} uses the same key from the home {home}; two nodes with one key would "
            "overwrite each other's rollouts",
            f"Use that one, or stop it first; for a second node move {self._home.identity} away "
            "and a new identity is made",
        )

    def release(self) -> None:
        if self._handle is None or self.path is None:
            return
        # Removed while it is still locked: whoever opened it meanwhile sees that it is gone.
        self.path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None


def _is_at(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _holder(text: bytes) -> tuple[str, str, str]:
    """(home, process id, host); the holder may just be writing it."""
    try:
        told = json.loads(text)
        return str(told["home"]), str(told["pid"]), str(told["host"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unknown", "unknown", os.uname().nodename
