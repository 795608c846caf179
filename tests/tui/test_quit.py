"""The question before quitting: what it says of the cost is true, and stays true meanwhile."""

from __future__ import annotations

import pytest

from core import events
from core.fold import replay
from core.home import Home
from core.state import NodeState
from tests.tui.conftest import running, settle
from tests.tui.support import START, begin, history, now_of
from tui import capture, keys
from tui.derive_stopping import GIVEN_UP, stopping_cost
from tui.screens.quit import KEYS_WIDTH


def long_rounds(seconds: float, spent_s: float, done: int = 0, total: int = 64) -> NodeState:
    """Five rounds of so many seconds, and one under way for `spent_s` before `now_of(5)`."""
    started = now_of(5) - spent_s
    out = begin(started - 10 * seconds)
    for number in range(1, 6):
        at = started - (6 - number) * seconds
        out += [
            events.RoundStarted(time=at, round=number),
            events.RoundFinished(
                time=at + seconds,
                round=number,
                reward_mean=0.2,
                swarm_reward_mean=0.2,
                loss=0.1,
                seconds=seconds,
                wait_s=0.0,
                own_groups=8,
                foreign_groups=0,
                rejected_groups=0,
                peers=0,
                tokens_per_s=1000.0,
                rss_mib=800.0,
            ),
        ]
    out += [
        events.RoundStarted(time=started, round=6),
        events.PhaseChanged(time=started, round=6, phase="sample"),
    ]
    if done:
        progress = {"round": 6, "phase": "sample", "done": done, "total": total}
        out.append(events.PhaseProgress(time=now_of(5), **progress))
    return replay(out)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (long_rounds(200, 160), "Round 6 is 80 % done; wait 40 s?" + GIVEN_UP),
        (long_rounds(2, 1.5), "Round 6 ends in a moment; wait for it?" + GIVEN_UP),
        (long_rounds(30, 90), "Round 6 has taken 1:30, longer than its usual 30 s." + GIVEN_UP),
        # Half of the answers took as long as a whole round does: that, too, is known.
        (long_rounds(30, 30, done=32), "Round 6 is 50 % done; wait 30 s?" + GIVEN_UP),
    ],
    ids=["a part", "a moment", "overdue", "slower than usual"],
)
def test_it_says_how_long_the_round_still_takes(state: NodeState, told: str) -> None:
    assert stopping_cost(state, now_of(5)) == told


def test_nothing_is_lost_between_rounds_and_before_the_first() -> None:
    assert "not running" in stopping_cost(NodeState(), START)
    assert "still starting" in stopping_cost(replay(begin()), START)
    saving = events.PhaseChanged(time=now_of(5), round=5, phase="save")
    done = replay([*history(5)[:-3], saving])
    assert stopping_cost(done, now_of(5)).startswith("Round 5 is done: nothing is lost.")
    idle = events.PhaseChanged(time=now_of(5), round=6, phase="wait")
    assert "nothing is lost" in stopping_cost(replay([*history(5), idle]), now_of(5))


def test_it_says_who_else_waits_and_what_is_kept() -> None:
    rounds, others, queued = stopping_cost(replay(history(5)), now_of(5)).split("\n")
    assert rounds.startswith("Round 6")
    assert "the others wait" in others
    assert queued.startswith("Submissions on their way (1) are kept")
    alone = stopping_cost(replay(history(5, peers=False)), now_of(5))
    assert "others" not in alone


async def test_the_question_lists_every_key_and_follows_the_clock(home: Home) -> None:
    async with running(home, history(5), now_of(5), (80, 24)) as (app, pilot, node):
        await pilot.press("q")
        await pilot.pause()
        shown = capture.text_of(app)
        assert "ends in a moment" in shown
        for command in keys.commands("question"):
            assert f"{command.shown:{KEYS_WIDTH}s}{command.title}." in shown
        assert capture.text_of(app).splitlines()[-1].startswith(" Esc Stay")
        at = now_of(5)
        node.bus.emit(events.PhaseChanged(time=at, round=6, phase="wait"))
        await settle(pilot, lambda: True)
        assert "Round 6 is done: nothing is lost." in capture.text_of(app)
