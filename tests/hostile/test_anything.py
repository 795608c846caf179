"""Whatever anybody sends: the gate does not raise, and an honest peer is heard every round."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import events
from core.gate.admission import REASONS
from core.rollouts import Rollout
from core.training.games.reasoning import ReasoningGame
from tests.hostile.conftest import ROUND
from tests.hostile.gate import BAD, GOOD, Gate, group, sent

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
