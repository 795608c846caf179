"""What a person can do on the settings screen; a part of the table of `tui/keys.py`."""

from __future__ import annotations

from tui.command import Command

# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("settings", "leave", ("escape", "q"), "Esc", "Back",
            "Show all settings again, then return to the dashboard.",
            footer=True, palette=False),
    Command("settings", "edit", ("enter", "e"), "Enter", "Change",
            "Change the chosen setting; what is wrong with a value is said while you type.",
            footer=True),
    Command("settings", "search", ("slash",), "/", "Search",
            "Find settings by words of their name, value, origin or meaning.", footer=True),
    Command("settings", "only_changed", ("o",), "o", "Only set ones",
            "Show only what differs from the defaults, or all again.", footer=True),
    Command("settings", "reset", ("delete", "x"), "x", "Unset",
            "Take the chosen setting out of config.yaml: profile or default counts again.",
            footer=True),
    Command("settings", "undo", ("u",), "u", "Undo",
            "Take the last change of config.yaml back.", footer=True),
    Command("settings", "copy", ("y",), "y", "Copy",
            "Copy the chosen setting as --set would take it; never a secret."),
    Command("settings", "move(1)", ("down", "j"), "Down j", "Down",
            "One setting down.", palette=False),
    Command("settings", "move(-1)", ("up", "k"), "Up k", "Up",
            "One setting up.", palette=False),
    Command("settings", "section(1)", ("right", "l", "tab"), "Right l", "Next section",
            "Go to the next section.", palette=False),
    Command("settings", "section(-1)", ("left", "h", "shift+tab"), "Left h", "Section before",
            "Go to the section before.", palette=False),
    Command("settings", "page(1)", ("pagedown", "ctrl+f"), "PgDn", "Page down",
            "One page down.", palette=False),
    Command("settings", "page(-1)", ("pageup", "ctrl+b"), "PgUp", "Page up",
            "One page up.", palette=False),
    Command("settings", "home", ("home", "g"), "Home g", "First",
            "Go to the first setting.", palette=False),
    Command("settings", "end", ("end", "G"), "End G", "Last",
            "Go to the last setting.", palette=False),
    Command("settings", "app.help", ("question_mark", "f1"), "?", "Help",
            "The page with all keys.", footer=True),
    Command("settings", "app.command_palette", ("ctrl+p",), "^p", "Palette",
            "Every command by name.", palette=False),
    Command("setting line", "keep", ("enter",), "Enter", "Keep",
            "Write the value into config.yaml, or keep what was found.",
            footer=True, palette=False),
    Command("setting line", "give_up", ("escape",), "Esc", "As before",
            "Leave it as it was.", footer=True, palette=False),
    Command("setting line", "turn(1)", ("down",), "Down", "Next value",
            "The next of the values that a setting may have; while searching, the next setting.",
            footer=True, palette=False),
    Command("setting line", "turn(-1)", ("up",), "Up", "Value before",
            "The value before; while searching, the setting before.", palette=False),
)
# fmt: on
SCOPES = {"settings": "Settings", "setting line": "While changing or searching a setting"}
