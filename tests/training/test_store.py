from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StorageError, WaggleError
from core.training import store as store_module
from core.training.checkpoint import MANIFEST, folder_size, verify, write_folder
from core.training.engine import TorchEngine
from core.training.store import CheckpointStore, surplus, visit, whole
from tests.training.conftest import play


class Counter:
    """A small engine with a state of its own: one number in one file, `size` bytes large."""

    def __init__(self, size: int = 0) -> None:
        self.number = 0
        self.size = size

    def save(self, path, extra):
        self.number += 1
        text = json.dumps({"number": self.number, **extra}).ljust(self.size)
        return write_folder(Path(path), lambda f: (f / "state.json").write_text(text))

    def load(self, path):
        verify(Path(path))
        extra = json.loads((Path(path) / "state.json").read_text())
        self.number = extra.pop("number")
        return extra


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


@pytest.fixture
def store(folder):
    return CheckpointStore(folder, keep=3)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def unexpected(error):
    raise error


def test_keeps_the_newest(store, folder):
    engine = Counter()
    for number in (4, 5, 5, 2, 9):
        _, size = store.save(engine, number, {"round": number})
        assert size > 0
    assert names(folder) == [
        "ckpt-00000003-round-5",
        "ckpt-00000004-round-2",
        "ckpt-00000005-round-9",
    ]
    resumed = Counter()
    assert store.resume(resumed, unexpected) == {"round": 9}
    assert resumed.number == 5


def test_nothing_saved_is_no_checkpoint(store, folder):
    assert store.resume(Counter(), unexpected) is None
    assert visit(folder, Counter()) is None


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(1, 5), st.integers(0, 120))
def test_surplus_keeps_as_many_of_the_newest_as_may_stay(sizes, keep, max_bytes):
    dropped = surplus(sizes, keep, max_bytes)
    kept = sizes[dropped:]
    assert len(kept) >= min(1, len(sizes))
    assert len(kept) <= keep
    if len(kept) > 1 and max_bytes:
        assert sum(kept) <= max_bytes
    if dropped and len(kept) < keep:
        assert 0 < max_bytes < sum(sizes[dropped - 1 :])


def test_keeps_what_the_size_allows(folder):
    store = CheckpointStore(folder, keep=5, max_gib=5000 / 2**30)
    engine = Counter(size=2000)
    for number in range(4):
        store.save(engine, number, {})
    assert names(folder) == ["ckpt-00000003-round-2", "ckpt-00000004-round-3"]
    engine.size = 9000
    store.save(engine, 4, {})
    assert names(folder) == ["ckpt-00000005-round-4"]


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "manifest", "no manifest", "escape"])
def test_a_damaged_one_is_set_aside_and_the_older_used(store, folder, damage):
    engine = Counter()
    store.save(engine, 1, {"round": 1})
    store.save(engine, 2, {"round": 2})
    bad = folder / "ckpt-00000002-round-2"
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
    assert visit(folder, Counter()) == {"round": 1}
    assert names(folder) == ["ckpt-00000001-round-1", "ckpt-00000002-round-2"]
    reports = []
    assert store.resume(Counter(), reports.append) == {"round": 1}
    assert len(reports) == 1
    assert str(bad) in reports[0].what
    assert reports[0].why
    assert names(folder) == ["ckpt-00000001-round-1", "ckpt-00000002-round-2.damaged"]
    assert store.resume(Counter(), unexpected) == {"round": 1}
    assert store.save(engine, 3, {})[0].endswith("ckpt-00000002-round-3")


def test_a_visitor_is_told_when_nothing_is_whole(store, folder):
    store.save(Counter(), 1, {"round": 1})
    (whole(folder)[0] / "state.json").unlink()
    with pytest.raises(StorageError, match="damaged"):
        visit(folder, Counter())
    assert names(folder) == ["ckpt-00000001-round-1"]


def test_of_damaged_ones_the_newest_is_kept(store, folder):
    engine = Counter()
    for number in (1, 2, 3, 2):
        store.save(engine, number, {})
        newest = whole(folder)[-1]
        if number > 1:
            (newest / "state.json").unlink()
            assert store.resume(Counter(), lambda error: None) == {}
    assert names(folder) == ["ckpt-00000001-round-1", "ckpt-00000002-round-2.damaged"]


