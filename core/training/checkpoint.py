"""One checkpoint folder: whole or absent, with a manifest that says what it is and what is in it.

A folder is filled under a temporary name, every file synced, a manifest with the SHA-256 of each
file added, then renamed into place. It knows nothing of what the files mean; which checkpoints a
node keeps is `store.py`'s work.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from core.errors import StorageError
from core.home import storage_errors, sync_folder

MANIFEST = "manifest.json"
_MAX_MANIFEST = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """files: (bytes, SHA-256) by name. about: what the writer said of the whole, in words."""

    files: Mapping[str, tuple[int, str]]
    about: Mapping[str, str]


def write_folder(
    path: Path,
    fill: Callable[[Path], object],
    *,
    about: Mapping[str, str] | None = None,
    needed_bytes: int = 0,
) -> int:
    """Create folder `path` with what `fill` writes and a manifest, atomically; the bytes written.

    An older folder of that name is replaced. StorageError when the disk refuses, or has not
    `needed_bytes` free; then nothing has changed. Files are private to the user.
    """

    def sealed(folder: Path) -> None:
        fill(folder)
        _seal(folder, about or {})

    return replace_folder(path, sealed, needed_bytes=needed_bytes, private=True)


def replace_folder(
    path: Path, fill: Callable[[Path], object], *, needed_bytes: int = 0, private: bool = False
) -> int:
    """`write_folder` without a manifest: the folder at `path` is the old one or the new one.

    A process killed between the two renames leaves the old folder under its temporary name; the
    next call puts it back before it begins.
    """
    temporary = path.with_name(f".{path.name}.new")
    replaced = path.with_name(f".{path.name}.old")
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
            if replaced.exists() and not path.exists():
                replaced.rename(path)
            for leftover in (temporary, replaced):
                if leftover.exists():
                    shutil.rmtree(leftover)
            require_room(path, needed_bytes)
            temporary.mkdir(mode=0o700 if private else 0o777)
            fill(temporary)
            size = _sync_all(temporary, private)
            if path.exists():
                path.rename(replaced)
            temporary.rename(path)
            sync_folder(path.parent)
            if replaced.exists():
                shutil.rmtree(replaced)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    return size


def require_room(path: Path, needed_bytes: int) -> None:
    """StorageError when the file system under `path.parent` has less than that free."""
    free = shutil.disk_usage(path.parent).free
    if free < needed_bytes:
        raise StorageError(
            f"There is no room for {path}",
            f"it takes {_gb(needed_bytes)} and {_gb(free)} are free on that disk",
            "Free some disk space; what was saved before is untouched",
        )


def verify(path: Path) -> None:
    """StorageError, saying which file, unless the folder is exactly what its manifest lists."""
    try:
        files = _read_manifest(path).files
        for name, (size, _) in files.items():
            if (path / name).stat().st_size != size:
                raise ValueError(f"{name} is not what was written")
        with ThreadPoolExecutor(2) as pool:
            digests = pool.map(sha256, (path / name for name in files))
            for (name, (_, wanted)), digest in zip(files.items(), digests, strict=True):
                if digest != wanted:
                    raise ValueError(f"{name} is not what was written")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def read_manifest(path: Path) -> Manifest:
    """Of a checkpoint, without looking at its files. StorageError when it cannot be read."""
    try:
        return _read_manifest(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def sha256(file: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def folder_size(path: Path) -> int:
    """Bytes of the files in a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for file in path.iterdir():
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _read_manifest(path: Path) -> Manifest:
    with (path / MANIFEST).open("rb") as source:
        data = json.loads(source.read(_MAX_MANIFEST))
    files = {str(n): (int(e["size_bytes"]), str(e["sha256"])) for n, e in data["files"].items()}
    if any("/" in name or name in {"", ".", ".."} for name in files):
        raise ValueError("the manifest names files outside the folder")
    about = {str(key): str(value) for key, value in data.get("about", {}).items()}
    return Manifest(files, about)


def _seal(folder: Path, about: Mapping[str, str]) -> None:
    """Write the manifest. The files were just written, so hashing reads the page cache: measured,
    a quarter of the time that writing them took, and halved by the two threads."""
    files = sorted(folder.iterdir())
    with ThreadPoolExecutor(2) as pool:
        entries = {
            file.name: {"size_bytes": file.stat().st_size, "sha256": digest}
            for file, digest in zip(files, pool.map(sha256, files), strict=True)
        }
    text = json.dumps({"format": 1, "about": dict(about), "files": entries}, indent=1)
    (folder / MANIFEST).write_text(text)


def _sync_all(folder: Path, private: bool) -> int:
    """Put every file on the disk; the sum of sizes."""
    size = 0
    for file in sorted(folder.iterdir()):
        if private:
            file.chmod(0o600)
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        size += file.stat().st_size
    sync_folder(folder)
    return size


def _damaged(path: Path, error: Exception) -> StorageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StorageError(
        f"The checkpoint {path} is damaged",
        reason,
        "The next older one is used; nothing needs to be done",
    )


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
