"""Where a node keeps its things, and how a file is written so that a crash never halves it.

Folders are 0700 and files 0600. `Home` knows paths and the lock; it knows nothing of what is in
the files.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import StorageError

REPO_ROOT = Path(__file__).resolve().parent.parent


def default_home() -> Path:
    """$WAGGLE_HOME, else the platform's data directory."""
    if os.environ.get("WAGGLE_HOME"):
        return Path(os.environ["WAGGLE_HOME"]).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("waggle", appauthor=False))


@dataclass(frozen=True)
class Home:
    """The paths of one node. Nothing is created before `create`."""

    path: Path

    @property
    def identity(self) -> Path:
        return self.path / "identity" / "swarm.pem"

    @property
    def backup_note(self) -> Path:
        """When and where the identity was last backed up."""
        return self.path / "identity" / "backup.json"

    @property
    def account(self) -> Path:
        return self.path / "account"

    @property
    def members(self) -> Path:
        """Who may submit through this home's login proxy, each with an account."""
        return self.path / "members"

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def db(self) -> Path:
        return self.path / "node.db"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def log(self) -> Path:
        return self.logs / "node.log"

    @property
    def services(self) -> Path:
        """The devnet's transactions and the addresses of the swarm that this node hosts."""
        return self.path / "services"

    @property
    def leaderboard(self) -> Path:
        """What was read of the coordinator's events, so that a start does not read them all."""
        return self.path / "leaderboard.json"

    @property
    def look(self) -> Path:
        """What somebody saw when the console was last looked at."""
        return self.path / "look.json"

    @property
    def run(self) -> Path:
        """Sockets and other things of a running node; nothing here outlives it."""
        return self.path / "run"

    def node(self, number: int) -> Home:
        """The home of the n-th further node on this machine (2, 3, ...)."""
        return Home(self.path / "nodes" / str(number))

    def create(self) -> None:
        """Make the folders. StorageError when the disk refuses."""
        folders = (self.path, self.identity.parent, self.account, self.checkpoints, self.logs)
        for folder in (*folders, self.services, self.run):
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                if folder != self.path:
                    folder.chmod(0o700)
        with storage_errors(self.path):
            probe = self.run / ".probe"
            probe.write_bytes(b"x")
            probe.unlink()


class storage_errors:
    """Turn the OSErrors of a block into a StorageError that names `path` and the next step."""

    def __init__(self, path: Path | str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise as_storage_error(self.path, error) from error


def as_storage_error(path: Path | str, error: OSError) -> StorageError:
    """An OSError in a person's words."""
    steps = {
        errno.ENOSPC: "Free some disk space, then start again: nothing that was saved is lost",
        errno.EDQUOT: "Your disk quota is used up: free some space, then start again",
        errno.EACCES: "Give your user write permission there, or choose another folder with --home",
        errno.EPERM: "Give your user write permission there, or choose another folder with --home",
        errno.EEXIST: "A file stands where a folder is needed: choose another one with --home",
        errno.ENOTDIR: "A file stands where a folder is needed: choose another one with --home",
        errno.EROFS: "That file system is read-only: choose another folder with --home",
    }
    step = steps.get(error.errno or 0, "Check the disk and the path, then start again")
    return StorageError(f"Cannot write {path}", error.strerror or str(error), step)


def atomic_write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write whole or not at all: temporary file beside it, fsync, rename, fsync of the folder."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            temporary.chmod(mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)


def set_aside(path: Path) -> None:
    """Rename an existing file to the first free NAME.1, NAME.2, ...: nothing is overwritten."""
    if not path.exists():
        return
    number = 1
    while (kept := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    with storage_errors(kept):
        path.rename(kept)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Held by one thread of one process at a time: what two would make at once is made once.

    `path` is a lock file of its own, left behind empty. StorageError when it cannot be made.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class HomeLock:
    """One process per home. The kernel frees it when the holder dies, however it dies."""

    def __init__(self, home: Home) -> None:
        self.path = home.path / "lock"
        self._handle: int | None = None

    def acquire(self) -> None:
        """StorageError, naming the holder's process id, when another process has the home."""
        with storage_errors(self.path):
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise StorageError(
                f"Another Waggle already runs on {self.path.parent} (process {holder})",
                "one node per home folder",
                "Use that one, stop it, or start a second node with --home OTHER_FOLDER",
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._handle = handle

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def held_by_other(self) -> bool:
        """Whether a running process has this home now."""
        try:
            handle = os.open(self.path, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False
