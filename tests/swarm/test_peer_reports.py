"""`peers`, `leaderboard` and `gossip`, as a person and as a script read them, from a journal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from core import cli, events
from core.gate.admission import REASONS
from core.gate.fates import fate
from core.gate.quarantine import LAPSE, WEIGHTS
from core.home import Home
from core.journal import Journal
from core.net.names import animal_name
from core.swarm import leaderboard
from core.swarm.leaderboard import Entry, Leader

ME, ALICE, BOB, EVE = ("Qm" + letter * 44 for letter in "mabe")
HOSTILE = "\x1b[2J[red]\u202e\nrank 1 everybody"


def write(home: Home, history: Sequence[events.Event]) -> None:
    bus = events.EventBus()
    journal = Journal(home.db, bus)
    journal.start()
    for event in history:
        bus.emit(event)
    journal.close()


def seen(peer: str, **more: Any) -> events.PeerSeen:
    values: dict[str, Any] = {"round": 7, "name": animal_name(peer), "groups": 4, "used": 3}
    return events.PeerSeen(peer_id=peer, **{**values, "reward_mean": 0.5, "claimed": 0.9, **more})


def refused(peer: str, reason: str, detail: str = "", **more: Any) -> events.GroupRejected:
    return events.GroupRejected(
        round=7, peer_id=peer, task="sums/1/2", reason=reason, detail=detail, **more
    )


@pytest.fixture
def told(home: Home, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command on the home; what it printed."""

    def run(*arguments: str, status: int = 0) -> str:
        assert cli.main([*arguments, "--home", str(home.path)]) == status
        out, err = capsys.readouterr()
        return out if status == 0 else err

    return run


@pytest.fixture
def met(home: Home) -> Home:
    write(
        home,
        [
            seen(ALICE, latency_ms=12.4),
            seen(BOB, used=0, reward_mean=None),
            refused(BOB, "schedule"),
            refused(BOB, "schedule", "the task of another peer"),
            refused(BOB, "size", HOSTILE),
            refused(BOB, "made_up"),
            refused(ALICE, "malformed", signed=False),
            seen(ALICE, used=0, reward_mean=None, signed=False, claimed=None),
            events.PeerQuarantined(
                peer_id=BOB,
                name=animal_name(BOB),
                reason="size",
                until=time.time() + 600,
                strikes=3.2,
                times=2,
            ),
        ],
    )
    return home


def test_the_table_tells_who_was_used_and_who_was_refused(
    met: Home, told: Callable[..., str]
) -> None:
    lines = told("peers").splitlines()
    (alice,) = (line for line in lines if ALICE in line and "unsigned" not in line)
    assert "3/4" in alice
    assert "0.500" in alice
    (bob,) = (line for line in lines if BOB in line)
    assert "0/4" in bob
    assert bob.endswith("(quarantine)")
    (total,) = (line for line in lines if line.startswith("refused in all"))
    assert "2 schedule" in total
    found = json.loads(told("peers", "--json"))
    assert found["rejected"] == {"schedule": 2, "size": 1, "made_up": 1, "malformed": 1}
    rows = {(row["peer_id"], row["signed"]): row for row in found["peers"]}
    assert rows[BOB, True]["rejected"] == 4
    assert rows[BOB, True]["quarantine"]["times"] == 2
    assert rows[ALICE, True]["rejected"] == 0, "what comes unsigned in her name is not hers"


def test_why_explains_every_reason_in_a_sentence(met: Home, told: Callable[..., str]) -> None:
    text = told("peers", "--why", animal_name(BOB))
    assert f"2 x schedule: {REASONS['schedule']}" in text
    assert "the last time: the task of another peer" in text
    assert "made_up: A reason that this version" in text
    assert "Left alone until" in text
    assert "quarantine number 2, after another size" in text
    assert "4 offered, 0 admitted, 4 refused" in text
    assert "0.900 for its newest, by its own word" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    clean = told("peers", "--why", ALICE)
    assert "fetched in 12 ms" in clean
    assert "Nothing that it sent was refused or left over." in clean
    assert "Unsigned in its name, and counted apart: 4 offered, 0 admitted, 1 refused." in clean
    data = json.loads(told("peers", "--json", "--why", BOB))
    assert [row["count"] for row in data["why"]] == [2, 1, 1]
    assert data["why"][0]["meaning"] == REASONS["schedule"]
    assert data["peer"]["quarantine"]["reason"] == "size"


