"""What a person can do during the first start; a part of the table of `tui/keys.py`."""

from __future__ import annotations

from core.texts import _
from tui.command import Command

# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("onboarding", "next", ("enter",), "Enter", _("Continue"),
            _("Go on with what is chosen."), footer=True, palette=False, priority=True),
    Command("onboarding", "previous", ("escape",), "Esc", _("Back"),
            _("One step back, or stop waiting; nothing you chose is lost."),
            footer=True, palette=False, priority=True),
    Command("onboarding", "app.focus_next", ("tab",), "Tab", _("Next field"),
            _("Go to the next field of this step."), footer=True, palette=False, priority=True),
    Command("onboarding", "app.focus_previous", ("shift+tab",), "S-Tab", _("Field before"),
            _("Go back to the field before."), palette=False, priority=True),
    Command("onboarding", "app.interrupt", ("ctrl+c",), "^c", _("Leave"),
            _("Leave without starting a node; asks first."),
            footer=True, palette=False, priority=True),
    Command("onboarding", "scroll_step(3)", ("down", "pagedown"), "Down", _("Down"),
            _("Choose the next entry, or read on."), palette=False),
    Command("onboarding", "scroll_step(-3)", ("up", "pageup"), "Up", _("Up"),
            _("Choose the entry above, or scroll back."), palette=False),
    Command("invite", "copy", ("y",), "y", _("Copy the invite"),
            _("Copy the invite to the clipboard of your terminal, over SSH too.")),
    Command("phrase", "next", ("enter",), "Enter", _("Continue"),
            _("Go on once every word is written down, or answer."),
            footer=True, palette=False, priority=True),
    Command("phrase", "back", ("escape",), "Esc", _("Make no account"),
            _("Go back without an account; these words are forgotten."),
            footer=True, palette=False, priority=True),
    Command("phrase", "app.focus_next", ("tab",), "Tab", _("Next word"),
            _("Go to the next word that is asked for."), footer=True, palette=False, priority=True),
    Command("phrase", "app.focus_previous", ("shift+tab",), "S-Tab", _("Word before"),
            _("Go back to the word before."), palette=False, priority=True),
    Command("leaving", "stay", ("escape", "n"), "Esc", _("Stay"),
            _("Go on with the first start."), footer=True, palette=False),
    Command("leaving", "leave", ("enter", "y"), "Enter", _("Leave"),
            _("Close Waggle; nothing is running."), footer=True, palette=False),
)
# fmt: on
SCOPES = {
    "onboarding": _("First start"),
    "invite": _("First start: the invite"),
    "phrase": _("First start: the recovery phrase"),
    "leaving": _("When leaving the first start"),
}
