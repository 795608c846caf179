"""What a person can do on the peers screen and on the pages of its rows; a part of the table of
`tui/keys.py`."""

from __future__ import annotations

from core.texts import _
from tui.command import Command


# fmt: off
def moves(scope: str) -> tuple[Command, ...]:
    """How one moves in the sections of a screen."""
    return (
        Command(scope, "next_section(1)", ("tab",), "Tab", _("Next"),
                _("Go to the next section."), footer=True, palette=False),
        Command(scope, "next_section(-1)", ("shift+tab",), "S-Tab", _("Section before"),
                _("Go to the section before."), palette=False),
        *rows(scope),
        Command(scope, "sideways(1)", ("right", "l"), "Right l", _("Columns right"),
                _("Show the columns that had no room."), palette=False),
        Command(scope, "sideways(-1)", ("left", "h"), "Left h", _("Columns left"),
                _("Show the first columns again."), palette=False),
    )


def rows(scope: str) -> tuple[Command, ...]:
    return (
        Command(scope, "move(1)", ("down", "j"), "Down j", _("Down"),
                _("One row down."), palette=False),
        Command(scope, "move(-1)", ("up", "k"), "Up k", _("Up"),
                _("One row up."), palette=False),
        Command(scope, "page(1)", ("pagedown", "ctrl+f"), "PgDn", _("Page down"),
                _("One page down."), palette=False),
        Command(scope, "page(-1)", ("pageup", "ctrl+b"), "PgUp", _("Page up"),
                _("One page up."), palette=False),
        Command(scope, "home", ("home", "g"), "Home g", _("First"),
                _("Go to the first row."), palette=False),
        Command(scope, "end", ("end", "G"), "End G", _("Last"),
                _("Go to the last row; messages are followed from there."), palette=False),
    )


COMMANDS: tuple[Command, ...] = (
    Command("peers", "leave", ("escape", "q"), "Esc", _("Back"),
            _("Show all peers again, then return to the dashboard."), footer=True, palette=False),
    Command("peers", "search", ("slash",), "/", _("Search"),
            _("Find peers by a part of a name or of a peer id."), footer=True),
    Command("peers", "details", ("enter",), "Enter", _("Details"),
            _("Everything known of the chosen peer."), footer=True),
    Command("peers", "sort(1)", ("s",), "s", _("Sort"),
            _("Sort by the next column."), footer=True),
    Command("peers", "sort(-1)", ("S",), "S", _("Sort before"),
            _("Sort by the column before.")),
    Command("peers", "turn", ("o",), "o", _("Turn order"),
            _("Largest first, or smallest first.")),
    Command("peers", "me", ("m",), "m", _("Me"),
            _("Go to this node's own row."), footer=True),
    Command("peers", "freeze", ("f",), "f", _("Freeze"),
            _("Hold the gossip still, or follow it again.")),
    Command("peers", "copy", ("y",), "y", _("Copy"),
            _("Copy the chosen peer's id to the clipboard of your terminal."), footer=True),
    Command("peers", "show_section('peers')", ("1",), "1", _("Peers"),
            _("Ranks, rewards and what was met of each peer.")),
    Command("peers", "show_section('gossip')", ("2",), "2", _("Gossip"),
            _("What nodes answered in the last rounds.")),
    Command("peers", "show_section('network')", ("3",), "3", _("Network"),
            _("Whether others can dial this node, and what became of the bootnodes.")),
    Command("peers", "show_section('quarantine')", ("4",), "4", _("Quarantine"),
            _("Who is left alone, why and until when; what was refused in all.")),
    *moves("peers"),
    Command("peers", "app.help", ("question_mark", "f1"), "?", _("Help"),
            _("The page with all keys."), footer=True),
    Command("peers", "app.command_palette", ("ctrl+p",), "^p", _("Palette"),
            _("Every command by name."), palette=False),
    Command("details", "app.back", ("escape", "q", "enter"), "Esc", _("Back"),
            _("Return to the table."), footer=True, palette=False),
    Command("details", "copy", ("y",), "y", _("Copy"),
            _("Copy the peer id or the transaction to the clipboard of your terminal."),
            footer=True),
    *rows("details"),
    Command("details", "app.help", ("question_mark", "f1"), "?", _("Help"),
            _("The page with all keys."), footer=True),
    Command("finding", "keep", ("enter",), "Enter", _("Keep"),
            _("Keep what was found and go back to the table."), footer=True, palette=False),
    Command("finding", "clear", ("escape",), "Esc", _("As before"),
            _("Give up the search."), footer=True, palette=False),
    Command("finding", "pass_on(1)", ("down",), "Down", _("Down"),
            _("One row down, while you type."), palette=False),
    Command("finding", "pass_on(-1)", ("up",), "Up", _("Up"),
            _("One row up, while you type."), palette=False),
)
# fmt: on
