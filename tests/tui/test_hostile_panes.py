"""Each field that a peer fills, in the pane that shows it: there as text, within its columns.

The property tests walk everywhere with anything; this one proves that the trouble arrives at all. A
mark in front of each text says which field it is, and every pane must show its marks.
"""

from __future__ import annotations

import unicodedata

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from core import events
from core.home import Home
from tests.tui import peers_support as support
from tests.tui.conftest import running, settle
from tests.tui.peers_support import NOW
from tests.tui.support import begin
from tui import capture
from tui.text import MARKS, MAX_MARKS, UNSAFE
from tui.widgets.table_layout import LEFT_TO_RIGHT

TROUBLES = (
    "\x00\x07\x1b[2J\x1b[31mred\x1b]52;c;QUFB\x07\r",
    "日本" * 250,
    "\u202eevil\u2066 שלום עולם مرحبا 12",
    "👩\u200d👩\u200d👧\u200d" * 40,
    "a" + "\u0301\u0489" * 100 + "b",
    "[red]x[/] [/foo] [bold",
)
WIDE = (140, 40)


def told() -> list[events.Event]:
    out: list[events.Event] = []
    rows = []
    for n, trouble in enumerate(TROUBLES):
        who = support.peer_id(n)
        name, reason, detail = (f"{mark}{n} {trouble}" for mark in ("nm", "rs", "dt"))
        out += [
            events.PeerSeen(time=NOW - n, round=240, peer_id=who, name=name, groups=8, used=3),
            events.GroupRejected(
                time=NOW - n, round=240, peer_id=who, task=name, reason=reason, detail=detail
            ),
            events.PeerQuarantined(
                time=NOW, peer_id=who, name=name, reason=reason, until=NOW + 600, strikes=3, times=1
            ),
            events.RolloutShown(
                time=NOW, round=240, task=f"tk{n} {trouble}", peer_id=who, name=name,
                question=f"qu{n} {trouble}", answer=f"an{n} {trouble}", best=f"be{n} {trouble}",
                worst=f"wo{n} {trouble}", best_reward=1.0, worst_reward=0.0, outcome=reason,
                detail=detail, rewards=[1.0, 0.0], completions=2,
            ),
        ]  # fmt: skip
        said = f"qs{n} {trouble}"[:240]
        message = {"id": f"g{n}", "node": f"gn{n} {trouble}", "node_id": who, "asked": len(said)}
        rows.append({**message, "message": f"{said}...ga{n} {trouble}"[:600]})
    return [*begin(), *out, events.GossipHeard(time=NOW, round=240, messages=rows)]


def sound(screen: str, size: tuple[int, int]) -> None:
    """Nothing that moves a cursor, reorders or piles up; no row longer than the screen, and every
    box closed where it should be."""
    for row in screen.split("\n"):
        assert cell_len(row) <= size[0], row
        assert not any(unicodedata.category(c) in UNSAFE and c != LEFT_TO_RIGHT for c in row), row
        marks = 0
        for char in row:
            marks = marks + 1 if unicodedata.category(char) in MARKS else 0
            assert marks <= MAX_MARKS, row
        if row.startswith("│"):
            assert row.endswith(("│", "╮", "╯")), row
            assert cell_len(row) == size[0], row


async def seen(pilot: Pilot[str], *keys: str) -> str:
    await pilot.press(*keys)
    await settle(pilot, lambda: True)
    screen = capture.text_of(pilot.app)
    sound(screen, WIDE)
    return screen


@pytest.mark.parametrize("number", range(len(TROUBLES)))
async def test_every_pane_shows_what_a_peer_said_as_text(home: Home, number: int) -> None:
    async with running(home, told(), NOW, WIDE) as (_, pilot, _):
        screen = await seen(pilot, "n", *["down"] * (number + 1))
        assert f"nm{number}" in screen
        assert f"rs{number}" in screen, "the quarantine and its sums"
        screen = await seen(pilot, "2", "home")
        feed = [screen, *[await seen(pilot, "pagedown") for _ in range(12)]]
        for mark in ("gn", "qs", "ga"):
            assert any(f"{mark}{number}" in each for each in feed), mark
        page = await seen(pilot, "1", "enter")
        page += await seen(pilot, "end")
        for mark in ("nm", "rs", "dt", "qs", "ga"):
            assert f"{mark}{number}" in page, mark
        await seen(pilot, "escape", "escape")
        screen = await seen(pilot, "r", *["down"] * number)
        for mark in ("nm", "tk", "qu", "an", "be", "wo"):
            assert f"{mark}{number}" in screen, mark
        page = await seen(pilot, "enter")
        page += await seen(pilot, "pagedown") + await seen(pilot, "end")
        for mark in ("nm", "rs", "dt", "qu", "an", "be", "wo"):
            assert f"{mark}{number}" in page, mark
