"""One running node for each peer identity on this host, whichever home the key lies in.

Two nodes with one key overwrite each other's records and share one account. `HomeLock` cannot see
that: a copied `swarm.pem` lives in another home. So the peer id itself is locked, in a folder of
this user. It is the state folder: the system's runtime folder goes away with the last login, while
a node in the background runs on. The kernel frees the lock when its holder dies, however it dies.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
from pathlib import Path

from core.errors import WaggleError
from core.home import Home, storage_errors

MAX_HOLDER_BYTES = 8192
_WITHOUT_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
"""What `flock` says on file systems that have no locks."""
log = logging.getLogger(__name__)


def folder() -> Path:
    """Where the locks of this user are."""
    import platformdirs

    return Path(platformdirs.user_state_dir("waggle", appauthor=False)) / "running"


class IdentityLock:
    """Held while a node runs as `peer_id`. The file is empty of secrets: process, host, home."""

    def __init__(self, peer_id: str, home: Home) -> None:
        self._peer_id = peer_id
        self._home = home
        name = hashlib.sha256(peer_id.encode()).hexdigest()[:32]
        self.path = folder() / name
        self._handle: int | None = None

    def acquire(self) -> None:
        """WaggleError, naming the home that holds it, when another node runs as this peer.

        StorageError when the folder cannot be written. A file system without locks is no reason
        not to start: that is logged, and the identity is not guarded.
        """
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = self._locked()
        if handle is None:
            return
        holder = {"pid": os.getpid(), "host": os.uname().nodename, "home": str(self._home.path)}
        with storage_errors(self.path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(holder).encode(), 0)
        self._handle = handle

    def _locked(self) -> int | None:
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                refusal = self._refusal(handle)
                os.close(handle)
                raise refusal from None
            except OSError as error:
                os.close(handle)
                if error.errno not in _WITHOUT_LOCKS:
                    raise
                log.warning("no lock for this identity: %s (%s)", self.path, error.strerror)
                return None
            if _is_at(handle, self.path):
                return handle
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
        if self._handle is None:
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
