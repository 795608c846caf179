"""The card that greets who returns: what happened since this console was last looked at."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from core.away import Away
from tui import keys
from tui.text import clean, duration
from tui.widgets.key_bar import KeyBar

SHOWN_INCIDENTS = 5


class AwayScreen(ModalScreen[None]):
    """Any of its keys closes it."""

    BINDINGS = keys.bindings("card")

    def __init__(self, away: Away) -> None:
        super().__init__()
        self._away = away

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static("While you were away", classes="question", markup=False)
            yield Static(Text(f"The last look was {duration(self._away.seconds)} ago."), id="cost")
            yield Static(Text("\n".join(told(self._away))), id="away")
        yield KeyBar("card")

    def action_close(self) -> None:
        self.dismiss()


def told(away: Away) -> list[str]:
    """The lines of the card; plain text."""
    lines = [f"Rounds     {away.rounds:,} more trained"]
    if away.reward_now is not None:
        before = "" if away.reward_before is None else f"{away.reward_before:.3f} -> "
        lines.append(f"Reward     {before}{away.reward_now:.3f} (mean of the last rounds)")
    counted = [
        f"{count:+,} {name}"
        for count, name in ((away.credited, "reward"), (away.votes, "votes"), (away.wins, "wins"))
        if count is not None
    ]
    if counted:
        lines.append(f"Credited   {', '.join(counted)}")
    if away.restarts:
        lines.append(f"Restarts   {away.restarts}")
    if away.crashes:
        lines.append(f"Crashes    {away.crashes} (the node, the machine or its power)")
    if not away.incidents:
        lines.append("Incidents  none")
    for position, line in enumerate(away.incidents[:SHOWN_INCIDENTS]):
        head = "Incidents" if position == 0 else ""
        often = f" ({line.count} times)" if line.count > 1 else ""
        lines.append(f"{head:<11}{clean(line.what, 200)}{often}")
    if len(away.incidents) > SHOWN_INCIDENTS:
        lines.append(f"{'':<11}and {len(away.incidents) - SHOWN_INCIDENTS} more: press l")
    return lines
