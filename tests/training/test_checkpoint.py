from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from core.errors import StorageError
from core.training.checkpoint import (
    MANIFEST,
    folder_size,
    read_manifest,
    replace_folder,
    verify,
    write_folder,
)


def fill(folder: Path) -> None:
    (folder / "a.bin").write_bytes(bytes(3000))
    (folder / "b.txt").write_text("b")


def test_a_folder_says_what_is_in_it(tmp_path):
    path = tmp_path / "deep" / "folder"
    size = write_folder(path, fill, about={"model": "tiny"})
    manifest = read_manifest(path)
    assert manifest.about == {"model": "tiny"}
    assert {name: entry[0] for name, entry in manifest.files.items()} == {"a.bin": 3000, "b.txt": 1}
    assert size == folder_size(path) == 3001 + (path / MANIFEST).stat().st_size
    verify(path)


def test_files_are_private(tmp_path):
    path = tmp_path / "folder"
    write_folder(path, fill)
    assert path.stat().st_mode & 0o077 == 0
    assert all(f.stat().st_mode & 0o077 == 0 for f in path.iterdir())


def test_an_older_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "folder"
    write_folder(path, lambda folder: (folder / "old").write_text("old"))
    write_folder(path, fill)
    assert sorted(f.name for f in path.iterdir()) == ["a.bin", "b.txt", MANIFEST]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_fails_changes_nothing(tmp_path):
    path = tmp_path / "folder"
    write_folder(path, fill)

    def failing(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="Free some disk space"):
        write_folder(path, failing)
    verify(path)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path):
    path = tmp_path / "folder"
    needed = shutil.disk_usage(tmp_path).free + 10**12
    with pytest.raises(StorageError, match=r"no room for .*: it takes \d+\.\d GB and") as raised:
        write_folder(path, fill, needed_bytes=needed)
    assert "Free some disk space" in raised.value.next_step
    assert list(tmp_path.iterdir()) == []


def test_a_kill_between_the_renames_is_mended(tmp_path):
    path = tmp_path / "folder"
    replace_folder(path, fill)
    path.rename(tmp_path / ".folder.old")

    def failing(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError):
        replace_folder(path, failing)
    assert sorted(f.name for f in path.iterdir()) == ["a.bin", "b.txt"]


def test_every_file_and_folder_is_synced(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), fsync(handle)))
    write_folder(tmp_path / "folder", fill)
    assert len(synced) == 5  # three files, the folder, and the rename in its parent
