"""Views drawn into a width: nothing overlaps, nothing is cut without an ellipsis."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.text import Text

from core import events
from core.fold import replay
from tests.tui.support import ACCOUNT, START, begin, history, now_of
from tui import derive, derive_rollouts, draw_dashboard, draw_panes, draw_rollouts
from tui.draw import Pen
from tui.glyphs import ASCII, UNICODE
from tui.palette import Palette
from tui.plot import plot
from tui.widgets.chart import chart

PENS = {"unicode": Pen(UNICODE, Palette()), "ascii": Pen(ASCII, Palette())}
HOSTILE = "[/foo] \x1b[31m\u202eevil\u2066 日本語🙂👩‍👩‍👧 \x07\r\n" + "x" * 300


def hostile() -> list[events.Event]:
    """Every text field of a peer, a model or a log, filled with trouble."""
    first = replace(begin()[0], name=HOSTILE, model=HOSTILE, peer_id=HOSTILE)
    return [
        first,
        events.ServiceChanged(time=START, service=HOSTILE, status=HOSTILE, detail=HOSTILE),
        events.PhaseChanged(time=START, round=3, phase=HOSTILE, detail=HOSTILE, expected_s=1e300),
        events.PeerSeen(time=START, round=3, peer_id=HOSTILE, name=HOSTILE, reward_mean=-1e300),
        events.PeerSeen(time=START, round=3, peer_id="b", name="", groups=10**9, used=10**9),
        events.SubmissionChanged(
            time=START,
            round=10**15,
            kind="reward",
            status=HOSTILE,
            value=HOSTILE,
            tx_hash=HOSTILE,
            error=HOSTILE,
        ),
        events.RolloutShown(
            time=START,
            round=3,
            task=HOSTILE,
            peer_id=HOSTILE,
            question=HOSTILE,
            answer=HOSTILE,
            best=HOSTILE,
            best_reward=float("nan"),
            worst=HOSTILE,
            worst_reward=0,
        ),
        events.Incident(
            time=START, code="x", what=HOSTILE, why=HOSTILE, next_step=HOSTILE, level="error"
        ),
    ]


def drawings(recorded: list[events.Event], width: int, pen: Pen, now: float) -> dict[str, Text]:
    state = replay(recorded)
    return {
        "headline": draw_dashboard.headline(derive.headline(state, now), width, pen),
        "round": draw_dashboard.round_line(derive.round_view(state, now), width, pen),
        "peers": draw_panes.peers(derive.peers_view(state, now), width, pen),
        "ledger": draw_panes.ledger(derive.ledger_view(state), width, pen),
        "status": draw_dashboard.status(derive.status_view(state, ACCOUNT, 1.0, now), width, pen),
        "rollouts": draw_rollouts.group(derive_rollouts.rows(state)[0], width, pen)
        if state.rollouts
        else Text(),
        "doctor": draw_rollouts.head(derive_rollouts.head(state), width, pen),
    }


@pytest.mark.parametrize("pen", PENS)
@pytest.mark.parametrize("width", [38, 66, 80, 140])
@pytest.mark.parametrize("kind", ["history", "hostile", "begin"])
def test_every_row_keeps_within_its_width(kind: str, width: int, pen: str) -> None:
    made = {"history": lambda: history(7), "hostile": hostile, "begin": begin}[kind]
    for name, text in drawings(made(), width, PENS[pen], now_of(7)).items():
        for row in text.plain.split("\n"):
            assert cell_len(row) <= width, (name, row)
            assert "\x1b" not in row
            assert "\u202e" not in row
            assert pen != "ascii" or row.isascii(), (name, row)


@pytest.mark.parametrize("level", ["healthy", "degraded", "down", "starting", "paused"])
def test_the_verdict_is_a_word_and_a_sign(level: str) -> None:
    from tui.views import Headline

    text = draw_dashboard.headline(Headline(level, "because", "do this"), 80, PENS["ascii"]).plain
    assert level.upper() in text
    assert "because" in text
    assert "do this" in text


def test_cut_text_ends_in_an_ellipsis() -> None:
    from tui.views import Headline

    text = draw_dashboard.headline(
        Headline("down", "a reason that is long " * 9), 60, PENS["unicode"]
    )
    assert text.plain.split("\n")[0].endswith("…")


@pytest.mark.parametrize("pen", PENS)
@pytest.mark.parametrize("size", [(40, 14), (66, 9), (140, 30), (16, 6), (5, 2)])
@pytest.mark.parametrize("rounds", [0, 1, 2, 400])
def test_charts_fill_their_pane_and_no_more(rounds: int, size: tuple[int, int], pen: str) -> None:
    width, height = size
    view = derive.reward_chart(replay(history(rounds)), width - 8)
    text = chart(view, width, PENS[pen], height, True)
    rows = text.plain.split("\n")
    assert all(cell_len(row) <= max(width, 16) for row in rows)
    if width >= 16 and not view.empty:
        assert len(rows) <= height
    assert pen != "ascii" or text.plain.isascii()


def test_a_flat_line_and_huge_values_are_drawn() -> None:
    from tui.views import ChartLine, ChartView

    for values in ((1.0, 1.0, 1.0), (-1e12, 0.0, 1e12), (0.0,)):
        xs = tuple(float(n) for n in range(len(values)))
        view = ChartView("Loss", (ChartLine("loss", xs, values),), values[-1])
        assert plot(view, 60, 12, PENS["unicode"]).plain.count("\n") >= 10


def test_no_colour_is_left_without_colour() -> None:
    view = derive.loss_chart(replay(history(30)), 50)
    assert not plot(view, 60, 12, PENS["unicode"], color=False).spans


def test_a_disabled_room_says_so() -> None:
    state = replay(history(1))
    pen = PENS["unicode"]
    assert "chain.enabled" in draw_panes.ledger(derive.ledger_view(state, False), 80, pen).plain
    assert "net.enabled" in draw_panes.peers(derive.peers_view(state, START, False), 80, pen).plain


@pytest.mark.parametrize(
    ("rounds", "labels"),
    [(1, ["0"]), (2, ["0", "1"]), (5, ["0", "2", "4"]), (8, ["0", "3", "6"])],
)
def test_the_first_rounds_are_labelled_evenly(rounds: int, labels: list[str]) -> None:
    from tui.views import ChartLine, ChartView

    x = tuple(float(n) for n in range(rounds))
    view = ChartView("Loss", (ChartLine("loss", x, tuple(0.1 * n for n in x)),))
    drawn = plot(view, 49, 12, PENS["unicode"]).plain.split("\n")
    assert drawn[-1].split() == labels
