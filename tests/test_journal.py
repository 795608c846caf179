from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core import events, fold
from core.errors import StorageError
from core.home import REPO_ROOT
from core.journal import Journal
from core.thinning import Limits, thin
from tests.conftest import wait_until
from tests.test_fold import finished, started, submission


def written(path: Path, history: list[events.Event]) -> Journal:
    bus = events.EventBus()
    journal = Journal(path, bus)
    journal.start()
    for event in history:
        bus.emit(event)
    journal.close()
    return journal


def test_what_was_emitted_is_read_back_in_order(tmp_path: Path) -> None:
    history = [started(), *(finished(n) for n in range(50)), submission(3, "pending", value="7")]
    journal = written(tmp_path / "node.db", history)
    assert list(journal.events()) == history
    assert repr(fold.replay(Journal(journal.path).events())) == repr(fold.replay(history))


def test_reads_are_bounded_and_filtered(tmp_path: Path) -> None:
    journal = written(tmp_path / "node.db", [started(), *(finished(n) for n in range(9))])
    rows = journal.read(limit=4)
    assert len(rows) == 4
    assert [e.round for _, e in journal.read(rows[-1][0], names=["round_finished"])] == [
        *range(3, 9)
    ]
    assert [e.round for e in journal.tail(2, ["round_finished"])] == [7, 8]


def test_metric_events_are_not_written(tmp_path: Path) -> None:
    line = events.LogLine(level="info", source="x", text="y")
    assert list(written(tmp_path / "node.db", [line]).events()) == []


def test_no_journal_is_an_empty_one_and_is_not_made_by_reading(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "node.db")
    assert journal.read() == []
    assert list(journal.events()) == []
    assert not journal.path.exists()


def test_it_lives_beside_other_tables(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE ledger (round INTEGER)")
    assert list(Journal(path).events()) == []
    assert len(list(written(path, [finished(1)]).events())) == 1


def test_numbers_that_are_not_numbers_do_not_stop_it(tmp_path: Path) -> None:
    odd = finished(2**200, metrics={"kl": float("nan"), "x": 1.0})
    journal = written(tmp_path / "node.db", [odd, finished(2)])
    assert [e.round for e in journal.events()] == [2**200, 2]
    assert fold.replay(journal.events()).series_of("x").count == 0


def test_rows_of_another_version_are_left_out(tmp_path: Path) -> None:
    journal = written(tmp_path / "node.db", [finished(1)])
    rows = [
        "{}",
        "no json",
        "[]",
        '{"event":"from_the_future"}',
        '{"event":"round_started","tasks":1}',
    ]
    with sqlite3.connect(journal.path) as connection:
        for text in rows:
            connection.execute("INSERT INTO events (time, name, json) VALUES (0, 'x', ?)", (text,))
    assert [e.round for e in journal.events()] == [1]


def test_export_is_one_json_object_a_line(tmp_path: Path) -> None:
    journal = written(tmp_path / "node.db", [finished(1), finished(2)])
    out = io.StringIO()
    assert journal.export(out) == 2
    assert [json.loads(line)["round"] for line in out.getvalue().splitlines()] == [1, 2]


def test_a_damaged_file_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StorageError, match="Move the file away"):
        Journal(path, events.EventBus()).start()
    with pytest.raises(StorageError, match="not a database"):
        Journal(path).read()


def fill(path: Path, rounds: int) -> None:
    history: list[events.Event] = []
    for n in range(rounds):
        history += [
            events.RoundStarted(round=n),
            events.GroupAdmitted(round=n, peer_id="p", task="t", reward_mean=0.5),
            submission(n, "pending", value="1"),
            submission(n, "sent"),
            submission(n, "confirmed"),
            finished(n),
        ]
    written(path, history)


