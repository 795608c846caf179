"""What a person can do on the rollouts screen; a part of the table of `tui/keys.py`."""

from __future__ import annotations

from core.texts import _
from tui.command import Command
from tui.keys_peers import rows

# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("rollouts", "leave", ("escape", "q"), "Esc", _("Back"),
            _("Show all groups again, then return to where you came from."), footer=True,
            palette=False),
    Command("rollouts", "search", ("slash",), "/", _("Search"),
            _("Find groups by words of the task, the answers, the peer or the round."),
            footer=True),
    Command("rollouts", "narrow(1)", ("f",), "f", _("Filter"),
            _("Show only this node's groups, only those of others, refused ones, or those without"
            " a signal."), footer=True),
    Command("rollouts", "narrow(-1)", ("F",), "F", _("Filter before"),
            _("Go back to the filter before.")),
    Command("rollouts", "details", ("enter",), "Enter", _("Details"),
            _("Everything of the chosen group on the whole screen."), footer=True),
    Command("rollouts", "read(1)", ("space", "J"), "Space J", _("Read on"),
            _("Move the two answers up to read on, without leaving the list."), footer=True),
    Command("rollouts", "read(-1)", ("b", "K"), "b K", _("Read back"),
            _("Move the two answers down again.")),
    Command("rollouts", "app.charts", ("c",), "c", _("Charts"),
            _("All charts, with the cursor on the round of this group.")),
    Command("rollouts", "app.logs_at", ("L",), "L", _("Log"),
            _("The log at the round of this group.")),
    Command("rollouts", "copy", ("y",), "y", _("Copy"),
            _("Copy the chosen group to the clipboard of your terminal, over SSH too."),
            footer=True),
    Command("rollouts", "only('all')", ("1",), "1", _("All groups"),
            _("Show every group of the last rounds.")),
    Command("rollouts", "only('own')", ("2",), "2", _("Own groups"),
            _("Show what this node answered itself.")),
    Command("rollouts", "only('others')", ("3",), "3", _("Others' groups"),
            _("Show groups of other nodes that passed all checks.")),
    Command("rollouts", "only('refused')", ("4",), "4", _("Refused groups"),
            _("Show groups of other nodes that were refused, and why.")),
    Command("rollouts", "only('silent')", ("5",), "5", _("No signal"),
            _("Show groups whose answers all earned the same.")),
    *rows("rollouts"),
    Command("rollouts", "sideways(1)", ("right", "l"), "Right l", _("Columns right"),
            _("Show the columns that had no room."), palette=False),
    Command("rollouts", "sideways(-1)", ("left", "h"), "Left h", _("Columns left"),
            _("Show the first columns again."), palette=False),
    Command("rollouts", "app.help", ("question_mark", "f1"), "?", _("Help"),
            _("The page with all keys."), footer=True),
    Command("rollouts", "app.command_palette", ("ctrl+p",), "^p", _("Palette"),
            _("Every command by name."), palette=False),
)
# fmt: on
