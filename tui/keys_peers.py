"""What a person can do on the peers screen and on the pages of its rows; a part of the table of
`tui/keys.py`."""

from __future__ import annotations

from tui.command import Command


# fmt: off
def moves(scope: str) -> tuple[Command, ...]:
    """How one moves in the sections of a screen."""
    return (
        Command(scope, "next_section(1)", ("tab",), "Tab", "Next",
                "Go to the next section.", footer=True, palette=False),
        Command(scope, "next_section(-1)", ("shift+tab",), "S-Tab", "Section before",
                "Go to the section before.", palette=False),
        *rows(scope),
        Command(scope, "sideways(1)", ("right", "l"), "Right l", "Columns right",
                "Show the columns that had no room.", palette=False),
        Command(scope, "sideways(-1)", ("left", "h"), "Left h", "Columns left",
                "Show the first columns again.", palette=False),
    )


def rows(scope: str) -> tuple[Command, ...]:
    return (
        Command(scope, "move(1)", ("down", "j"), "Down j", "Down",
                "One row down.", palette=False),
        Command(scope, "move(-1)", ("up", "k"), "Up k", "Up",
                "One row up.", palette=False),
        Command(scope, "page(1)", ("pagedown", "ctrl+f"), "PgDn", "Page down",
                "One page down.", palette=False),
        Command(scope, "page(-1)", ("pageup", "ctrl+b"), "PgUp", "Page up",
                "One page up.", palette=False),
        Command(scope, "home", ("home", "g"), "Home g", "First",
                "Go to the first row.", palette=False),
        Command(scope, "end", ("end", "G"), "End G", "Last",
                "Go to the last row; messages are followed from there.", palette=False),
    )


COMMANDS: tuple[Command, ...] = (
    Command("peers", "leave", ("escape", "q"), "Esc", "Back",
            "Show all peers again, then return to the dashboard.", footer=True, palette=False),
    Command("peers", "search", ("slash",), "/", "Search",
            "Find peers by a part of a name or of a peer id.", footer=True),
    Command("peers", "details", ("enter",), "Enter", "Details",
            "Everything known of the chosen peer.", footer=True),
    Command("peers", "sort(1)", ("s",), "s", "Sort",
            "Sort by the next column.", footer=True),
    Command("peers", "sort(-1)", ("S",), "S", "Sort before",
            "Sort by the column before."),
    Command("peers", "turn", ("o",), "o", "Turn order",
            "Largest first, or smallest first."),
    Command("peers", "me", ("m",), "m", "Me",
            "Go to this node's own row.", footer=True),
    Command("peers", "freeze", ("f",), "f", "Freeze",
            "Hold the gossip still, or follow it again."),
    Command("peers", "copy", ("y",), "y", "Copy",
            "Copy the chosen peer's id to the clipboard of your terminal.", footer=True),
    Command("peers", "show_section('peers')", ("1",), "1", "Peers",
            "Ranks, rewards and what was met of each peer."),
    Command("peers", "show_section('gossip')", ("2",), "2", "Gossip",
            "What nodes answered in the last rounds."),
    Command("peers", "show_section('network')", ("3",), "3", "Network",
            "Whether others can dial this node, and what became of the bootnodes."),
    Command("peers", "show_section('quarantine')", ("4",), "4", "Quarantine",
            "Who is left alone, why and until when; what was refused in all."),
    *moves("peers"),
    Command("peers", "app.help", ("question_mark", "f1"), "?", "Help",
            "The page with all keys.", footer=True),
    Command("peers", "app.command_palette", ("ctrl+p",), "^p", "Palette",
            "Every command by name.", palette=False),
    Command("details", "app.back", ("escape", "q", "enter"), "Esc", "Back",
            "Return to the table.", footer=True, palette=False),
    Command("details", "copy", ("y",), "y", "Copy",
            "Copy the peer id or the transaction to the clipboard of your terminal.", footer=True),
    *rows("details"),
    Command("details", "app.help", ("question_mark", "f1"), "?", "Help",
            "The page with all keys.", footer=True),
    Command("finding", "keep", ("enter",), "Enter", "Keep",
            "Keep what was found and go back to the table.", footer=True, palette=False),
    Command("finding", "clear", ("escape",), "Esc", "As before",
            "Give up the search.", footer=True, palette=False),
    Command("finding", "pass_on(1)", ("down",), "Down", "Down",
            "One row down, while you type.", palette=False),
    Command("finding", "pass_on(-1)", ("up",), "Up", "Up",
            "One row up, while you type.", palette=False),
)
# fmt: on
