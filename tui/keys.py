"""One table of everything a person can do: keys, palette entries and the help page come from it.

A screen says which `scope` it is; its bindings are built here, so that a key, its palette entry
and its line of help cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Command:
    """One action. scope: `everywhere`, `dashboard`, `reader` (a page over it), `onboarding`,
    `question` or `failure`."""

    scope: str
    action: str
    keys: tuple[str, ...]
    shown: str
    """How the key is written on the screen; ASCII."""
    title: str
    description: str
    footer: bool = False
    palette: bool = True
    priority: bool = False


COMMANDS: tuple[Command, ...] = (
    Command(
        "dashboard",
        "toggle_pause",
        ("p",),
        "p",
        "Pause",
        "Pause or resume the node at the round boundary.",
        footer=True,
    ),
    Command(
        "dashboard",
        "app.rollouts",
        ("r",),
        "r",
        "Rollouts",
        "Best and worst completion of the last rounds.",
        footer=True,
    ),
    Command(
        "dashboard",
        "app.logs",
        ("l",),
        "l",
        "Logs",
        "The log on the whole screen.",
        footer=True,
    ),
    Command(
        "dashboard",
        "copy_peer_id",
        ("y",),
        "y",
        "Copy peer id",
        "Copy this node's peer id to the clipboard of your terminal, over SSH too.",
        footer=True,
    ),
    Command(
        "dashboard",
        "show_pane('charts')",
        ("1",),
        "1",
        "Charts",
        "Show loss and reward.",
    ),
    Command(
        "dashboard",
        "show_pane('peers')",
        ("2",),
        "2",
        "Peers",
        "Show who is in the swarm and whose rollouts were used.",
    ),
    Command(
        "dashboard",
        "show_pane('rewards')",
        ("3",),
        "3",
        "Rewards",
        "Show what was trained, submitted and confirmed.",
    ),
    Command(
        "dashboard",
        "show_pane('log')",
        ("4",),
        "4",
        "Log tail",
        "Show the last lines of the log.",
    ),
    Command(
        "dashboard",
        "app.help",
        ("question_mark", "f1"),
        "?",
        "Help",
        "This page.",
        footer=True,
    ),
    Command(
        "dashboard",
        "app.command_palette",
        ("ctrl+p",),
        "^p",
        "Palette",
        "Every command by name.",
        footer=True,
        palette=False,
    ),
    Command(
        "dashboard",
        "app.ask_quit",
        ("q",),
        "q",
        "Quit",
        "Stop the node and leave; says first what stopping now would cost.",
        footer=True,
    ),
    Command(
        "everywhere",
        "interrupt",
        ("ctrl+c",),
        "^c",
        "Quit; twice: at once",
        "The first asks as q does; a second one stops the node at once.",
        palette=False,
        priority=True,
    ),
    Command(
        "reader",
        "app.back",
        ("escape", "q"),
        "Esc",
        "Back",
        "Return to the dashboard.",
        footer=True,
        palette=False,
    ),
    Command(
        "reader",
        "line_down",
        ("down", "j"),
        "Down j",
        "Down",
        "One line down.",
        palette=False,
    ),
    Command(
        "reader",
        "line_up",
        ("up", "k"),
        "Up k",
        "Up",
        "One line up.",
        palette=False,
    ),
    Command(
        "reader",
        "follow",
        ("end", "G"),
        "End G",
        "Follow",
        "Go to the end and follow what is new.",
        footer=True,
        palette=False,
    ),
    Command(
        "reader",
        "first",
        ("home", "g"),
        "Home g",
        "Top",
        "Go to the start.",
        footer=True,
        palette=False,
    ),
    Command(
        "onboarding",
        "next",
        ("enter",),
        "Enter",
        "Continue",
        "Go on with what is chosen.",
        footer=True,
        palette=False,
        priority=True,
    ),
    Command(
        "onboarding",
        "previous",
        ("escape",),
        "Esc",
        "Back",
        "One step back; nothing you chose is lost.",
        footer=True,
        palette=False,
        priority=True,
    ),
    Command(
        "onboarding",
        "app.focus_next",
        ("tab",),
        "Tab",
        "Next field",
        "Go to the next field of this step.",
        footer=True,
        palette=False,
    ),
    Command(
        "onboarding",
        "app.interrupt",
        ("ctrl+c",),
        "^c",
        "Leave",
        "Leave without starting a node.",
        footer=True,
        palette=False,
        priority=True,
    ),
    Command(
        "onboarding",
        "scroll_step(3)",
        ("down", "pagedown"),
        "Down",
        "Down",
        "Choose the next entry, or read on.",
        palette=False,
    ),
    Command(
        "onboarding",
        "scroll_step(-3)",
        ("up", "pageup"),
        "Up",
        "Up",
        "Choose the entry above, or scroll back.",
        palette=False,
    ),
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
        "Finish the round first: nothing is lost.",
        footer=True,
        palette=False,
    ),
    Command(
        "question",
        "now",
        ("s",),
        "s",
        "Stop now",
        "Give up the round under way.",
        footer=True,
        palette=False,
    ),
    Command(
        "question",
        "app.interrupt",
        ("ctrl+c",),
        "^c",
        "Stop at once",
        "Give up the round under way and leave.",
        palette=False,
        priority=True,
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
)

SCOPES = {
    "dashboard": "Dashboard",
    "everywhere": "Everywhere",
    "reader": "Help, logs and rollouts",
    "onboarding": "First start",
    "question": "When quitting",
    "failure": "When the node cannot start",
}
"""Headings of the help page, in its order."""


def commands(scope: str) -> list[Command]:
    return [command for command in COMMANDS if command.scope == scope]


def bindings(scope: str) -> list[BindingType]:
    """The Textual bindings of a scope; only the first key of a command shows in the footer."""
    return [
        Binding(
            key,
            command.action,
            command.title,
            show=command.footer and position == 0,
            key_display=command.shown.split()[0],
            priority=command.priority,
            tooltip=command.description,
        )
        for command in commands(scope)
        for position, key in enumerate(command.keys)
    ]