def test_a_damaged_one_counts_in_the_size(folder):
    store = CheckpointStore(folder, keep=5, max_gib=5000 / 2**30)
    engine = Counter(size=2000)
    for number in range(2):
        store.save(engine, number, {})
    (whole(folder)[-1] / MANIFEST).unlink()
    store.resume(Counter(), lambda error: None)
    assert names(folder) == ["ckpt-00000001-round-0", "ckpt-00000002-round-1.damaged"]
    store.save(engine, 2, {})
    assert names(folder) == ["ckpt-00000001-round-0", "ckpt-00000002-round-2"]


def test_leftovers_of_a_killed_save_are_ignored_and_removed(store, folder):
    engine = Counter()
    store.save(engine, 1, {"round": 1})
    for leftover in (".ckpt-00000002-round-2.new", ".ckpt-00000000-round-1.del"):
        (folder / leftover).mkdir()
        (folder / leftover / "half").write_bytes(b"x")
    assert visit(folder, Counter()) == {"round": 1}
    assert len(names(folder)) == 3
    assert store.resume(Counter(), unexpected) == {"round": 1}
    assert names(folder) == ["ckpt-00000001-round-1"]


def test_a_failed_save_keeps_what_was_there(store, folder):
    store.save(Counter(), 1, {"round": 1})

    class Failing(Counter):
        def save(self, path, extra):
            def fill(folder):
                (folder / "half").write_bytes(b"x")
                raise OSError(28, "No space left on device")

            return write_folder(Path(path), fill)

    with pytest.raises(StorageError, match="Free some disk space"):
        store.save(Failing(), 2, {})
    assert store.resume(Counter(), unexpected) == {"round": 1}
    assert names(folder) == ["ckpt-00000001-round-1"]


def test_a_misfit_is_told_and_stays(store, folder):
    class Other(Counter):
        def load(self, path):
            raise WaggleError("It is of another model")

    store.save(Counter(), 1, {})
    with pytest.raises(WaggleError, match="another model"):
        store.resume(Other(), unexpected)
    assert names(folder) == ["ckpt-00000001-round-1"]


def test_a_full_disk_takes_only_what_would_go_anyway(store, folder, monkeypatch):
    engine = Counter(size=2000)
    for number in range(3):
        store.save(engine, number, {})
    left = []

    def full(path):
        left.append(len(whole(folder)))
        return type("Usage", (), {"free": 0})()

    monkeypatch.setattr(store_module.shutil, "disk_usage", full)
    with pytest.raises(StorageError, match="no room"):
        store.save(Roomy(engine), 3, {})
    assert left[0] == 3
    assert names(folder) == ["ckpt-00000002-round-1", "ckpt-00000003-round-2"]


class Roomy(Counter):
    """Says beforehand how much it will write, as the real engine does."""

    def __init__(self, engine: Counter) -> None:
        super().__init__(engine.size)

    def save(self, path, extra):
        return write_folder(Path(path), lambda f: None, needed_bytes=self.size)


def test_a_visitor_follows_an_owner_that_drops_what_is_being_read(folder):
    store = CheckpointStore(folder, keep=1)
    owner = Counter()
    store.save(owner, 0, {"round": 0})

    class Slow(Counter):
        """Each of the first two reads comes too late: the owner has saved meanwhile."""

        late = 2

        def load(self, path):
            if self.late:
                self.late -= 1
                store.save(owner, owner.number, {"round": owner.number})
            return super().load(path)

    assert visit(folder, Slow()) == {"round": 2}


def test_a_real_engine_falls_back_to_the_older_checkpoint(store, config, game):
    engine = TorchEngine(config)
    play(engine, game, [0])
    store.save(engine, 1, {"round": 1})
    play(engine, game, [1])
    newest, size = store.save(engine, 2, {"round": 2})
    assert size == folder_size(Path(newest))
    verify(Path(newest))
    weights = Path(newest) / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 0x40
    weights.write_bytes(bytes(data))
    with pytest.raises(StorageError, match="damaged"):
        engine.load(newest)
    reports = []
    resumed = TorchEngine(config)
    assert store.resume(resumed, reports.append) == {"round": 1}
    assert "model.safetensors" in reports[0].why
    assert resumed.step == 1
