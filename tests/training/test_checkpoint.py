from __future__ import annotations

import json

import pytest

from core.errors import StorageError
from core.training.checkpoint import MANIFEST, CheckpointStore, verify, write_folder
from core.training.engine import TorchEngine
from tests.training.conftest import play


class Writer:
    """An engine's `save` with a small state of its own: one number in one file."""

    def __init__(self) -> None:
        self.number = 0

    def save(self, path, extra):
        from pathlib import Path

        self.number += 1
        text = json.dumps({"number": self.number, **extra})
        return write_folder(Path(path), lambda f: (f / "state.json").write_text(text))


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path / "checkpoints", keep=3)


def names(store):
    return sorted(p.name for p in store._folder.iterdir())


def unexpected(error):
    raise error


def test_keeps_the_newest(store):
    writer = Writer()
    for number in (4, 5, 5, 2, 9):
        path, size = store.save(writer, number, {})
        assert size > 0
    assert names(store) == [
        "ckpt-00000003-round-5",
        "ckpt-00000004-round-2",
        "ckpt-00000005-round-9",
    ]
    assert str(store.latest(unexpected)) == path


def test_nothing_saved_is_no_checkpoint(store):
    assert store.latest(unexpected) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "manifest", "no manifest", "escape"])
def test_a_damaged_one_is_set_aside_and_the_older_used(store, damage):
    writer = Writer()
    good, _ = store.save(writer, 1, {})
    store.save(writer, 2, {})
    bad = store._folder / "ckpt-00000002-round-2"
    state, manifest = bad / "state.json", bad / MANIFEST
    data = state.read_bytes()
    if damage == "flip":
        state.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    elif damage == "cut":
        state.write_bytes(data[:-1])
    elif damage == "missing":
        state.unlink()
    elif damage == "manifest":
        manifest.write_bytes(b"\x00{]")
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(json.dumps({"files": {"../x": {"size_bytes": 1, "sha256": ""}}}))
    reports = []
    assert str(store.latest(reports.append)) == good
    assert len(reports) == 1
    assert str(bad) in reports[0].what
    assert reports[0].why
    assert names(store) == ["ckpt-00000001-round-1", "ckpt-00000002-round-2.damaged"]
    assert str(store.latest(unexpected)) == good
    assert store.save(writer, 3, {})[0].endswith("ckpt-00000002-round-3")


def test_leftovers_of_a_killed_save_are_ignored_and_removed(store):
    writer = Writer()
    good, _ = store.save(writer, 1, {})
    (store._folder / ".ckpt-00000002-round-2.new").mkdir()
    assert str(store.latest(unexpected)) == good
    store.save(writer, 2, {})
    assert names(store) == ["ckpt-00000001-round-1", "ckpt-00000002-round-2"]


def test_a_failed_save_keeps_what_was_there(store):
    writer = Writer()
    good, _ = store.save(writer, 1, {})

    class Failing:
        def save(self, path, extra):
            from pathlib import Path

            def fill(folder):
                (folder / "half").write_bytes(b"x")
                raise OSError(28, "No space left on device")

            return write_folder(Path(path), fill)

    with pytest.raises(StorageError, match="Free some disk space"):
        store.save(Failing(), 2, {})
    assert str(store.latest(unexpected)) == good
    assert names(store) == ["ckpt-00000001-round-1"]


def test_files_are_private(store):
    path, _ = store.save(Writer(), 1, {})
    from pathlib import Path

    assert Path(path).stat().st_mode & 0o077 == 0
    assert all(f.stat().st_mode & 0o077 == 0 for f in Path(path).iterdir())


def test_a_real_engine_falls_back_to_the_older_checkpoint(store, config, game):
    engine = TorchEngine(config)
    play(engine, game, [0])
    store.save(engine, 1, {"round": 1})
    play(engine, game, [1])
    newest, _ = store.save(engine, 2, {"round": 2})
    from pathlib import Path

    verify(Path(newest))
    weights = Path(newest) / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 0x40
    weights.write_bytes(bytes(data))
    with pytest.raises(StorageError, match="damaged"):
        engine.load(newest)
    reports = []
    path = store.latest(reports.append)
    assert "model.safetensors" in reports[0].why
    resumed = TorchEngine(config)
    assert resumed.load(str(path)) == {"round": 1}
    assert resumed.step == 1