def test_thinning_keeps_new_rounds_and_every_total(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    fill(path, 600)
    before = fold.replay(Journal(path).events())
    limits = Limits(max_rows=600, keep_rounds=50)
    with sqlite3.connect(path) as connection:
        assert thin(connection, limits)
        assert not thin(connection, limits)
    after = fold.replay(Journal(path).events())
    assert after.ledger.trained == before.ledger.trained == 600
    assert after.ledger.confirmed == before.ledger.confirmed == {"reward": 600}
    kept = [e.round for e in Journal(path).tail(10_000, ["round_finished"])]
    assert kept[-50:] == [*range(550, 600)]
    (first, *_) = Journal(path).tail(10_000, ["rounds_merged"])
    assert isinstance(first, events.RoundsMerged)
    assert first.first == 0
    assert len([e for e in Journal(path).events() if isinstance(e, events.RoundStarted)]) == 50


def test_thinning_keeps_every_spike_and_gap_of_a_chart(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    history = [
        finished(n, loss=9.0 if n == 3 else None if n % 10 == 5 else 0.1, metrics={"kl": n / 600})
        for n in range(600)
    ]
    written(path, [started(), *history])
    before = fold.replay(Journal(path).events())
    for rows in (400, 120, 60):  # what was merged is merged again
        with sqlite3.connect(path) as connection:
            assert thin(connection, Limits(max_rows=rows, keep_rounds=20))
    after = fold.replay(Journal(path).events())
    assert after.ledger.trained == 600
    assert set(after.series) == set(before.series)
    for name, series in before.series.items():
        kept = after.series[name]
        (was,), (now,) = series.points(1), kept.points(1)
        assert now == was._replace(mean=now.mean)
        assert now.mean == pytest.approx(was.mean)
        assert (kept.count, kept.gaps, kept.last) == (series.count, series.gaps, series.last)
    assert after.series["loss"].points(1)[0].high == 9.0


def test_thinning_never_merges_two_training_runs(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    history: list[events.Event] = []
    for run in range(3):  # odd lengths, so that a pair would reach over the border
        history.append(started())
        history += [finished(n + (0 if run == 2 else run * 33)) for n in range(33)]
    history += [finished(n) for n in range(33, 40)]
    written(path, history)
    with sqlite3.connect(path) as connection:
        assert thin(connection, Limits(max_rows=40, keep_rounds=5))
    rows = [e for e in Journal(path).events() if isinstance(e, events.RoundsMerged)]
    assert rows
    assert all(row.last < 33 or 33 <= row.first <= row.last < 66 for row in rows[:-8])
    assert len([e for e in Journal(path).events() if isinstance(e, events.NodeStarted)]) == 3
    assert fold.replay(Journal(path).events()).ledger.trained == 106


def gossip(n: int) -> dict[str, str]:
    return {"id": f"{n}", "node": "otter", "node_id": "Qm1", "message": "why...because"}


def test_thinning_forgets_nothing_of_peers(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    history: list[events.Event] = []
    for n in range(400):
        peer = f"Qm{n % 7}"
        if n % 3:
            history.append(
                events.GroupRejected(
                    round=n, peer_id=peer, task="t", reason=f"r{n % 4}", detail=f"in {n}"
                )
            )
        else:
            history.append(events.GroupAdmitted(round=n, peer_id=peer, task="t", reward_mean=0.5))
        history.append(
            events.PeerSeen(
                round=n,
                peer_id=peer,
                name=f"peer {n % 7}",
                groups=3,
                used=n % 2,
                reward_mean=n / 400 if n % 2 else None,
                claimed=1.0,
                signed=n % 5 > 0,
            )
        )
        history.append(events.GossipHeard(round=n, messages=[gossip(n)]))
        history.append(finished(n))
    history[40] = events.PeerQuarantined(
        peer_id="Qm1", name="one", reason="r1", until=time.time() + 900, strikes=3.0, times=1
    )
    written(path, history)
    before = fold.replay(Journal(path).events())
    assert len(before.peers) == 14
    for limit, rounds in ((1200, 60), (400, 40), (200, 25)):  # what was added up is added up again
        with sqlite3.connect(path) as connection:
            assert thin(connection, Limits(max_rows=limit, keep_rounds=rounds))
    after = fold.replay(Journal(path).events())
    assert after.peers == before.peers
    assert (after.rejected, after.admitted) == (before.rejected, before.admitted)
    assert after.quarantine == before.quarantine
    assert after.gossip == before.gossip
    assert len(after.gossip) == 3
    assert len(Journal(path).read(names=["peer_seen"])) == 25
    assert len(Journal(path).read(names=["gossip_heard"])) == 3


def test_many_rows_of_few_rounds_cost_no_round(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    written(path, [finished(1), *(started() for _ in range(900)), finished(2)])
    with sqlite3.connect(path) as connection:
        assert thin(connection, Limits(max_rows=300, keep_rounds=50))
        (rows,) = connection.execute("SELECT COUNT(*) FROM events").fetchone()
    assert rows < 900
    assert [e.round for e in Journal(path).tail(10, ["round_finished"])] == [1, 2]


def test_the_running_journal_thins_itself(tmp_path: Path) -> None:
    bus = events.EventBus()
    journal = Journal(tmp_path / "node.db", bus, Limits(max_rows=500, keep_rounds=20))
    journal.start()
    for n in range(3000):
        bus.emit(finished(n))
    journal.close()
    assert len(journal.read()) <= 500
    assert fold.replay(journal.events()).ledger.trained == 3000


def test_emitting_from_many_threads_loses_nothing(tmp_path: Path) -> None:
    bus = events.EventBus()
    journal = Journal(tmp_path / "node.db", bus)
    journal.start()
    threads = [
        threading.Thread(target=lambda: [bus.emit(finished(n)) for n in range(300)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert len(journal.read()) == 1200


CHILD = """
import resource, signal, sys, time
from pathlib import Path
from core import events, journal as j
from tests.test_fold import finished
j.RETRY_S = 0.1
bus = events.EventBus()
told = bus.subscribe()
journal = j.Journal(Path(sys.argv[1]), bus)
journal.start()
mode = sys.argv[2]
if mode == "kill":
    n = 0
    while True:
        bus.emit(finished(n)); n += 1
        if n % 50 == 0:
            time.sleep(0.01)
        if n == 500:
            print("going", flush=True)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
for n in range(2000):
    bus.emit(finished(n))
seen = []
def until(test):
    end = time.monotonic() + 20
    while not test():
        assert time.monotonic() < end, seen
        seen.extend(told.drain())
        time.sleep(0.02)
until(lambda: any(isinstance(e, events.ServiceChanged) for e in seen))
time.sleep(0.5)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
until(lambda: any(isinstance(e, events.ServiceChanged) and e.status == "up" for e in seen))
journal.close()
print(sum(isinstance(e, events.Incident) for e in seen), len(journal.read()))
"""


def child(path: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), mode],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
    )


def test_kill_9_leaves_a_sound_journal(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    process = child(path, "kill")
    assert process.stdout is not None
    assert process.stdout.readline() == "going\n"
    wait_until(lambda: len(Journal(path).read()) >= 500)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    rounds = [e.round for e in Journal(path).events()]
    assert rounds == [*range(len(rounds))]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    written(path, [finished(0)])
    assert len(list(Journal(path).events())) == len(rounds) + 1


def test_a_full_disk_is_told_once_and_waited_out(tmp_path: Path) -> None:
    process = child(tmp_path / "node.db", "full")
    out, _ = process.communicate(timeout=60)
    incidents, rows = map(int, out.split())
    assert incidents == 1
    assert rows >= 2000
