"""What a person can do on the rewards screen; a part of the table of `tui/keys.py`."""

from __future__ import annotations

from core.texts import _
from tui.command import Command
from tui.keys_peers import moves

# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("rewards", "leave", ("escape", "q"), "Esc", _("Back"),
            _("Show all rounds again, then return to the dashboard."), footer=True, palette=False),
    Command("rewards", "search", ("slash",), "/", _("Round"),
            _("Go to a round by its number."), footer=True),
    Command("rewards", "details", ("enter",), "Enter", _("Details"),
            _("Everything of the chosen round, with its receipts."), footer=True),
    Command("rewards", "failed", ("f",), "f", _("Failed"),
            _("Show only rounds with a submission in trouble, or all again."), footer=True),
    Command("rewards", "check", ("c",), "c", _("Check"),
            _("Ask the coordinator now: the counters, and what it has of the queue."), footer=True),
    Command("rewards", "copy", ("y",), "y", _("Copy"),
            _("Copy the chosen round's transaction to the clipboard of your terminal."),
            footer=True),
    Command("rewards", "show_section('ledger')", ("1",), "1", _("Ledger"),
            _("Each round from trained to credited, with its receipt.")),
    Command("rewards", "show_section('counters')", ("2",), "2", _("Counters"),
            _("The three counters, here and at the coordinator, and why they differ.")),
    Command("rewards", "show_section('about')", ("3",), "3", _("Queue and gas"),
            _("What waits and why, the policy, the identity and the gas.")),
    *moves("rewards"),
    Command("rewards", "app.help", ("question_mark", "f1"), "?", _("Help"),
            _("The page with all keys."), footer=True),
    Command("rewards", "app.command_palette", ("ctrl+p",), "^p", _("Palette"),
            _("Every command by name."), palette=False),
)
# fmt: on
