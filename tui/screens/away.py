"""The card that greets who returns: what happened since this console was last looked at."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from core.away import Away
from core.texts import _
from tui import keys
from tui.draw_facts import Fact, Line, facts
from tui.once import Once
from tui.text import clean, duration
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import Lines

SHOWN_INCIDENTS = 5


class AwayScreen(Once, ModalScreen[None]):
    """Any of its keys closes it."""

    BINDINGS = keys.bindings("card")

    def __init__(self, away: Away) -> None:
        super().__init__()
        self._away = away

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Static(_("While you were away"), classes="question", markup=False)
            ago = _("The last look was {time} ago.").format(time=duration(self._away.seconds))
            yield Static(Text(ago), id="cost")
            yield Lines(facts, id="away")
        yield KeyBar("card")

    def on_mount(self) -> None:
        self.query_one("#away", Lines).show(told(self._away))

    def action_close(self) -> None:
        self.dismiss()


def told(away: Away) -> tuple[Line, ...]:
    """The lines of the card."""
    rows = [(_("Rounds"), _("{n:,} more trained").format(n=away.rounds))]
    if away.reward_now is not None:
        mean = _("{now:.3f} (mean of the last rounds)")
        if away.reward_before is not None:
            mean = _("{before:.3f} -> {now:.3f} (mean of the last rounds)")
        rows.append((_("Reward"), mean.format(before=away.reward_before, now=away.reward_now)))
    counted = [
        name.format(n=count)
        for count, name in (
            (away.credited, _("{n:+,} reward")),
            (away.votes, _("{n:+,} votes")),
            (away.wins, _("{n:+,} wins")),
        )
        if count is not None
    ]
    if counted:
        rows.append((_("Credited"), ", ".join(counted)))
    if away.restarts:
        rows.append((_("Restarts"), str(away.restarts)))
    if away.crashes:
        crashes = _("{n} (the node, the machine or its power)").format(n=away.crashes)
        rows.append((_("Crashes"), crashes))
    if not away.incidents:
        rows.append((_("Incidents"), _("none")))
    incidents: dict[str, int] = {}
    for line in away.incidents:  # the same words may come of two parts of the node
        incidents[line.what] = incidents.get(line.what, 0) + line.count
    for position, (what, count) in enumerate(list(incidents.items())[:SHOWN_INCIDENTS]):
        if count > 1:
            what = _("{what} ({n} times)").format(what=clean(what, 200), n=count)
        rows.append((_("Incidents") if position == 0 else "", clean(what, 240)))
    if len(incidents) > SHOWN_INCIDENTS:
        more = _("and {n} more: press l").format(n=len(incidents) - SHOWN_INCIDENTS)
        rows.append(("", more))
    return tuple(Fact(head, text) for head, text in rows)
