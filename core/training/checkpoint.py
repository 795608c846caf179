"""Checkpoint folders that are whole or absent, and the store that keeps the newest few.

A folder is filled under a temporary name, every file synced, a manifest with the SHA-256 of each
file added, then renamed into place. It knows nothing of what the files mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from core.errors import StorageError, WaggleError
from core.home import storage_errors, sync_folder

MANIFEST = "manifest.json"
_NAME = re.compile(r"ckpt-(\d{8})-round-\d+")
_MAX_MANIFEST = 1 << 20


class Saves(Protocol):
    """The part of an engine that a store needs."""

    def save(self, path: str, extra: dict[str, object]) -> int: ...


class CheckpointStore:
    """The checkpoints of one node in `folder`, newest last by number, never more than `keep`."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = max(1, keep)

    def save(self, engine: Saves, round: int, extra: dict[str, object]) -> tuple[str, int]:
        """Write a new checkpoint, then drop the oldest; (path, bytes). May raise StorageError.

        The new one is whole and on disk before an older one is touched.
        """
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sweep()
        found = self._all()
        number = _number(found[-1]) + 1 if found else 1
        path = self._folder / f"ckpt-{number:08d}-round-{round}"
        size = engine.save(str(path), extra)
        with storage_errors(self._folder):
            for old in [*found, path][: -self._keep]:
                shutil.rmtree(old)
        return str(path), size

    def latest(self, report: Callable[[WaggleError], None]) -> Path | None:
        """The newest checkpoint whose manifest verifies, or None when there is none.

        A damaged one is renamed to `*.damaged`, told through `report`, and the next older taken.
        """
        for path in reversed(self._all()):
            try:
                verify(path)
            except WaggleError as error:
                with storage_errors(path):
                    _unused(path.with_name(path.name + ".damaged"), path.rename)
                report(error)
                continue
            return path
        return None

    def _all(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        found = [p for p in self._folder.iterdir() if _NAME.fullmatch(p.name) and p.is_dir()]
        return sorted(found, key=_number)

    def _sweep(self) -> None:
        """Remove what a killed process left half-written; one process owns a home."""
        for path in self._folder.glob(".ckpt-*"):
            shutil.rmtree(path)


def write_folder(path: Path, fill: Callable[[Path], None]) -> int:
    """Create folder `path` with what `fill` writes into it, atomically; the bytes written.

    An older folder of that name is replaced. StorageError when the disk refuses; then nothing
    has changed.
    """
    temporary = path.with_name(f".{path.name}.new")
    replaced = path.with_name(f".{path.name}.old")
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for leftover in (temporary, replaced):
                if leftover.exists():
                    shutil.rmtree(leftover)
            temporary.mkdir(mode=0o700)
            fill(temporary)
            size = _seal(temporary)
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


def verify(path: Path) -> None:
    """WaggleError, saying which file, unless the folder is exactly what its manifest lists."""
    try:
        files = _read_manifest(path)
        for name, (size, digest) in files.items():
            if (path / name).stat().st_size != size or _sha256(path / name) != digest:
                raise ValueError(f"{name} is not what was written")
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StorageError(
            f"The checkpoint {path} is damaged",
            reason,
            "The next older one is used; nothing needs to be done",
        ) from error


def _read_manifest(path: Path) -> dict[str, tuple[int, str]]:
    with (path / MANIFEST).open("rb") as source:
        data = json.loads(source.read(_MAX_MANIFEST))
    files = {str(n): (int(e["size_bytes"]), str(e["sha256"])) for n, e in data["files"].items()}
    if any("/" in name or name in {"", ".", ".."} for name in files):
        raise ValueError("the manifest names files outside the folder")
    return files


def _seal(folder: Path) -> int:
    """Sync every file, write the manifest; the sum of sizes."""
    entries = {}
    for file in sorted(folder.iterdir()):
        file.chmod(0o600)
        _sync(file)
        entries[file.name] = {"size_bytes": file.stat().st_size, "sha256": _sha256(file)}
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({"format": 1, "files": entries}, indent=1))
    manifest.chmod(0o600)
    _sync(manifest)
    sync_folder(folder)
    return sum(file.stat().st_size for file in folder.iterdir())


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match.group(1)) if match else 0


def _unused(path: Path, rename: Callable[[Path], Path]) -> None:
    """Rename to `path`, or to it with a number when it is taken."""
    free, n = path, 1
    while free.exists():
        n += 1
        free = path.with_name(f"{path.name}.{n}")
    rename(free)
