"""How the questions and cards over a page are answered: lines of the table of `tui/keys.py`."""

from __future__ import annotations

from core.texts import _
from tui.command import Command

COMMANDS: tuple[Command, ...] = (
    Command(
        "question",
        "stay",
        ("escape", "n"),
        "Esc",
        _("Stay"),
        _("Go on as before."),
        footer=True,
        palette=False,
    ),
    Command(
        "question",
        "wait",
        ("enter", "w"),
        "Enter",
        _("Quit after the round"),
        _("Nothing is lost."),
        footer=True,
        palette=False,
    ),
    Command(
        "question",
        "now",
        ("s", "ctrl+c"),
        "s ^c",
        _("Stop now"),
        _("Give up the round under way."),
        footer=True,
        palette=False,
    ),
    Command(
        "card",
        "close",
        ("enter", "escape", "space", "q"),
        "Enter",
        _("Go on"),
        _("Close the card."),
        footer=True,
        palette=False,
    ),
    Command(
        "failure",
        "app.leave",
        ("enter", "escape", "q", "ctrl+c"),
        "Enter",
        _("Leave"),
        _("Close Waggle; nothing is running."),
        footer=True,
        palette=False,
        priority=True,
    ),
    Command(
        "failure",
        "app.settings",
        ("s",),
        "s",
        _("Settings"),
        _("Correct a setting, then leave and start again."),
        footer=True,
        palette=False,
    ),
)

SCOPES = {
    "question": _("When quitting"),
    "card": _("While you were away"),
    "failure": _("When the node cannot start"),
}
