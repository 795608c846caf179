"""How the questions and cards over a page are answered: lines of the table of `tui/keys.py`."""

from __future__ import annotations

from tui.command import Command

COMMANDS: tuple[Command, ...] = (
    Command(
        "question",
        "stay",
        ("escape", "n"),
        "Esc",
        "Stay",
        "Go on as before.",
        footer=True,
        palette=False,
    ),
    Command(
        "question",
        "wait",
        ("enter", "w"),
        "Enter",
        "Quit after the round",
        "Nothing is lost.",
        footer=True,
        palette=False,
    ),
    Command(
        "question",
        "now",
        ("s", "ctrl+c"),
        "s ^c",
        "Stop now",
        "Give up the round under way.",
        footer=True,
        palette=False,
    ),
    Command(
        "card",
        "close",
        ("enter", "escape", "space", "q"),
        "Enter",
        "Go on",
        "Close the card.",
        footer=True,
        palette=False,
    ),
    Command(
        "failure",
        "app.leave",
        ("enter", "escape", "q", "ctrl+c"),
        "Enter",
        "Leave",
        "Close Waggle; nothing is running.",
        footer=True,
        palette=False,
        priority=True,
    ),
    Command(
        "failure",
        "app.settings",
        ("s",),
        "s",
        "Settings",
        "Correct a setting, then leave and start again.",
        footer=True,
        palette=False,
    ),
)

SCOPES = {
    "question": "When quitting",
    "card": "While you were away",
    "failure": "When the node cannot start",
}
