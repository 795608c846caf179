"""What a person can do on the rewards screen; a part of the table of `tui/keys.py`."""

from __future__ import annotations

from tui.command import Command
from tui.keys_peers import moves

# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("rewards", "leave", ("escape", "q"), "Esc", "Back",
            "Show all rounds again, then return to the dashboard.", footer=True, palette=False),
    Command("rewards", "search", ("slash",), "/", "Round",
            "Go to a round by its number.", footer=True),
    Command("rewards", "details", ("enter",), "Enter", "Details",
            "Everything of the chosen round, with its receipts.", footer=True),
    Command("rewards", "failed", ("f",), "f", "Failed",
            "Show only rounds with a submission in trouble, or all again.", footer=True),
    Command("rewards", "check", ("c",), "c", "Check",
            "Ask the coordinator now: the counters, and what it has of the queue.", footer=True),
    Command("rewards", "copy", ("y",), "y", "Copy",
            "Copy the chosen round's transaction to the clipboard of your terminal.", footer=True),
    Command("rewards", "show_section('ledger')", ("1",), "1", "Ledger",
            "Each round from trained to credited, with its receipt."),
    Command("rewards", "show_section('counters')", ("2",), "2", "Counters",
            "The three counters, here and at the coordinator, and why they differ."),
    Command("rewards", "show_section('about')", ("3",), "3", "Queue and gas",
            "What waits and why, the policy, the identity and the gas."),
    *moves("rewards"),
    Command("rewards", "app.help", ("question_mark", "f1"), "?", "Help",
            "The page with all keys.", footer=True),
    Command("rewards", "app.command_palette", ("ctrl+p",), "^p", "Palette",
            "Every command by name.", palette=False),
)
# fmt: on
