"""What a person can do on the rollouts screen; a part of the table of `tui/keys.py`."""

from __future__ import annotations

from tui.command import Command
from tui.keys_peers import rows

# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("rollouts", "leave", ("escape", "q"), "Esc", "Back",
            "Show all groups again, then return to where you came from.", footer=True,
            palette=False),
    Command("rollouts", "search", ("slash",), "/", "Search",
            "Find groups by words of the task, the answers, the peer or the round.", footer=True),
    Command("rollouts", "narrow(1)", ("f",), "f", "Filter",
            "Show only this node's groups, only those of others, refused ones, or those without"
            " a signal.", footer=True),
    Command("rollouts", "narrow(-1)", ("F",), "F", "Filter before",
            "Go back to the filter before."),
    Command("rollouts", "details", ("enter",), "Enter", "Details",
            "Everything of the chosen group on the whole screen.", footer=True),
    Command("rollouts", "read(1)", ("space", "J"), "Space J", "Read on",
            "Move the two answers up to read on, without leaving the list.", footer=True),
    Command("rollouts", "read(-1)", ("b", "K"), "b K", "Read back",
            "Move the two answers down again."),
    Command("rollouts", "app.charts", ("c",), "c", "Charts",
            "All charts, with the cursor on the round of this group."),
    Command("rollouts", "app.logs_at", ("L",), "L", "Log",
            "The log at the round of this group."),
    Command("rollouts", "copy", ("y",), "y", "Copy",
            "Copy the chosen group to the clipboard of your terminal, over SSH too.", footer=True),
    Command("rollouts", "only('all')", ("1",), "1", "All groups",
            "Show every group of the last rounds."),
    Command("rollouts", "only('own')", ("2",), "2", "Own groups",
            "Show what this node answered itself."),
    Command("rollouts", "only('others')", ("3",), "3", "Others' groups",
            "Show groups of other nodes that passed all checks."),
    Command("rollouts", "only('refused')", ("4",), "4", "Refused groups",
            "Show groups of other nodes that were refused, and why."),
    Command("rollouts", "only('silent')", ("5",), "5", "No signal",
            "Show groups whose answers all earned the same."),
    *rows("rollouts"),
    Command("rollouts", "sideways(1)", ("right", "l"), "Right l", "Columns right",
            "Show the columns that had no room.", palette=False),
    Command("rollouts", "sideways(-1)", ("left", "h"), "Left h", "Columns left",
            "Show the first columns again.", palette=False),
    Command("rollouts", "app.help", ("question_mark", "f1"), "?", "Help",
            "The page with all keys.", footer=True),
    Command("rollouts", "app.command_palette", ("ctrl+p",), "^p", "Palette",
            "Every command by name.", palette=False),
)
# fmt: on
