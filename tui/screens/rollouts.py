"""Best and worst completion of the last rounds, newest first."""

from __future__ import annotations

import textwrap

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from tui import derive, views
from tui.draw import Pen, bounded, line, note
from tui.screens.reader import Reader
from tui.text import clean_lines, number
from tui.widgets.lines import Lines

MAX_ROWS = 8
"""Rows shown of one completion."""


def rollouts_text(rows: tuple[views.RolloutView, ...], width: int, pen: Pen) -> Text:
    text = line()
    if not rows:
        return note("The first finished round shows its answers here.", width, pen)
    for row in rows:
        head = f"Round {row.round}  {pen.safe(row.task, 100)}"
        text.append(pen.fit(head, width) + "\n", f"bold {pen.palette.accent}")
        text.append(pen.fit(f"from {pen.safe(row.peer, 100)}", width) + "\n", pen.palette.label)
        _block(text, "task", row.question, width, pen, pen.palette.label)
        _block(text, "answer", row.answer, width, pen, pen.palette.label)
        _block(text, f"best {number(row.best_reward, 2)}", row.best, width, pen, pen.palette.good)
        _block(
            text, f"worst {number(row.worst_reward, 2)}", row.worst, width, pen, pen.palette.warn
        )
        text.append("\n")
    return bounded(text, width, pen)


def _block(text: Text, label: str, body: str, width: int, pen: Pen, style: str) -> None:
    """A label and an indented text of at most MAX_ROWS rows."""
    room = max(20, width - 12)
    rows = [
        part
        for raw in clean_lines(body, 4000, pen.glyphs.ascii)
        for part in textwrap.wrap(raw, room) or [""]
    ]
    if len(rows) > MAX_ROWS:
        rows = [
            *rows[: MAX_ROWS - 1],
            f"{pen.glyphs.ellipsis} {len(rows) - MAX_ROWS + 1} more rows",
        ]
    for position, row in enumerate(rows or ["(empty)"]):
        text.append(f"{label:11s} " if position == 0 else " " * 12, style)
        text.append(pen.fit(row, width - 12) + "\n")


class RolloutsScreen(Reader):
    TITLE_TEXT = "Rollouts: best and worst answers of the last rounds"

    def body(self) -> ComposeResult:
        with VerticalScroll(can_focus=False, classes="page"):
            yield Lines(rollouts_text, id="rollouts")

    def on_mount(self) -> None:
        self.show_state()

    def show_state(self) -> None:
        # While somebody reads further down, nothing moves under their eyes.
        if self.scroller.scroll_offset.y == 0:
            rows = derive.rollouts(self.app.state)  # type: ignore[attr-defined]
            self.query_one("#rollouts", Lines).show(rows)