def test_what_was_only_not_needed_is_not_called_refused(
    home: Home, told: Callable[..., str]
) -> None:
    reasons = ["quota", "quota", "no_signal", "timeout", "implausible"]
    write(home, [seen(ALICE, groups=8), *(refused(ALICE, reason) for reason in reasons)])
    (line,) = (line for line in told("peers").splitlines() if ALICE in line)
    assert line.split("3/8")[1].split()[:3] == ["1", "3", "1"], "refused, spare, missed"
    why = told("peers", "--why", ALICE)
    assert "8 offered, 3 admitted, 1 refused, 3 spare, 1 missed" in why
    assert why.index("refused: ") < why.index("1 x implausible") < why.index("spare: ")
    row = json.loads(told("peers", "--json"))["peers"][0]
    assert [row[name] for name in ("refused", "spare", "missed", "rejected")] == [1, 3, 1, 5]


def test_every_reason_that_costs_a_strike_but_a_lapse_is_a_fault() -> None:
    for reason in REASONS:
        fault = WEIGHTS.get(reason, 0.0) > LAPSE or reason == "quarantine"
        assert (fate(reason) == "refused") == fault, reason


def test_whom_a_person_means(met: Home, told: Callable[..., str]) -> None:
    name = animal_name(BOB)
    for way in (BOB, BOB[:6], name, name.upper(), name.replace(" ", "_"), name[:-1]):
        assert BOB in told("peers", "--why", way)
    assert "2 peers are called Qm" in told("peers", "--why", "Qm", status=1)
    assert "No peer is called nobody" in told("peers", "--why", "nobody", status=1)
    assert f"near to it is {name}" in told("peers", "--why", name + "x", status=1)


def test_find_is_the_original_s_search(met: Home, told: Callable[..., str]) -> None:
    word = animal_name(BOB).split()[-1]
    assert BOB in told("peers", "--find", word)
    assert ALICE not in told("peers", "--find", BOB[2:12])
    assert "none is called zzz" in told("peers", "--find", "zzz")


def entry(peer: str, total: int) -> Entry:
    return Entry(peer, 3, 2, total, 1, 9, 0, ((8, total - 1), (9, total)))


def row(rank: int, peer: str, total: int) -> dict[str, Any]:
    return leaderboard.to_row(Leader(rank, animal_name(peer), entry(peer, total)))


def test_the_leaderboard_has_the_original_s_shape(home: Home, told: Callable[..., str]) -> None:
    assert "No leaderboard yet" in told("leaderboard", status=1)
    rows = [row(1, ALICE, 90), row(2, BOB, 40)]
    write(
        home,
        [
            events.LeaderboardRead(block=5, behind=0, total=2, leaders=rows[1:]),
            events.LeaderboardRead(block=9, behind=3, total=4000, leaders=rows, me=row(812, ME, 3)),
        ],
    )
    data = json.loads(told("leaderboard", "--json", "--top", "1"))
    assert [leader["id"] for leader in data["leaders"]] == [ALICE, ME]
    assert data["total"] == 4000
    assert data["leaders"][0] == {
        "rank": 1,
        "id": ALICE,
        "nickname": animal_name(ALICE),
        "participation": 3,
        "wins": 2,
        "recordedRound": 9,
        "recordedStage": 0,
        "cumulativeScore": 90,
        "lastScore": 1,
        "scoreHistory": [{"x": 8, "y": 89}, {"x": 9, "y": 90}],
    }
    text = told("leaderboard")
    assert "(this node)" in text
    assert "4000 peers" in text
    assert "3 blocks are still to be read" in text
    found = told("leaderboard", "--find", animal_name(BOB).split()[0])
    assert BOB in found
    assert ALICE not in found
    assert "Nobody among the first 2 of 4000" in told("leaderboard", "--find", "zzz")


def test_the_feed_has_the_original_s_shape(home: Home, told: Callable[..., str]) -> None:
    assert "Nothing was heard yet" in told("gossip")

    def said(n: int) -> dict[str, str]:
        return {"id": f"{n}", "node": "eve", "node_id": EVE, "message": f"{n}...{HOSTILE}"}

    write(home, [events.GossipHeard(round=n, messages=[said(n)]) for n in range(1, 6)])
    data = json.loads(told("gossip", "--json"))
    assert [m["id"] for m in data["messages"]] == ["5", "4", "3"]
    assert data["messages"][0]["nodeId"] == EVE
    text = told("gossip", "--since-round", "4")
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text
    assert "\u202e" not in text
