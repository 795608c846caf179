"""Earlier training runs of this node, to choose some for comparison."""

from __future__ import annotations

import time

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from core.history import Run
from core.texts import _, many
from tui import keys
from tui.charting.scale import figure
from tui.draw import Pen, line, note
from tui.once import Once
from tui.text import count
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines

MOST = 3
"""Runs that can be laid over at once: more could not be told apart."""
VISIBLE = 10


def label_of(run: Run) -> str:
    return time.strftime("%d %b %H:%M", time.localtime(run.started))


def runs_text(view: tuple[tuple[Run, ...], int, frozenset[int]], width: int, pen: Pen) -> Text:
    """One run a row: chosen or not, when, which rounds, how it ended, which model."""
    runs, here, chosen = view
    if not runs:
        return note(_("This node has no earlier training run with a finished round."), width, pen)
    top = min(max(here - VISIBLE // 2, 0), max(len(runs) - VISIBLE, 0))
    text = line()
    for position, run in enumerate(runs[top : top + VISIBLE], top):
        sign = pen.glyphs.chosen if position in chosen else pen.glyphs.unchosen
        last = run.series["reward/own"].last if "reward/own" in run.series else None
        parts = [
            f"{sign} {label_of(run)}",
            many("{count} round", "{count} rounds", run.rounds).format(
                count=f"{count(run.rounds):>6s}"
            ),
            _("reward {value}").format(value=f"{'-' if last is None else figure(last, 6):<6s}"),
            pen.safe(run.model.rstrip("/").rsplit("/", 1)[-1], 60),
        ]
        row = pen.fit("  ".join(parts), width)
        text.append("\n" if position > top else "")
        text.append(row, f"bold {pen.palette.accent}" if position == here else "")
    if len(runs) > VISIBLE:
        text.append(
            "\n" + _("{here} of {all}").format(here=here + 1, all=len(runs)), pen.palette.muted
        )
    return text


class RunsScreen(Once, ModalScreen[frozenset[int] | None]):
    """Gives back the chosen positions in `runs` (newest first), or None for no change."""

    BINDINGS = keys.bindings("runs")

    def __init__(self, runs: tuple[Run, ...], chosen: frozenset[int]) -> None:
        super().__init__()
        self._runs = runs
        self._chosen = chosen
        self._here = min(chosen, default=0)

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(_("Compare with earlier training runs"), classes="question", markup=False)
            yield Static(
                _("Up to {most}. Rounds are then counted from the start of each run.").format(
                    most=MOST
                ),
                classes="about",
                markup=False,
            )
            yield Lines(runs_text, id="runs")
        yield KeyBar("runs")

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        self.query_one("#runs", Lines).show((self._runs, self._here, self._chosen))

    def action_move(self, steps: int) -> None:
        self._here = min(max(self._here + steps, 0), max(len(self._runs) - 1, 0))
        self._show()

    def action_toggle(self) -> None:
        if not self._runs:
            return
        if self._here not in self._chosen and len(self._chosen) >= MOST:
            self.notify(_("At most {most} at once.").format(most=MOST), markup=False)
            return
        self._chosen = self._chosen ^ {self._here}
        self._show()

    def action_done(self) -> None:
        self.dismiss(self._chosen)

    def action_cancel(self) -> None:
        self.dismiss(None)
