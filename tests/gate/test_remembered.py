"""Digests and strikes outlive the process, stay bounded, and a disk that refuses loses nothing."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import StorageError
from core.gate import quarantine, remembered
from core.gate.quarantine import Policy, Standing
from core.gate.remembered import Remembered


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "node.db"


def digest(of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()


def reopened(path: Path) -> Remembered:
    with closing(Remembered(path)) as found:
        return found


def test_what_was_committed_is_there_again(db: Path) -> None:
    memory = Remembered(db)
    for n in range(100):
        memory.add(digest(n))
        memory.add(digest(n))
    memory.book, caught = quarantine.book_in({}, "QmBad", ["schema"], 5.0, Policy(limit=1))
    assert caught
    memory.commit()
    memory.add(digest("never committed"))
    again = reopened(db)  # beside the first, as after a kill: nothing was closed
    assert len(again) == 100
    assert all(digest(n) in again for n in range(100))
    assert digest("never committed") not in again
    assert again.book == memory.book
    assert again.holds("QmBad")
    assert not again.holds("QmGood")
    assert db.stat().st_mode & 0o777 == 0o600
    memory.close()


def test_only_the_newest_digests_are_kept(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "DIGESTS", 10)
    memory = Remembered(db)
    for n in range(7):
        for k in range(5):
            memory.add(digest((n, k)))
        memory.commit()
    memory.close()
    for each in (memory, reopened(db)):
        assert len(each) == 10
        assert all((digest((n, k)) in each) == (n > 4) for n in range(7) for k in range(5))
    with closing(sqlite3.connect(db)) as plain:
        assert plain.execute("SELECT COUNT(*) FROM seen_digests").fetchone() == (10,)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abcde"),
            st.builds(
                Standing,
                strikes=st.floats(0, 50),
                at=st.floats(0, 2e9),
                held=st.booleans(),
                until=st.floats(0, 2e9),
                times=st.integers(0, 60),
                reason=st.sampled_from(["schema", "timeout", ""]),
            ),
        ),
        max_size=6,
    )
)
def test_the_newest_book_is_the_one_that_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, books: list[dict[str, Standing]]
) -> None:
    path = tmp_path_factory.mktemp("db") / "node.db"
    memory = Remembered(path)
    for book in books:
        memory.book = book
        memory.commit()
    memory.close()
    assert reopened(path).book == (books[-1] if books else {})


def test_a_disk_that_refuses_is_told_and_the_next_commit_writes_it_all(db: Path) -> None:
    memory = Remembered(db)
    memory.add(digest("first"))
    with closing(sqlite3.connect(db)) as other:
        other.execute("DROP TABLE standings")
    memory.book = {"x": Standing(1.0)}
    with pytest.raises(StorageError, match="remembers what peers did"):
        memory.commit()
    with closing(sqlite3.connect(db)) as other:
        other.executescript(remembered._SCHEMA)
    memory.add(digest("second"))
    memory.commit()
    memory.close()
    again = reopened(db)
    assert (len(again), digest("first") in again, digest("second") in again) == (2, True, True)
    assert again.book == {"x": Standing(1.0)}


def test_a_file_that_is_no_database_is_told(db: Path) -> None:
    db.write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=r"node\.db"):
        Remembered(db)


def test_without_a_path_nothing_is_written(tmp_path: Path) -> None:
    memory = Remembered()
    memory.add(digest("x"))
    memory.commit()
    memory.close()
    assert digest("x") in memory
    assert list(tmp_path.iterdir()) == []
