"""What a person can do on the settings screen; a part of the table of `tui/keys.py`."""

from __future__ import annotations

from core.texts import _
from tui.command import Command

# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("settings", "leave", ("escape", "q"), "Esc", _("Back"),
            _("Show all settings again, then return to the dashboard."),
            footer=True, palette=False),
    Command("settings", "edit", ("enter", "e"), "Enter", _("Change"),
            _("Change the chosen setting; what is wrong with a value is said while you type."),
            footer=True),
    Command("settings", "search", ("slash",), "/", _("Search"),
            _("Find settings by words of their name, value, origin or meaning."), footer=True),
    Command("settings", "only_changed", ("o",), "o", _("Only set ones"),
            _("Show only what differs from the defaults, or all again."), footer=True),
    Command("settings", "reset", ("delete", "x"), "x", _("Unset"),
            _("Take the chosen setting out of config.yaml: profile or default counts again."),
            footer=True),
    Command("settings", "undo", ("u",), "u", _("Undo"),
            _("Take the last change of config.yaml back."), footer=True),
    Command("settings", "copy", ("y",), "y", _("Copy"),
            _("Copy the chosen setting as --set would take it; never a secret.")),
    Command("settings", "move(1)", ("down", "j"), "Down j", _("Down"),
            _("One setting down."), palette=False),
    Command("settings", "move(-1)", ("up", "k"), "Up k", _("Up"),
            _("One setting up."), palette=False),
    Command("settings", "section(1)", ("right", "l", "tab"), "Right l", _("Next section"),
            _("Go to the next section."), palette=False),
    Command("settings", "section(-1)", ("left", "h", "shift+tab"), "Left h", _("Section before"),
            _("Go to the section before."), palette=False),
    Command("settings", "page(1)", ("pagedown", "ctrl+f"), "PgDn", _("Page down"),
            _("One page down."), palette=False),
    Command("settings", "page(-1)", ("pageup", "ctrl+b"), "PgUp", _("Page up"),
            _("One page up."), palette=False),
    Command("settings", "home", ("home", "g"), "Home g", _("First"),
            _("Go to the first setting."), palette=False),
    Command("settings", "end", ("end", "G"), "End G", _("Last"),
            _("Go to the last setting."), palette=False),
    Command("settings", "app.help", ("question_mark", "f1"), "?", _("Help"),
            _("The page with all keys."), footer=True),
    Command("settings", "app.command_palette", ("ctrl+p",), "^p", _("Palette"),
            _("Every command by name."), palette=False),
    Command("setting line", "keep", ("enter",), "Enter", _("Keep"),
            _("Write the value into config.yaml, or keep what was found."),
            footer=True, palette=False),
    Command("setting line", "clear", ("escape",), "Esc", _("As before"),
            _("Leave it as it was."), footer=True, palette=False),
    Command("setting line", "turn(1)", ("down",), "Down", _("Next value"),
            _("The next of the values that a setting may have; while searching, the next setting."),
            footer=True, palette=False),
    Command("setting line", "turn(-1)", ("up",), "Up", _("Value before"),
            _("The value before; while searching, the setting before."), palette=False),
)
# fmt: on
SCOPES = {"settings": _("Settings"), "setting line": _("While changing or searching a setting")}
