"""The gate of a round: every refusal is told and booked, and an honest peer never pays for it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core import events, fold
from core.gate.quarantine import WEIGHTS
from core.rollouts import RolloutGroup
from core.schema import AdmissionSection
from core.training.games import load_game
from core.training.games.reasoning import ReasoningGame
from tests.hostile.conftest import ROUND
from tests.hostile.gate import BAD, GOOD, ME, Gate, group, sent
from tests.hostile.scene import CONFIG


@pytest.fixture
def gate(game: ReasoningGame) -> Gate:
    return Gate(game)


def test_what_is_refused_is_told_and_what_is_good_is_let_in(
    game: ReasoningGame, gate: Gate
) -> None:
    wrong = replace(group(game, BAD), round=ROUND - 1)
    admitted = gate.play(
        sent(group(game)), sent(wrong, peer=BAD), sent(peer="QmLate", reason="timeout")
    )
    assert [g.peer_id for g in admitted] == [GOOD]
    assert admitted[0].rewards == (1.0, 1.0, 0.0, 0.0)
    assert gate.reasons == {"round": 1, "timeout": 1}
    seen = {e.peer_id: e for e in gate.told if isinstance(e, events.PeerSeen)}
    assert (seen[GOOD].used, seen[BAD].used) == (1, 0)
    state = fold.replay(gate.told)
    assert state.rejected == {"round": 1, "timeout": 1}


def test_who_keeps_at_it_is_left_alone_and_looked_at_again_later(
    game: ReasoningGame, gate: Gate
) -> None:
    bad, good = sent(replace(group(game, BAD), round=1), peer=BAD), sent(group(game))
    log: list[events.Event] = []
    for _ in range(3):
        gate.now += 10
        gate.play(bad)
        log += gate.told
    (held,) = [e for e in log if isinstance(e, events.PeerQuarantined)]
    assert (held.peer_id, held.reason, held.times, held.until) == (BAD, "round", 1, gate.now + 600)
    assert 2.9 < held.strikes <= 3.0  # the third one did it, half a minute's decay taken off
    state = fold.replay(log)
    assert [q.peer_id for q in state.quarantine.values()] == [BAD]
    assert gate.remembered.holds(BAD)

    gate.now += 599
    assert [g.peer_id for g in gate.play(bad, good)] == [GOOD]
    assert gate.reasons == {"quarantine": 1}  # refused unseen, and no strike for it
    assert gate.remembered.book[BAD].times == 1
    gate.now += 1
    gate.play()
    assert [e.peer_id for e in gate.told if isinstance(e, events.PeerReleased)] == [BAD]
    assert not fold.replay([*log, *gate.told]).quarantine
    gate.play(bad)
    assert gate.reasons == {"round": 1}
    again = [e for e in gate.told if isinstance(e, events.PeerQuarantined)]
    assert [(e.times, e.until) for e in again] == [(2, gate.now + 1200)]


def test_strikes_and_digests_outlive_a_restart(game: ReasoningGame, tmp_path: Path) -> None:
    first = Gate(game, db=tmp_path / "node.db")
    mine = group(game, ME)
    first.play(*[sent(replace(group(game, BAD), round=1), peer=BAD)], own=[mine])
    for _ in range(2):
        first.play(sent(replace(group(game, BAD), round=1), peer=BAD))
    admitted = first.play(sent(group(game)))
    assert len(admitted) == 1

    second = Gate(game, db=tmp_path / "node.db")
    second.now = first.now + 5
    assert second.remembered.holds(BAD)
    # the same group again: as it was, in another order, and with other blanks
    known = group(game)
    for copy in (
        known,
        replace(known, rollouts=known.rollouts[::-1]),
        replace(known, rollouts=tuple(replace(r, text=f" {r.text}\n") for r in known.rollouts)),
    ):
        assert second.play(sent(copy)) == []
        assert second.reasons == {"duplicate": 1}
    first.close()
    second.close()


def test_a_copy_of_my_own_group_is_known_even_where_the_task_is_allowed(
    game: ReasoningGame,
) -> None:
    """An unsigned peer may send any task; not my completions for it, which I have in hand."""
    gate = Gate(game)
    mine = group(game, ME)
    copied = replace(mine, peer_id="QmGenRL")
    assert gate.play(sent(copied, peer="QmGenRL", signed=False), own=[mine]) == []
    assert gate.reasons == {"duplicate": 1}


def test_unsigned_peers_get_little_and_their_strikes_are_not_the_namesakes(
    game: ReasoningGame,
) -> None:
    gate = Gate(game)
    crowd = [
        sent(*(group(game, f"Qm{n}", slot) for slot in range(3)), peer=f"Qm{n}", signed=False)
        for n in range(5)
    ]
    admitted = gate.play(sent(group(game), group(game, GOOD, 1)), *crowd)
    by_peer = Counter(g.peer_id for g in admitted)
    assert by_peer.pop(GOOD) == 2
    assert sum(by_peer.values()) == CONFIG.admission.unsigned_groups == 2
    assert set(by_peer.values()) == {1}
    assert gate.reasons == {"quota": 13}
    # somebody sends rubbish in a good peer's name: only what is unsigned is left alone for it
    rubbish = replace(group(game, GOOD), round=1)
    for _ in range(4):
        gate.play(sent(rubbish, signed=False))
    assert gate.reasons == {"quarantine": 1}
    assert not gate.remembered.holds(GOOD)
    assert len(gate.play(sent(group(game, GOOD, 2)))) == 1


def test_the_models_doubts_count(game: ReasoningGame) -> None:
    asked: list[int] = []

    class NeverBad:
        """An opinion as the local model has one, of names instead of texts."""

        def learn(self, own: Sequence[RolloutGroup]) -> None:
            asked.append(-len(own))

        def __call__(self, groups: Sequence[RolloutGroup]) -> dict[str, str]:
            asked.append(len(groups))
            return {g.digest: "x" * 999 for g in groups if g.peer_id == BAD} | {"unknown": ""}

    gate = Gate(game, doubts=NeverBad())
    mine = [group(game, ME, right=1)]
    admitted = gate.play(sent(group(game)), sent(group(game, BAD), peer=BAD), own=mine)
    assert [g.peer_id for g in admitted] == [GOOD]
    assert asked == [-1, 2]
    (rejected,) = gate.of(events.GroupRejected)
    assert isinstance(rejected, events.GroupRejected)
    assert (rejected.reason, rejected.peer_id, len(rejected.detail)) == ("implausible", BAD, 300)
    assert gate.remembered.book[BAD].strikes == WEIGHTS["implausible"]
    gate.play()
    assert asked == [-1, 2, 0]


def test_answers_that_take_too_long_cost_their_sender_only(tmp_path: Path) -> None:
    """coin_flip's scorer makes a Fraction of any text: here of ten to the power of 300 million."""
    rules = tmp_path / "slow.yaml"
    rules.write_text(
        "name: slow\nseed_base: 1000\nheld_out_seed_base: 2000000000\n"
        "warm_start_seed_base: 3000000000\nindex_range: 100\ndatasets:\n  - name: coin_flip\n"
    )
    config = replace(CONFIG, game=replace(CONFIG.game, tasks=str(rules)))
    game = load_game(config)
    try:
        gate = Gate(game, config)
        slow = [
            replace(
                g,
                rollouts=(
                    replace(g.rollouts[0], text="<answer>1e300000000</answer>"),
                    *g.rollouts[1:],
                ),
            )
            for g in (group(game, BAD, slot) for slot in range(3))
        ]
        admitted = gate.play(sent(*slow, peer=BAD), sent(group(game)))
        assert [g.peer_id for g in admitted] == [GOOD]
        assert gate.reasons == {"cost": 3}
        assert gate.remembered.book[BAD].strikes == WEIGHTS["cost"]
        assert GOOD not in gate.remembered.book
    finally:
        game.close()


def test_a_scorer_that_cannot_run_is_nobodys_fault(game: ReasoningGame) -> None:
    closed = load_game(CONFIG)
    good = group(closed)
    closed.close()
    gate = Gate(closed)
    assert gate.play(sent(good)) == []
    assert gate.reasons == {"unscored": 1}
    assert gate.remembered.book == {}


def test_a_full_disk_is_told_and_the_round_goes_on(game: ReasoningGame, tmp_path: Path) -> None:
    gate = Gate(game, db=tmp_path / "node.db")
    with closing(sqlite3.connect(tmp_path / "node.db")) as other:
        other.execute("DROP TABLE seen_digests")
    assert len(gate.play(sent(group(game)))) == 1
    assert {e.code for e in gate.told if isinstance(e, events.Incident)} == {
        "memory_of_peers_unwritable"
    }
    gate.close()


def test_strikes_can_be_switched_off(game: ReasoningGame) -> None:
    gate = Gate(game, replace(CONFIG, admission=AdmissionSection(strikes=0)))
    for _ in range(20):
        gate.play(sent(replace(group(game, BAD), round=1), peer=BAD))
        assert gate.reasons == {"round": 1}
