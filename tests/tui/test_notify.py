"""The verdict outside the window: the title, and one bell or notification when it changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from core.state import NodeState
from tests.tui.ptys import Terminal
from tui.notify import STEADY_S, Herald, sequence
from tui.views import Headline


class Driver:
    """Takes down what is written, as a terminal would."""

    is_headless = False
    is_web = False

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> None:
        self.written += text


def told(levels: list[tuple[float, str]], how: str = "bell") -> list[str]:
    """After each moment's verdict: what was rung then."""
    driver, herald, out = Driver(), Herald(), []
    for now, level in levels:
        driver.written = ""
        herald.tell(driver, Headline(level, f"because {level}"), NodeState(), how, now)
        out.append(driver.written.split("\x1b\\")[-1])
    return out


def test_a_changed_verdict_rings_once_when_it_has_stood_for_a_while() -> None:
    assert told(
        [
            (0, "starting"),
            (1, "healthy"),
            (100, "down"),
            (100 + STEADY_S - 1, "down"),
            (100 + STEADY_S, "down"),
            (101 + STEADY_S, "down"),
            (200, "healthy"),
            (201 + STEADY_S, "healthy"),
        ]
    ) == ["", "", "", "", "\a", "", "", "\a"]


def test_a_verdict_that_goes_up_and_down_does_not_ring() -> None:
    moments = [(float(second), ("healthy", "degraded")[second % 2]) for second in range(100)]
    assert set(told(moments)) == {""}


def test_the_first_verdict_is_no_change() -> None:
    assert told([(0, "down"), (STEADY_S * 2, "down")]) == ["", ""]


def test_off_is_silent() -> None:
    moments = [(0.0, "healthy"), (10.0, "down"), (10 + STEADY_S, "down")]
    assert told(moments, "off") == ["", "", ""]


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({"TERM": "xterm"}, "\x1b]9;Waggle: down. no\\x1b peers\a"),
        ({"TMUX": "x"}, "\x1bPtmux;\x1b\x1b]9;Waggle: down. no\\x1b peers\a\x1b\\"),
    ],
)
def test_osc9_says_why_and_nothing_in_it_reaches_the_terminal(
    env: dict[str, str], wanted: str
) -> None:
    assert sequence("osc9", Headline("down", "no\x1b peers"), env) == wanted


def test_the_title_is_there_while_the_console_is_and_given_back(tmp_path: Path) -> None:
    child = [sys.executable, "-m", "tests.tui.console_child", str(tmp_path / "home"), "--feed"]
    with Terminal(child) as console:
        console.read(lambda: "healthy round 7" in console.screen.title)
        console.type("q")
        console.shows("Quit Waggle?")
        console.type("s")
        assert console.ended() == 0
    assert console.seen.rfind(b"\x1b[23;2t") > console.seen.rfind(b"\x1b]2;")
    assert json.loads((tmp_path / "home" / "ended").read_text())["code"] == 0
