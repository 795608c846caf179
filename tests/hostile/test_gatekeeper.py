"""The gate of a round: every refusal is told and booked, and an honest peer never pays for it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import events, fold
from core.admission import REASONS, Doubts
from core.gatekeeper import Gatekeeper
from core.protocols import Gathered, PeerRecord
from core.quarantine import WEIGHTS
from core.remembered import Remembered
from core.rollouts import Rollout, RolloutGroup
from core.schema import AdmissionSection, Config
from core.training.games import load_game
from core.training.games.reasoning import ReasoningGame
from tests.hostile.conftest import ROUND
from tests.hostile.corpus import CONFIG

ME, GOOD, BAD = "QmMe", "QmGood", "QmBad"


class Gate:
    """A gatekeeper with a clock to turn and the events that it told."""

    def __init__(
        self,
        game: ReasoningGame,
        config: Config = CONFIG,
        db: Path | None = None,
        doubts: Doubts | None = None,
    ) -> None:
        self.now = 1_000_000.0
        self.told: list[events.Event] = []
        self.remembered = Remembered(db)
        self.keeper = Gatekeeper(
            game, config, ME, self.remembered, self.told.append, doubts, lambda: self.now
        )

    def play(
        self, *gathered: Gathered, round: int = ROUND, own: Sequence[RolloutGroup] = ()
    ) -> list[RolloutGroup]:
        self.told.clear()
        self.keeper.open(round, own)
        admitted, rejections = self.keeper.judge(round, gathered)
        assert rejections == len(self.of(events.GroupRejected))
        return admitted

    def of(self, kind: type[events.Event]) -> list[events.Event]:
        return [event for event in self.told if type(event) is kind]

    @property
    def reasons(self) -> Counter[str]:
        return Counter(e.reason for e in self.told if isinstance(e, events.GroupRejected))

    def close(self) -> None:
        self.remembered.close()


@pytest.fixture
def gate(game: ReasoningGame) -> Gate:
    return Gate(game)


def group(
    game: ReasoningGame, peer: str = GOOD, slot: int = 0, right: int = 2, round: int = ROUND
) -> RolloutGroup:
    task = game.task(game.schedule(peer, round)[slot])
    texts = [f"<answer>{task.answer if n < right else 'no'}</answer> {n}" for n in range(4)]
    return RolloutGroup(task.id, peer, round, tuple(Rollout(text) for text in texts))


def sent(
    *groups: RolloutGroup, peer: str = GOOD, signed: bool = True, reason: str = ""
) -> Gathered:
    record = PeerRecord(
        peer, f"name of {peer}", ROUND, 0, "d", 1, len(groups), 0.9, 0.0, 12.5, signed
    )
    return Gathered(record, groups, reason, reason)


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


# --- anything at all --------------------------------------------------------------------------

JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30))
ROLLOUTS = st.lists(
    st.builds(
        Rollout, text=st.text(max_size=40), logprobs=st.lists(st.floats(), max_size=3).map(tuple)
    )
    | st.builds(Rollout, text=JUNK, logprobs=st.lists(JUNK, max_size=3).map(tuple), finished=JUNK),
    min_size=3,
    max_size=5,
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "task": JUNK,
        "peer_id": JUNK | st.just(GOOD),
        "round": JUNK,
        "rollouts": ROLLOUTS.map(tuple),
    },
)
STEPS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from([BAD, "QmBad2", "QmBad3"]),
            st.lists(st.tuples(st.integers(0, 5), CHANGES), max_size=8),
            st.booleans(),
            st.sampled_from(["", "", "", *REASONS, "unheard of"]),
        ),
        max_size=3,
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, pause_s=st.floats(0, 4000))
def test_whatever_others_send_an_honest_peer_is_heard_every_round(
    game: ReasoningGame, steps: list[list[tuple]], pause_s: float
) -> None:
    gate = Gate(game)
    for n, crowd in enumerate(steps):
        gate.now += pause_s
        number = ROUND + n
        noise = [
            sent(
                *(
                    replace(group(game, peer, slot, round=number), **changes)
                    for slot, changes in made
                ),
                peer=peer,
                signed=signed,
                reason=reason,
            )
            for peer, made, signed, reason in crowd
        ]
        admitted = gate.play(*noise[:1], sent(group(game, round=number)), *noise[1:], round=number)
        assert [g for g in admitted if g.peer_id == GOOD]
        for got in admitted:
            assert got.rewards == tuple(
                game.score(game.task(got.task), [r.text for r in got.rollouts])
            )
        assert set(gate.reasons) <= set(REASONS)
        for event in gate.told:
            assert events.from_dict(events.to_dict(event)) == event
    assert GOOD not in gate.remembered.book
